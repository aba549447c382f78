import { unwrap } from '../../profiles/sample.js';
import type { MeterSample } from '../ports.js';

/** Registers of a meter at an instant of the reading clock. */
export interface Registers {
  readonly timeMs: number;
  readonly importWh: bigint;
  readonly exportWh: bigint;
}

/** Limits of the connection and the meter's own step, from the configuration and the profile. */
export interface RegisterLimits {
  readonly importLimitW: number;
  readonly exportLimitW: number;
  /** Wh by which a register may be ahead of the time that passed. */
  readonly stepWh: number;
}

/** `lower`: read again. `above-limit`: not used. */
export type RegisterVerdict = 'good' | 'lower' | 'above-limit';

/** Lower reads in a row that make a discontinuity [gateway §7.2]. */
export const LOWER_READS = 3;
/** Meters and clocks are not exact: a tenth is allowed on top, as the chain does. */
const MARGIN = 1.1;

/** Most watt-hours that a register can have risen by since the last good one. */
function mostRise(limitW: number, last: Registers, now: Registers, { stepWh }: RegisterLimits): bigint {
  const hours = Math.max(0, now.timeMs - last.timeMs) / 3_600_000;
  return BigInt(Math.ceil(limitW * hours * MARGIN + stepWh));
}

/**
 * The registers that go on counting where the meter's own began at 0 again (roll-over) [gateway §7.3]. What is signed
 * never falls, so the last good registers say how often each turned: they come back from the spool after a start, and
 * nothing else has to be stored. A register that is lower for another reason, or with no time to judge it by, is left
 * as it is: it fell.
 */
export function unrolled<T extends Registers & Pick<MeterSample, 'rolloverWh'>>(
  last: Registers | null,
  now: T,
  limits: RegisterLimits,
): T {
  const { rolloverWh } = now;
  // Time 0: of a statement or an enrolment, see `RecoveryScan`.
  if (!last || last.timeMs === 0 || !rolloverWh) return now;
  const goOn = (key: 'importWh' | 'exportWh', limitW: number): bigint => {
    const rollover = rolloverWh[key];
    if (rollover === null || rollover < 2n || now[key] >= last[key] || now[key] > rollover) return now[key];
    const most = mostRise(limitW, last, now, limits);
    const half = rollover / 2n;
    return unwrap(last[key], now[key], rollover, most < half ? most : half) ?? now[key];
  };
  const importWh = goOn('importWh', limits.importLimitW);
  const exportWh = goOn('exportWh', limits.exportLimitW);
  return importWh === now.importWh && exportWh === now.exportWh ? now : { ...now, importWh, exportWh };
}

/** Judges new registers against the last good ones [gateway §7.2]. Time that went backwards counts as none. */
export function judgeRegisters(last: Registers | null, now: Registers, limits: RegisterLimits): RegisterVerdict {
  if (!last) return 'good';
  if (now.importWh < last.importWh || now.exportWh < last.exportWh) return 'lower';
  const tooFast =
    now.importWh - last.importWh > mostRise(limits.importLimitW, last, now, limits) ||
    now.exportWh - last.exportWh > mostRise(limits.exportLimitW, last, now, limits);
  return tooFast ? 'above-limit' : 'good';
}
