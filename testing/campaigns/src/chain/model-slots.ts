import { DAY, type Model, pageRef } from './model.js';
import { type Limits, type ModelSlot, type Outcome, type Pair, windowWh } from './model-state.js';
import type { Of, Said } from './ops.js';

const MAX_WINDOWS = 2_880;

/**
 * Returns the rise that the chain reads. The attestation carries as many groups of 7 bits as `known`, the rise over its
 * read, needs. The chain takes the smallest rise with the same low bits, which is the true rise when the slot is as it
 * was read.
 */
function lowBits(rise: bigint, known: bigint): bigint {
  let bits = 7;
  while (known >> BigInt(bits)) bits += 7;
  return BigInt.asUintN(bits, rise);
}

/** Returns true when the caps allow the rise; 'extra' when only with one window more. */
function allowed(model: Model, slot: ModelSlot, window: number, rise: Pair): 'plain' | 'extra' | undefined {
  const passed = BigInt(Math.max(1, Math.min(window - slot.window, MAX_WINDOWS)));
  const within = (windows: bigint) =>
    rise.exportWh <= slot.exportCap * windows && rise.importWh <= slot.importCap * windows;
  if (within(passed)) return 'plain';
  if (model.on('extra') && slot.extra) return undefined;
  return within(passed + 1n) || !model.on('caps') ? 'extra' : undefined;
}

export function attest(model: Model, op: Of<'attest'>): Outcome {
  const page = model.page(op.zone, op.page);
  const zone = model.zones.get(op.zone);
  if (!page || !zone || op.items.length === 0) return 'refused';
  if (model.on('version') && op.version !== page.version) return 'refused';
  const attestors = model.quorum(zone, op.signers);
  if (!model.over(op.window) || attestors === undefined) return 'refused';
  page.version += 1n;
  let taken = false;
  for (const { slot: index, total, read } of op.items) {
    const slot = page.slots.get(index);
    if (!slot?.active || slot.closed || (slot.disputed && model.on('frozen'))) continue;
    if (slot.moved && op.moves !== page.moves && model.on('moved')) continue;
    if (op.window <= slot.window && model.on('newer')) continue;
    const rise = {
      exportWh: lowBits(total.exportWh - slot.exportWh, total.exportWh - read.exportWh),
      importWh: lowBits(total.importWh - slot.importWh, total.importWh - read.importWh),
    };
    const found = allowed(model, slot, op.window, rise);
    if (!found) continue;
    Object.assign(slot, { exportWh: slot.exportWh + rise.exportWh, importWh: slot.importWh + rise.importWh });
    Object.assign(slot, { window: op.window, extra: found === 'extra', moved: false, submitted: false });
    Object.assign(slot, { attestors, epoch: zone.epoch & 0xff });
    taken = true;
  }
  if (taken) page.highest = Math.max(page.highest, op.window);
  return { page: pageRef(op.zone, op.page), signers: attestors, extra: 'nothing' };
}

export function submit(model: Model, ref: string, said: Said): Outcome {
  const meter = model.meters.get(ref);
  const at = model.at(meter);
  if (!meter || !at?.slot.active || at.slot.closed || meter.status !== 'active') return 'refused';
  const { slot, page } = at;
  if (slot.disputed && model.on('frozen')) return 'refused';
  if (!model.valid(meter, said) || !model.byPresentKey(meter, said)) return 'refused';
  if (!model.over(said.window) || (said.window <= slot.window && model.on('newer'))) return 'refused';
  if (!meter.deviceSigned && model.now - slot.window < DAY && model.on('gatewayWait')) return 'refused';
  const total = model.totals(meter, said.raw);
  if (!total || total.exportWh < slot.exportWh || total.importWh < slot.importWh) return 'refused';
  const rise = { exportWh: total.exportWh - slot.exportWh, importWh: total.importWh - slot.importWh };
  const found = allowed(model, slot, said.window, rise);
  if (!found) return 'refused';
  Object.assign(slot, total, { window: said.window, extra: found === 'extra', moved: true, submitted: true });
  Object.assign(slot, { attestors: 0, epoch: 0 });
  page.moves += 1;
  page.highest = Math.max(page.highest, said.window);
  return { page: pageRef(page.zone, page.page), signers: 0, extra: 'payload' };
}

const caps = ({ exportW, importW, step }: Limits) => ({
  exportCap: windowWh(BigInt(exportW)) + BigInt(step),
  importCap: windowWh(BigInt(importW)) + BigInt(step),
});

export function activate(model: Model, ref: string): Outcome {
  const meter = model.meters.get(ref);
  const at = model.at(meter);
  if (!meter?.limits || !at || at.slot.closed) return 'refused';
  const { slot, page } = at;
  if (slot.active || slot.suspended || slot.disputed) return 'unchanged';
  if (meter.status !== 'active' || !model.begun(meter.enrolled)) return 'refused';
  Object.assign(slot, caps(meter.limits), { active: true, moved: true, window: meter.enrolled });
  page.moves += 1;
  return { page: pageRef(page.zone, page.page), signers: 0, extra: 'slot', slot };
}

export function sync(model: Model, ref: string): Outcome {
  const meter = model.meters.get(ref);
  const at = model.at(meter);
  if (!meter?.limits || !at) return 'refused';
  const { slot, page } = at;
  if (slot.closed) return 'unchanged';
  if (!slot.active && !slot.suspended) return 'refused';
  const want = {
    ...caps(meter.limits),
    active: meter.status === 'active',
    suspended: meter.status === 'suspended',
    closed: meter.status === 'closed',
  };
  const isSame = Object.entries(want).every(([name, value]) => slot[name as keyof ModelSlot] === value);
  if (isSame) return 'unchanged';
  const restarted = want.active && !slot.active && !slot.disputed;
  Object.assign(slot, want);
  if (restarted) {
    model.restart(slot, meter);
    page.moves += 1;
  }
  return { page: pageRef(page.zone, page.page), signers: 0, extra: 'slot', slot };
}
