import { EventCode, Quality, type RegisterPair } from '@gridtokenx/protocol';
import type { EventFields } from './meter-payloads.js';

/** `detail` of event 5: the state of the registers [numbers §4.3]. Stable numbers. */
export const DiscontinuityReason = {
  fell: 1,
  anotherMeter: 2,
  doubtFell: 3,
  doubtRose: 4,
  doubtNoValue: 5,
  doubtProbe: 6,
  over: 7,
  accepted: 8,
} as const;
export type DiscontinuityReason = (typeof DiscontinuityReason)[keyof typeof DiscontinuityReason];

/** Reasons with which a discontinuity begins. */
export type BreakReason = typeof DiscontinuityReason.fell | typeof DiscontinuityReason.anotherMeter;

/**
 * Builds event 5 [numbers §3]. `lastGood`: the last good signed registers. `raw`: the meter's own registers, which the
 * event states. Quality bit 3 stands only in the events that begin a discontinuity.
 */
export function registersEvent(
  reason: DiscontinuityReason,
  lastGood: RegisterPair,
  raw: RegisterPair,
): readonly [code: number, fields: EventFields] {
  const data = new Uint8Array(16);
  const view = new DataView(data.buffer);
  const { accepted, fell, anotherMeter } = DiscontinuityReason;
  view.setBigUint64(0, reason === accepted ? raw.importWh : lastGood.importWh, true);
  view.setBigUint64(8, raw.exportWh, true);
  const quality = reason === fell || reason === anotherMeter ? Quality.discontinuity : 0;
  return [EventCode.registerDiscontinuity, { value: lastGood.exportWh, detail: reason, data, quality }];
}
