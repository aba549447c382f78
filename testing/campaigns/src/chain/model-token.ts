import type { Model } from './model.js';
import { type ModelBudget, type ModelPage, type ModelSlot, type Outcome, windowWh } from './model-state.js';
import type { Of } from './ops.js';

const BASE_UNITS_PER_WH = 1_000n;

/** The energy that a zone may mint now, by the windows of its pages. */
interface Room {
  wh: bigint;
  readonly from: number;
  readonly newest: number;
}

function roomOf(model: Model, budget: ModelBudget, page: ModelPage): Room {
  const zone = model.zones.get(page.zone);
  const from = budget.newest === 0 ? Math.max(0, page.highest - 1) : budget.from;
  const highest = model.on('budgetWindow') ? page.highest : Math.max(page.highest, model.now);
  const newest = Math.max(budget.newest, highest);
  const earned = windowWh(zone?.capacityW ?? 0n) * BigInt(newest - from);
  const wh = earned > budget.mintedWh ? earned - budget.mintedWh : 0n;
  return { wh: model.on('budget') ? wh : 1n << 62n, from, newest };
}

function dueOf(model: Model, slot: ModelSlot): bigint {
  const due = slot.exportWh - slot.mintedWh;
  return (slot.disputed && model.on('frozen')) || due < 0n ? 0n : due;
}

/** Raises the cursor and the budget by everything due, when that fits; returns base units. */
function mint(model: Model, slot: ModelSlot, budget: ModelBudget, room: Room): bigint {
  const due = dueOf(model, slot);
  if (due === 0n || due > room.wh) return 0n;
  if (model.on('cursor')) slot.mintedWh += due;
  room.wh -= due;
  Object.assign(budget, { mintedWh: budget.mintedWh + due, from: room.from, newest: room.newest });
  return due * BASE_UNITS_PER_WH;
}

export function mintPage(model: Model, op: Of<'mintPage'>): Outcome {
  const page = model.page(op.zone, op.page);
  const budget = model.budgets.get(op.zone);
  if (!page || !budget || !model.hasLedger(op.zone, op.page)) return 'refused';
  const room = roomOf(model, budget, page);
  for (const [, slot] of [...page.slots].sort(([a], [b]) => a - b)) {
    if (slot.toWallet) continue;
    const units = mint(model, slot, budget, room);
    slot.pooledWh += units / BASE_UNITS_PER_WH;
    model.vault += units;
  }
  return 'unchanged';
}

export function mintMeter(model: Model, ref: string): Outcome {
  const meter = model.meters.get(ref);
  const at = model.at(meter);
  if (!meter || !at || !model.hasLedger(at.page.zone, at.page.page)) return 'refused';
  if (!at.slot.toWallet || dueOf(model, at.slot) === 0n) return 'unchanged';
  const budget = model.budgets.get(meter.zone);
  if (!budget) return 'refused';
  const units = mint(model, at.slot, budget, roomOf(model, budget, at.page));
  model.wallets.set(meter.owner, model.balance(meter.owner) + units);
  return 'unchanged';
}

export function setDestination(model: Model, op: Of<'destination'>): Outcome {
  const meter = model.meters.get(op.meter);
  if (!meter?.place || op.by !== meter.owner || !model.hasLedger(meter.zone, meter.place.page)) return 'refused';
  const slot = model.assigned.get(`${meter.zone}/${meter.place.page}/${meter.place.slot}`);
  if (slot) slot.toWallet = op.wallet;
  return 'unchanged';
}

export function retire(model: Model, op: Of<'retire'>): Outcome {
  const meter = model.meters.get(op.meter);
  const at = model.at(meter);
  if (!meter || !at || !model.hasLedger(at.page.zone, at.page.page) || op.by !== meter.owner) return 'refused';
  const { slot } = at;
  if (slot.disputed || op.wh === 0n) return 'refused';
  if (model.on('retired') && slot.retiredWh + op.wh > slot.importWh) return 'refused';
  if (op.wh * BASE_UNITS_PER_WH > model.balance(op.by)) return 'refused';
  slot.retiredWh += op.wh;
  model.wallets.set(op.by, model.balance(op.by) - op.wh * BASE_UNITS_PER_WH);
  return 'unchanged';
}
