import { formatKwh } from '@gridtokenx/protocol';

/** Registers are coarse and power is a moment's: less than this proves nothing. Wh. */
const MIN_WH = 50;
const STEPS = 20;
/** Power that was seen once says nothing about a longer time. */
const LONGEST_MS = 300_000;

/** What one reading shows of it. */
export interface Shown {
  /** Reading clock, ms. */
  readonly timeMs: number;
  readonly importWh: bigint;
  readonly exportWh: bigint;
  /** Watts; null where the meter shows none. */
  readonly powerW: number | null;
}

/**
 * Notices energy registers that stand still while the meter shows power [gateway §7.4]. Neither direction is looked at
 * alone: a meter whose current flows the other way than its installer thought counts in the other register.
 */
export class FrozenWatch {
  readonly #enoughWh: number;
  #last: Shown | null = null;
  #passedWh = 0;

  /** `stepWh`: what the registers count in, Wh. */
  constructor(stepWh: number) {
    this.#enoughWh = Math.max(MIN_WH, STEPS * stepWh);
  }

  /** Words for a person while they stand still; null when all is well, or nothing can be said. */
  get problem(): string | null {
    if (!this.#last || this.#passedWh < this.#enoughWh) return null;
    const { importWh, exportWh } = this.#last;
    const at = `${formatKwh(importWh)}/${formatKwh(exportWh)} kWh`;
    return `its energy registers stand at ${at} while it showed power for ${Math.floor(this.#passedWh)} Wh: they are frozen, have it looked at`;
  }

  /** Takes a reading; true when the registers are found to be frozen by it, once until they move. */
  take(shown: Shown): boolean {
    const last = this.#last;
    const wasFrozen = this.#passedWh >= this.#enoughWh;
    this.#last = shown;
    if (!last || shown.importWh !== last.importWh || shown.exportWh !== last.exportWh) {
      this.#passedWh = 0;
      return false;
    }
    const ms = shown.timeMs - last.timeMs;
    const [before, now] = [last.powerW ?? 0, shown.powerW ?? 0];
    // Between a power in and one out anything may have flowed, also nothing.
    const power = Math.sign(before) === Math.sign(now) ? Math.min(Math.abs(before), Math.abs(now)) : 0;
    if (ms > 0 && ms <= LONGEST_MS) this.#passedWh += (power * ms) / 3_600_000;
    return !wasFrozen && this.#passedWh >= this.#enoughWh;
  }
}
