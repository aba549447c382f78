import { DAY, type Model, pageRef } from './model.js';
import type { AttestorSet, ModelZone, Outcome } from './model-state.js';
import type { Of } from './ops.js';

const MAX_CAPACITY_W = 100_000_000_000n;

export function createZone(model: Model, op: Of<'createZone'>, utility: string): Outcome {
  if (op.by !== 'authority' || model.zones.has(op.zone) || op.capacityW > MAX_CAPACITY_W) return 'refused';
  model.zones.set(op.zone, newZone(op.zone, utility, op.capacityW));
  return 'unchanged';
}

export const newZone = (number: number, utility: string, capacityW: bigint): ModelZone => ({
  number,
  utility,
  capacityW,
  confirmedW: 0n,
  meterCount: 0,
  evidenceCount: 0,
  epoch: 0,
  changed: 0,
  inForce: { keys: [], threshold: 0 },
  announced: undefined,
});

function install(model: Model, zone: ModelZone, { keys, threshold }: AttestorSet): Outcome {
  Object.assign(zone, {
    inForce: { keys, threshold },
    announced: undefined,
    epoch: zone.epoch + 1,
    changed: model.now,
  });
  return 'unchanged';
}

export function announce(model: Model, op: Of<'announce'>): Outcome {
  const zone = model.zones.get(op.zone);
  const { keys, threshold } = op;
  if (!zone || op.by !== 'authority') return 'refused';
  if (keys.length < 1 || keys.length > 7 || new Set(keys).size < keys.length) return 'refused';
  if (threshold < 2 || threshold > keys.length) return 'refused';
  if (zone.epoch === 0) return install(model, zone, { keys, threshold });
  zone.announced = { keys, threshold, window: model.now };
  return 'unchanged';
}

export function installAnnounced(model: Model, op: Of<'install'>): Outcome {
  const zone = model.zones.get(op.zone);
  if (!zone?.announced) return 'refused';
  if (model.on('attestorWait') && model.now < zone.announced.window + DAY) return 'refused';
  return install(model, zone, zone.announced);
}

export function cancel(model: Model, op: Of<'cancel'>): Outcome {
  const zone = model.zones.get(op.zone);
  if (!zone?.announced || op.signers.length === 0) return 'refused';
  const byUtility = op.signers.length === 1 && op.signers[0] === zone.utility;
  if (!byUtility && model.on('cancelRight') && model.quorum(zone, op.signers) === undefined) return 'refused';
  zone.announced = undefined;
  return 'unchanged';
}

export function registerUser(model: Model, op: Of<'user'>): Outcome {
  const zone = model.zones.get(op.zone);
  const key = `${op.zone}/${op.wallet}`;
  if (!zone || (op.by !== zone.utility && op.by !== 'authority') || model.users.has(key)) return 'refused';
  model.users.set(key, op.role);
  return 'unchanged';
}

export function createPage(model: Model, op: Of<'createPage'>): Outcome {
  const ref = pageRef(op.zone, op.page);
  if (!model.zones.has(op.zone) || model.pages.has(ref)) return 'refused';
  const slots = new Map(
    [...model.assigned].flatMap(([key, slot]) =>
      key.startsWith(`${ref}/`) ? [[Number(key.split('/')[2]), slot] as const] : [],
    ),
  );
  model.pages.set(ref, { zone: op.zone, page: op.page, version: 0n, moves: 0, highest: 0, slots });
  return { page: ref, signers: 0, extra: 'nothing' };
}

export function createLedger(model: Model, op: Of<'createLedger'>): Outcome {
  const ref = pageRef(op.zone, op.page);
  const steps = model.ledgers.get(ref) ?? 0;
  if (steps === 2 || !model.zones.has(op.zone)) return 'refused';
  model.ledgers.set(ref, steps + 1);
  return 'unchanged';
}

export function createBudget(model: Model, op: Of<'createBudget'>): Outcome {
  if (!model.zones.has(op.zone) || model.budgets.has(op.zone)) return 'refused';
  model.budgets.set(op.zone, { mintedWh: 0n, from: 0, newest: 0 });
  return 'unchanged';
}
