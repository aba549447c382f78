/** Registers of a meter at an instant of the reading clock. */
export interface Registers {
  readonly timeMs: number;
  readonly importWh: bigint;
  readonly exportWh: bigint;
}

/** What the connection allows, and the meter's own step (both from the configuration and the profile). */
export interface RegisterLimits {
  readonly importLimitW: number;
  readonly exportLimitW: number;
  /** Wh by which a register may be ahead of the time that passed. */
  readonly stepWh: number;
}

/** `lower`: read again. `above-limit`: not used. */
export type RegisterVerdict = 'good' | 'lower' | 'above-limit';

/** Lower reads in a row that make a discontinuity (gateway: The bus). */
export const LOWER_READS = 3;
/** Meters and clocks are not exact: a tenth is allowed on top, as the chain does. */
const MARGIN = 1.1;

/** Judges new registers against the last good ones. Time that went backwards counts as none. */
export function judgeRegisters(last: Registers | null, now: Registers, limits: RegisterLimits): RegisterVerdict {
  if (!last) return 'good';
  if (now.importWh < last.importWh || now.exportWh < last.exportWh) return 'lower';
  const hours = Math.max(0, now.timeMs - last.timeMs) / 3_600_000;
  const allowed = (limitW: number) => BigInt(Math.ceil(limitW * hours * MARGIN + limits.stepWh));
  const tooFast =
    now.importWh - last.importWh > allowed(limits.importLimitW) ||
    now.exportWh - last.exportWh > allowed(limits.exportLimitW);
  return tooFast ? 'above-limit' : 'good';
}
