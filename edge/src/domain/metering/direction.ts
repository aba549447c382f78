import type { RegisterPair } from '@gridtokenx/protocol';

/** Energy below which nothing is proved, Wh: power is an instantaneous value, and registers are coarse. */
const MIN_WH = 50;
const STEPS = 20;
/** Longest time for which one power value counts, ms. */
const LONGEST_MS = 300_000;
const HOUR_MS = 3_600_000;

export interface PowerSample extends RegisterPair {
  /** Steady time, ms. */
  readonly steadyMs: number;
  /** Watts, import { type RegisterPair } from '@gridtokenx/protocol';
import positive; null where the meter shows none. */
  readonly powerW: number | null;
}

/**
 * Detects power and energy that contradict each other: power flows in, and only the export register counts it, or the
 * other way round. Then the two registers are exchanged, or the profile is another meter's.
 */
export class DirectionWatch {
  readonly #enoughWh: number;
  #last: PowerSample | null = null;
  /** Registers at the begin of the span in which power kept one sign. */
  #begin: PowerSample | null = null;
  /** Energy by power in that span, Wh; positive = import. */
  #flowedWh = 0;
  #words: string | null = null;

  /** `stepWh`: the step of the registers, Wh. */
  constructor(stepWh: number) {
    this.#enoughWh = Math.max(MIN_WH, STEPS * stepWh);
  }

  /** Says what contradicts; null when all is well, or nothing can be said. Stays until the registers agree. */
  get words(): string | null {
    return this.#words;
  }

  /** Records the registers and the power of a read. */
  add(sample: PowerSample): void {
    const last = this.#last;
    this.#last = sample;
    const ms = last ? sample.steadyMs - last.steadyMs : 0;
    const [before, now] = [last?.powerW ?? 0, sample.powerW ?? 0];
    const isSameWay = before !== 0 && Math.sign(before) === Math.sign(now);
    if (
      !last ||
      !isSameWay ||
      ms > LONGEST_MS ||
      (this.#flowedWh !== 0 && Math.sign(this.#flowedWh) !== Math.sign(now))
    ) {
      this.#restart(sample);
      return;
    }
    this.#flowedWh += (Math.sign(now) * Math.min(Math.abs(before), Math.abs(now)) * ms) / HOUR_MS;
    this.#judge(sample);
  }

  #restart(sample: PowerSample): void {
    this.#begin = sample;
    this.#flowedWh = 0;
  }

  #judge(sample: PowerSample): void {
    const begin = this.#begin;
    if (!begin || Math.abs(this.#flowedWh) < this.#enoughWh) return;
    const imported = Number(sample.importWh - begin.importWh);
    const exported = Number(sample.exportWh - begin.exportWh);
    const [right, wrong] = this.#flowedWh > 0 ? [imported, exported] : [exported, imported];
    const way = this.#flowedWh > 0 ? ['in', 'export'] : ['out', 'import'];
    if (right > 0) this.#words = null;
    else if (right === 0 && wrong >= Math.abs(this.#flowedWh) / 2)
      this.#words = `power flowed ${way[0]} (${Math.round(Math.abs(this.#flowedWh))} Wh), and only its ${way[1]} register rose`;
    this.#restart(sample);
  }
}
