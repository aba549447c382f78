import { type RegisterPair, SYNCHRONISED_UNCERTAINTY_MS } from '@gridtokenx/protocol';
import { unwrap } from '../../profiles/sample.js';
import type { MeterSample } from '../ports.js';

/** Registers of a meter with their moment. */
export interface TimedRegisters extends RegisterPair {
  /** Reading clock, ms; null where the time is unknown. Of a statement or an enrolment: the begin of its window. */
  readonly timeMs: number | null;
  /** Bounds the error of `timeMs`, ms. */
  readonly uncertaintyMs: number;
  /** Steady time of this run, ms; null for registers of an earlier run. */
  readonly steadyMs: number | null;
}

/** Limits of the connection and the meter's own step, from the configuration and the profile. */
export interface RegisterLimits {
  readonly importLimitW: number;
  readonly exportLimitW: number;
  /** Wh by which a register may be ahead of the time that passed: twice the meter's resolution. */
  readonly stepWh: number;
}

export const REGISTER_KEYS = ['importWh', 'exportWh'] as const;
export type RegisterWhKey = (typeof REGISTER_KEYS)[number];

/** Builds both registers, each by its key. */
export function registersBy(wh: (key: RegisterWhKey) => bigint): RegisterPair {
  return { importWh: wh('importWh'), exportWh: wh('exportWh') };
}

/** Adds two pairs of registers. */
export const plus = (a: RegisterPair, b: RegisterPair): RegisterPair => registersBy((key) => a[key] + b[key]);

/** Subtracts the registers `b` from `a`. */
export const minus = (a: RegisterPair, b: RegisterPair): RegisterPair => registersBy((key) => a[key] - b[key]);

/** Meters and clocks are not exact: a tenth is allowed on top, as the chain does. */
const MARGIN = 1.1;
const HOUR_MS = 3_600_000;

/** Returns the watts that the connection allows for a register. */
export function limitW(key: RegisterWhKey, limits: RegisterLimits): number {
  return key === 'importWh' ? limits.importLimitW : limits.exportLimitW;
}

/** Bounds the energy that the connection can carry in a register's direction, Wh; `ms` below 0 counts as 0. */
export function mostEnergyWh(key: RegisterWhKey, limits: RegisterLimits, ms: number): bigint {
  return BigInt(Math.ceil((limitW(key, limits) * MARGIN * Math.max(0, ms)) / HOUR_MS));
}

/** Returns the time of a sample when it is known to be right within 60 s, else null. */
export function knownTimeMs({ timeMs, uncertaintyMs }: Pick<MeterSample, 'timeMs' | 'uncertaintyMs'>): number | null {
  return uncertaintyMs !== null && uncertaintyMs <= SYNCHRONISED_UNCERTAINTY_MS ? timeMs : null;
}

/**
 * Bounds the time between registers and a later sample, ms, at least 0: by steady time within a run, else by known
 * times. Null where the time between is unknown, or where the times contradict each other.
 */
export function longestMs(
  last: TimedRegisters,
  now: Pick<MeterSample, 'timeMs' | 'uncertaintyMs' | 'steadyMs'>,
): number | null {
  if (last.steadyMs !== null) return Math.max(0, now.steadyMs - last.steadyMs);
  const nowMs = knownTimeMs(now);
  if (nowMs === null || last.timeMs === null) return null;
  const ms = nowMs + (now.uncertaintyMs ?? 0) - last.timeMs + last.uncertaintyMs;
  return ms < 0 ? null : ms;
}

/**
 * Returns the registers that go on counting where the meter's own began at 0 again (roll-over) [gateway §7.3]. Signed
 * registers never fall, so the last good ones show how often each turned. A register that is lower for another reason,
 * or with no time to judge it by, stays as it is: it fell. `last`: the last good registers as the meter counts. `ms`:
 * bounds the time since; null = unknown.
 */
export function unrolled<T extends RegisterPair & Pick<MeterSample, 'rolloverWh'>>(
  last: RegisterPair | null,
  now: T,
  ms: number | null,
  limits: RegisterLimits,
): T {
  const { rolloverWh } = now;
  if (!last || ms === null || !rolloverWh) return now;
  const goOn = (key: RegisterWhKey): bigint => {
    const rollover = rolloverWh[key];
    if (rollover === null || rollover < 2n || now[key] >= last[key] || now[key] > rollover) return now[key];
    const most = mostEnergyWh(key, limits, ms) + BigInt(Math.ceil(limits.stepWh));
    const half = rollover / 2n;
    return unwrap(last[key], now[key], rollover, most < half ? most : half) ?? now[key];
  };
  const turned = registersBy(goOn);
  return REGISTER_KEYS.every((key) => turned[key] === now[key]) ? now : { ...now, ...turned };
}
