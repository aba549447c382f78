import { DAY, type Model, pageRef } from './model.js';
import type { ModelMeter, Outcome } from './model-state.js';
import type { Said } from './ops.js';

const OPEN = 0;
const DEVICE_CONVICTED = 1;
const ATTESTORS_CONVICTED = 2;

/**
 * Returns true for a statement of the device itself: by the present key, or by the previous key up to its last window.
 */
function isEvidence(model: Model, meter: ModelMeter, said: Said): boolean {
  if (!meter.deviceSigned || !model.valid(meter, said)) return false;
  const isOld = meter.baselineWindow !== 0 && said.window <= meter.baselineWindow;
  if (isOld) return false;
  if (said.key === meter.previousKey) return said.window <= meter.previousLast;
  return model.byPresentKey(meter, said);
}

export function dispute(model: Model, ref: string, said: Said): Outcome {
  const meter = model.meters.get(ref);
  const at = model.at(meter);
  if (!meter || !at) return 'refused';
  const { slot, page } = at;
  if (slot.closed || slot.disputed) return 'refused';
  if (slot.active !== (meter.status === 'active') || slot.suspended !== (meter.status === 'suspended'))
    return 'refused';
  if (meter.status === 'closed' || !model.signedFor(slot, meter)) return 'refused';
  if (!isEvidence(model, meter, said) || !model.over(said.window) || said.window <= slot.window) return 'refused';
  const speaker = slot.window <= meter.previousLast ? (meter.previousKey ?? meter.key) : meter.key;
  if (said.key !== speaker && model.on('oneKey')) return 'refused';
  const total = model.totals(meter, said.raw);
  if (total && total.exportWh >= slot.exportWh && total.importWh >= slot.importWh) return 'refused';
  model.cases.set(at.ref, {
    number: (model.cases.get(at.ref)?.number ?? 0) + 1,
    opened: model.now,
    window: slot.window,
    total: { exportWh: slot.exportWh, importWh: slot.importWh },
    key: said.key,
    attestors: slot.attestors,
    verdict: slot.attestors === 0 ? DEVICE_CONVICTED : OPEN,
  });
  slot.disputed = true;
  return { page: pageRef(page.zone, page.page), signers: 0, extra: 'payload' };
}

export function answer(model: Model, ref: string, said: Said): Outcome {
  const meter = model.meters.get(ref);
  const at = model.at(meter);
  const found = model.caseOf(meter);
  if (!meter || !at?.slot.disputed || found?.verdict !== OPEN) return 'refused';
  if (model.on('answerTime') && model.now >= found.opened + DAY) return 'refused';
  if (!isEvidence(model, meter, said) || said.window > found.window) return 'refused';
  if (said.key !== found.key && model.on('oneKey')) return 'refused';
  const total = model.totals(meter, said.raw);
  if (!total || total.exportWh < found.total.exportWh || total.importWh < found.total.importWh) return 'refused';
  found.verdict = DEVICE_CONVICTED;
  return { page: pageRef(at.page.zone, at.page.page), signers: 0, extra: 'payload' };
}

export function conclude(model: Model, ref: string): Outcome {
  const meter = model.meters.get(ref);
  const at = model.at(meter);
  const found = model.caseOf(meter);
  if (!meter || !at?.slot.disputed || !found) return 'refused';
  const { slot, page } = at;
  const place = pageRef(page.zone, page.page);
  if (found.verdict === OPEN) {
    if (model.now < found.opened + DAY) return 'refused';
    found.verdict = ATTESTORS_CONVICTED;
    return { page: place, signers: 0, extra: 'verdict' };
  }
  if (meter.acceptedDispute !== found.number) return 'refused';
  const { status } = meter;
  Object.assign(slot, { disputed: false, active: status === 'active', suspended: status === 'suspended' });
  if (status === 'closed') slot.closed = true;
  model.restart(slot, meter);
  page.moves += 1;
  return { page: place, signers: 0, extra: 'slot', slot };
}
