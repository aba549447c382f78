import { type Model, zoneOf } from './model.js';
import { giveCapacityBack } from './model-meters.js';
import type { ModelCase, ModelMeter, ModelSlot, Outcome, Pair } from './model-state.js';
import type { Of } from './ops.js';

const OPEN = 0;
const ATTESTORS_CONVICTED = 2;

const isAssigned = (slot: ModelSlot) => slot.active || slot.suspended || slot.closed || slot.disputed;

/** Returns the case that an op brings: 'wrong' when a required case is missing, or an unneeded case is present. */
function decided(model: Model, meter: ModelMeter, withCase: boolean): ModelCase | 'none' | 'wrong' {
  if (!model.slotOf(meter)?.disputed) return withCase ? 'wrong' : 'none';
  const found = withCase ? model.caseOf(meter) : undefined;
  return found && found.verdict !== OPEN ? found : 'wrong';
}

/**
 * Returns registers that continue from the slot's totals; undefined when they are below and nobody was convicted for
 * that.
 */
function goOn(model: Model, meter: ModelMeter, slot: ModelSlot, raw: Pair, convicted: boolean): boolean {
  const [baseline, carried] = [{ ...meter.baseline }, { ...meter.carried }];
  for (const side of ['exportWh', 'importWh'] as const) {
    const rise = raw[side] - baseline[side];
    const isBelow = rise < 0n || carried[side] + rise < slot[side];
    if (isBelow && convicted) continue;
    if (isBelow && model.on('totalsFell')) return false;
    carried[side] = slot[side];
    baseline[side] = raw[side];
  }
  Object.assign(meter, { baseline, carried });
  return true;
}

function activate(model: Model, meter: ModelMeter, op: Of<'status'>): Outcome {
  const slot = model.slotOf(meter);
  const found = decided(model, meter, op.withCase);
  if (found === 'wrong') return 'refused';
  if (!slot || !isAssigned(slot)) {
    if (meter.status !== 'suspended') return 'refused';
    meter.status = 'active';
    return 'unchanged';
  }
  if (found === 'none' && !slot.suspended && model.on('stoodStill')) return 'refused';
  const { said } = op;
  if (!said || !model.valid(meter, said) || !model.byPresentKey(meter, said)) {
    if (model.on('reactivation')) return 'refused';
    meter.status = 'active';
    return 'unchanged';
  }
  if (said.window < slot.window || !model.over(said.window)) return 'refused';
  const convicted = found !== 'none' && found.verdict === ATTESTORS_CONVICTED;
  if (!goOn(model, meter, slot, said.raw, convicted)) return 'refused';
  Object.assign(meter, { baselineWindow: said.window, firstValid: said.window + 1, status: 'active' });
  if (found !== 'none') meter.acceptedDispute = Math.max(meter.acceptedDispute, found.number);
  return 'unchanged';
}

function suspend(model: Model, meter: ModelMeter, op: Of<'status'>): Outcome {
  if (op.withCase) {
    const found = decided(model, meter, true);
    if (found === 'wrong' || found === 'none') return 'refused';
    meter.acceptedDispute = Math.max(meter.acceptedDispute, found.number);
  } else if (meter.status !== 'active') {
    return 'refused';
  }
  meter.status = 'suspended';
  return 'unchanged';
}

export function setStatus(model: Model, op: Of<'status'>): Outcome {
  const meter = model.meters.get(op.meter);
  const zone = model.zones.get(zoneOf(op.meter));
  if (!meter || !zone || op.by !== zone.utility || op.point !== meter.point) return 'refused';
  if (meter.place && !model.slotOf(meter)) return 'refused'; // its page does not exist
  if (meter.status === 'pending' && op.status === 'closed' && !op.withCase) {
    meter.status = 'closed';
    return 'unchanged';
  }
  if (meter.status !== 'active' && meter.status !== 'suspended') return 'refused';
  if (op.status === 'active') return activate(model, meter, op);
  if (op.status === 'suspended') return suspend(model, meter, op);
  if (op.withCase || !model.settled(meter)) return 'refused';
  const slot = model.slotOf(meter);
  if (slot?.active && model.on('closedStill')) return 'refused';
  giveCapacityBack(model, zone, meter);
  const point = `${zone.number}/${meter.point}`;
  if (model.live.get(point) === op.meter) {
    model.live.delete(point);
    model.counted.set(point, Math.max(model.counted.get(point) ?? 0, slot?.window ?? 0));
  }
  meter.status = 'closed';
  return 'unchanged';
}
