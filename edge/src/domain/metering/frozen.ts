import { formatKwh } from '@gridtokenx/protocol';

/** Energy below which nothing is proved, Wh: registers are coarse, and power is an instantaneous value. */
const MIN_WH = 50;
const STEPS = 20;
/** Longest time for which one power value counts, ms. */
const LONGEST_MS = 300_000;

/** The values of one reading that the watch compares. */
export interface Shown {
  /** Reading clock, ms. */
  readonly timeMs: number;
  readonly importWh: bigint;
  readonly exportWh: bigint;
  /** Watts; null where the meter shows none. */
  readonly powerW: number | null;
}

/**
 * Detects energy registers that stand still while the meter shows power [gateway §7.4]. Checks both directions
 * together: a meter that is installed the wrong way round counts in the other register.
 */
export class FrozenWatch {
  readonly #enoughWh: number;
  #last: Shown | null = null;
  #passedWh = 0;

  /** `stepWh`: the step of the registers, Wh. */
  constructor(stepWh: number) {
    this.#enoughWh = Math.max(MIN_WH, STEPS * stepWh);
  }

  /** Says to a person that the registers stand still; null when all is well, or nothing can be said. */
  get problem(): string | null {
    if (!this.#last || this.#passedWh < this.#enoughWh) return null;
    const { importWh, exportWh } = this.#last;
    const at = `${formatKwh(importWh)}/${formatKwh(exportWh)} kWh`;
    return `its energy registers stand at ${at} while it showed power for ${Math.floor(this.#passedWh)} Wh: the registers are frozen, have the meter checked`;
  }

  /** Records a reading. Returns true when it shows that the registers are frozen, once until they move. */
  add(shown: Shown): boolean {
    const last = this.#last;
    const wasFrozen = this.#passedWh >= this.#enoughWh;
    this.#last = shown;
    if (!last || shown.importWh !== last.importWh || shown.exportWh !== last.exportWh) {
      this.#passedWh = 0;
      return false;
    }
    const ms = shown.timeMs - last.timeMs;
    const [before, now] = [last.powerW ?? 0, shown.powerW ?? 0];
    // Between a power in and a power out, any energy may have flowed, or none.
    const power = Math.sign(before) === Math.sign(now) ? Math.min(Math.abs(before), Math.abs(now)) : 0;
    if (ms > 0 && ms <= LONGEST_MS) this.#passedWh += (power * ms) / 3_600_000;
    return !wasFrozen && this.#passedWh >= this.#enoughWh;
  }
}
