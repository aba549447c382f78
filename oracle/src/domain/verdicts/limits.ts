import {
  Kind,
  NEAR_BOUNDARY_MS,
  type Payload,
  Quality,
  WINDOW_MS,
  type Window,
  windowEndAtMs,
  windowStartAtMs,
} from '@gridtokenx/protocol';
import type { MeterRecord } from '../ports.js';

/** Both registers in Wh. */
export interface Registers {
  readonly importWh: bigint;
  readonly exportWh: bigint;
}

/** Registers at an instant; `timeMs` null where the clock was not known. */
export interface TimedRegisters extends Registers {
  readonly timeMs: number | null;
  readonly uncertaintyMs: number;
}

export interface WindowRegisters extends Registers {
  readonly window: Window;
}

/** How far ahead of the oracle's clock a message may lie before it waits [wire §9.7]. */
export const FUTURE_TOLERANCE_MS = 60_000;
/** Beyond this the verdict is final: such a key can sign no more windows. */
export const FAR_FUTURE_MS = 24 * 3_600_000;

/** Returns true when a register is lower than before: cumulative registers never fall. */
export function fell(before: Registers, now: Registers): boolean {
  return now.importWh < before.importWh || now.exportWh < before.exportWh;
}

/**
 * Returns the maximum energy, in Wh, that a connection of `limitW` can carry in `spanMs`. It is limit x time with the
 * 10 % that the chain's caps also grant, and one step of the register [wire §9.6]. The extra watt-hour covers the
 * rounding of two registers.
 */
export function largestRise(limitW: number, spanMs: number, stepWh: number): bigint {
  return (BigInt(limitW) * BigInt(Math.ceil(spanMs)) * 11n) / 36_000_000n + BigInt(stepWh) + 1n;
}

function above(meter: MeterRecord, before: Registers, now: Registers, spanMs: number): boolean {
  const { importLimitW, exportLimitW, registerStepWh } = meter;
  return (
    now.importWh - before.importWh > largestRise(importLimitW, spanMs, registerStepWh) ||
    now.exportWh - before.exportWh > largestRise(exportLimitW, spanMs, registerStepWh)
  );
}

/**
 * Returns true when a reading's registers rose faster than the connection allows. The span is widened by both
 * uncertainties and by the 60 s to which the format places a register in time. Returns false where either time is
 * unknown or the clock went back: then the window's statement is judged by window numbers, which strictly rise.
 */
export function readingAboveLimit(meter: MeterRecord, before: TimedRegisters, now: TimedRegisters): boolean {
  if (before.timeMs === null || now.timeMs === null || now.timeMs < before.timeMs) return false;
  const span = now.timeMs - before.timeMs + now.uncertaintyMs + before.uncertaintyMs + NEAR_BOUNDARY_MS;
  return above(meter, before, now, span);
}

/**
 * Returns true when a statement's registers rose faster than the connection allows since the previous statement. Adds
 * one window, like the chain's caps: the earlier register was read somewhere in its window.
 */
export function statementAboveLimit(meter: MeterRecord, before: WindowRegisters, now: WindowRegisters): boolean {
  const windows = Math.max(0, now.window - before.window) + 1;
  return above(meter, before, now, windows * WINDOW_MS);
}

/** Returns a meter's registers at enrolment, as the first basis of comparison. */
export function enrolled(meter: MeterRecord): { reading: TimedRegisters; statement: WindowRegisters } {
  const registers = { importWh: meter.importBaselineWh, exportWh: meter.exportBaselineWh };
  return {
    reading: { ...registers, timeMs: windowStartAtMs(meter.enrolmentWindow), uncertaintyMs: 0 },
    statement: { ...registers, window: meter.enrolmentWindow },
  };
}

/** Compares an instant with the oracle's clock; `arrivedAtMs` and `nowMs` are of the clock that drives readings. */
export function futureOf(timeMs: number, arrivedAtMs: number, nowMs: number): 'past' | 'ahead' | 'far' {
  // *far* is judged at arrival and stays: a time signed a day ahead does not become true by waiting.
  if (timeMs > arrivedAtMs + FAR_FUTURE_MS) return 'far';
  return timeMs > nowMs + FUTURE_TOLERANCE_MS ? 'ahead' : 'past';
}

/**
 * Returns when a message that lies ahead is due to be judged again, on the clock that drives readings. Null for a
 * message without a time.
 */
export function dueAtMs(payload: Payload): number | null {
  switch (payload.kind) {
    case Kind.reading:
    case Kind.moreValues:
      return payload.timeUncertaintyMs === null
        ? null
        : Number(payload.timeMs) - payload.timeUncertaintyMs - FUTURE_TOLERANCE_MS;
    case Kind.event:
      return (payload.quality & Quality.unsynchronised) === 0 ? Number(payload.timeMs) - FUTURE_TOLERANCE_MS : null;
    case Kind.statement:
      return windowEndAtMs(payload.window) - FUTURE_TOLERANCE_MS;
    case Kind.enrolment:
      return null;
  }
}
