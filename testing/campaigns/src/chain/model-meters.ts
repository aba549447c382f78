import { DAY, type Model, nameOf, zoneOf } from './model.js';
import { emptySlot, type Limits, type ModelMeter, type ModelZone, type Outcome } from './model-state.js';
import type { Enrolled, Of } from './ops.js';

const MAX_STEP_WH = 1_000;
const MAX_TARIFF_CLASS = 15;
const INSTALLER = 2;
const TOP = 1n << 63n;

/** Returns true when network, zone, registers and window of an enrolment message are valid. */
function goodMessage(model: Model, zone: ModelZone, message: Enrolled): boolean {
  if (!message.network || message.zone !== zone.number) return false;
  if (message.raw.exportWh >= TOP || message.raw.importWh >= TOP) return false;
  return message.window + DAY >= model.now && model.begun(message.window);
}

/** Returns a record as its enrolment states it: pending, without limits and slot. */
function recordOf(message: Enrolled, zone: number, installer: string, point: string): ModelMeter {
  return {
    message,
    ref: `${zone}/${message.about}`,
    zone,
    name: message.about,
    owner: message.owner,
    installer,
    point,
    role: message.role,
    enrolled: message.window,
    deviceSigned: message.deviceSigned,
    key: message.key,
    previousKey: undefined,
    previousLast: 0,
    keyEpoch: message.epoch,
    rotated: 0,
    firstValid: message.window + 1,
    baselineWindow: 0,
    baseline: message.raw,
    carried: { exportWh: 0n, importWh: 0n },
    status: 'pending',
    place: undefined,
    limits: undefined,
    confirmed: 0,
    acceptedDispute: 0,
  };
}

export function register(model: Model, op: Of<'register'>): Outcome {
  const zone = model.zones.get(zoneOf(op.meter));
  const { message } = op;
  if (!zone || message.about !== nameOf(op.meter)) return 'refused';
  const byUtility = op.by === zone.utility;
  if (!byUtility && (model.users.get(`${zone.number}/${op.by}`) ?? 0) < INSTALLER) return 'refused';
  if (!goodMessage(model, zone, message)) return 'refused';
  if (message.epoch !== 0 && model.on('keyEpoch')) return 'refused';
  if (!model.users.has(`${zone.number}/${message.owner}`) && model.on('zoneUser')) return 'refused';
  const found = model.meters.get(op.meter);
  if (found) {
    const isTheirs = found.installer === op.by || byUtility || !model.on('sameInstaller');
    const isOpen = (found.status === 'pending' && isTheirs) || found.status === 'closed';
    if (found.confirmed !== 0 || !isOpen) return 'refused';
  }
  const record = recordOf(message, zone.number, op.by, op.point);
  if (!model.on('pending')) record.status = 'active';
  model.meters.set(op.meter, record);
  return 'unchanged';
}

function goodLimits(model: Model, { step, tariffClass }: Limits): boolean {
  return !model.on('limits') || (step <= MAX_STEP_WH && tariffClass <= MAX_TARIFF_CLASS);
}

/**
 * Returns the W that limits reserve of a zone's capacity: the export limit, and a register's step added to each window.
 */
const reserved = (limits: Limits | undefined): bigint =>
  limits ? BigInt(limits.exportW) + (BigInt(limits.step) * 40n + 10n) / 11n : 0n;

/** Reserves `limits` of the zone's capacity after the return of `freed`; returns false when they do not fit. */
function takeCapacity(model: Model, zone: ModelZone, limits: Limits, freed?: Limits): boolean {
  const sum = zone.confirmedW - reserved(freed) + reserved(limits);
  if (sum > zone.capacityW && model.on('capacity')) return false;
  zone.confirmedW = sum;
  return true;
}

export function giveCapacityBack(model: Model, zone: ModelZone, meter: ModelMeter): void {
  if (meter.role === 0 && model.on('capacityBack')) zone.confirmedW -= reserved(meter.limits);
}

/** Returns true for two enrolments with one payload; the signing key is not part of it. */
function sameEnrolment(one: Enrolled, other: Enrolled): boolean {
  const { key: _one, raw, ...rest } = one;
  const { key: _other, raw: otherRaw, ...otherRest } = other;
  const isSameRaw = raw.exportWh === otherRaw.exportWh && raw.importWh === otherRaw.importWh;
  return isSameRaw && JSON.stringify(rest) === JSON.stringify(otherRest);
}

