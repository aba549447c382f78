import type { MeterRecord } from '../../ports.js';
import { SlotFlag, type SlotRead } from '../ports.js';

const STATUS_FLAGS = SlotFlag.active | SlotFlag.suspended | SlotFlag.closed;
const FLAG_OF = { active: SlotFlag.active, suspended: SlotFlag.suspended, closed: SlotFlag.closed } as const;

/** The largest rise a window may bring, Wh: a quarter of an hour at the limit, a tenth more, and the register's step. */
export function capWh(limitW: number, registerStepWh: number): number {
  return Math.ceil((limitW * 11) / 40) + registerStepWh;
}

/**
 * True when `sync_slot` would change the slot: limits or status of the meter's record are others [chain §5.5]. A
 * closed slot stays as it is, and one that never was active waits for `activate_slot`.
 */
export function isOutOfStep(meter: MeterRecord, slot: SlotRead): boolean {
  if ((slot.flags & SlotFlag.closed) !== 0) return false;
  if ((slot.flags & (SlotFlag.active | SlotFlag.suspended)) === 0) return false;
  return (
    (slot.flags & STATUS_FLAGS) !== FLAG_OF[meter.status] ||
    slot.exportCapWh !== capWh(meter.exportLimitW, meter.registerStepWh) ||
    slot.importCapWh !== capWh(meter.importLimitW, meter.registerStepWh)
  );
}