export function confirm(model: Model, op: Of<'confirm'>): Outcome {
  const meter = model.meters.get(op.meter);
  const zone = model.zones.get(zoneOf(op.meter));
  if (!meter || !zone || op.by !== zone.utility || meter.status !== 'pending') return 'refused';
  if (op.key !== meter.key && model.on('deviceKey')) return 'refused';
  if (!sameEnrolment(op.message, meter.message) && model.on('enrolment')) return 'refused';
  if (op.point !== meter.point || !goodLimits(model, op.limits)) return 'refused';
  if (op.limits.deviceSigned && !meter.deviceSigned && model.on('claimed')) return 'refused';
  if (meter.role === 0) {
    const point = `${zone.number}/${meter.point}`;
    if (model.live.has(point) && model.on('point')) return 'refused';
    const counted = model.counted.get(point) ?? 0;
    if (counted !== 0 && meter.enrolled <= counted) return 'refused';
    if (!takeCapacity(model, zone, op.limits)) return 'refused';
    model.live.set(point, op.meter);
    meter.place = { page: zone.meterCount >> 8, slot: zone.meterCount & 0xff };
    zone.meterCount += 1;
    model.assign(zone.number, meter.place.page, meter.place.slot, emptySlot());
  } else {
    zone.evidenceCount += 1;
  }
  Object.assign(meter, { limits: op.limits, deviceSigned: op.limits.deviceSigned });
  Object.assign(meter, { status: 'active', confirmed: model.now });
  return 'unchanged';
}

/** Returns true when the message continues this meter's record under another key. */
function continues(meter: ModelMeter, message: Enrolled): boolean {
  if (message.about !== meter.name || message.owner !== meter.owner || message.role !== meter.role) return false;
  if (meter.deviceSigned && !message.deviceSigned) return false;
  if (message.epoch !== meter.keyEpoch + 1 || message.window + 1 < meter.firstValid) return false;
  return message.key !== meter.key && message.key !== meter.previousKey;
}

export function rotate(model: Model, op: Of<'rotate'>): Outcome {
  const meter = model.meters.get(op.meter);
  const zone = model.zones.get(zoneOf(op.meter));
  if (!meter || !zone || op.by !== zone.utility) return 'refused';
  if (meter.status !== 'active' && meter.status !== 'suspended') return 'refused';
  if (op.recovery === undefined ? op.oldKey !== meter.key : op.recovery !== 'authority') return 'refused';
  const slot = model.slotOf(meter);
  if ((meter.place && !slot) || !model.settled(meter)) return 'refused';
  const stands = slot && model.signedFor(slot, meter) && slot.window <= meter.previousLast;
  if (stands && meter.previousKey !== undefined && model.on('slotMoved')) return 'refused';
  if (!goodMessage(model, zone, op.message) || !continues(meter, op.message)) return 'refused';
  const kept = model.on('evidenceKept') ? Math.max(slot?.window ?? 0, model.now + 1) : 0;
  const last = Math.max(op.message.window, kept);
  Object.assign(meter, { previousKey: meter.key, previousLast: last, key: op.message.key });
  Object.assign(meter, { keyEpoch: op.message.epoch, firstValid: last + 1, rotated: model.now });
  return 'unchanged';
}

export function replace(model: Model, op: Of<'replace'>): Outcome {
  const old = model.meters.get(op.meter);
  const zone = model.zones.get(zoneOf(op.meter));
  const slot = model.slotOf(old);
  const { message } = op;
  if (!old?.place || !zone || op.by !== zone.utility || !slot?.suspended) return 'refused';
  if (old.status !== 'suspended' || !model.settled(old) || !goodLimits(model, op.limits)) return 'refused';
  if (zoneOf(op.next) !== zone.number || message.about !== nameOf(op.next)) return 'refused';
  const before = model.meters.get(op.next);
  if (before && (before.confirmed !== 0 || !['pending', 'closed'].includes(before.status))) return 'refused';
  if (!goodMessage(model, zone, message) || message.epoch !== 0) return 'refused';
  if (message.owner !== old.owner || message.role !== 0) return 'refused';
  if (message.key === old.key || message.key === old.previousKey) return 'refused';
  if (op.limits.deviceSigned && !message.deviceSigned && model.on('claimed')) return 'refused';
  const point = `${zone.number}/${old.point}`;
  if (op.point !== old.point || model.live.get(point) !== op.meter) return 'refused';
  if (message.window <= slot.window) return 'refused';
  if (!takeCapacity(model, zone, op.limits, old.limits)) return 'refused';
  const next = recordOf(message, zone.number, op.by, old.point);
  const last = Math.max(message.window, slot.window);
  const carried = model.on('carried') ? { exportWh: slot.exportWh, importWh: slot.importWh } : old.carried;
  Object.assign(next, { place: old.place, status: 'active', limits: op.limits, deviceSigned: op.limits.deviceSigned });
  Object.assign(next, { carried, baselineWindow: last, firstValid: last + 1, rotated: model.now });
  next.confirmed = model.now;
  model.meters.set(op.next, next);
  model.live.set(point, op.next);
  Object.assign(old, { status: 'replaced', place: undefined });
  return 'unchanged';
}
