import { MerkleBuilder, Quality, type Reading, windowOf } from '@gridtokenx/protocol';
import type { WindowReading } from './windows.js';

/** Readings in a row of one window, as one for each quality: the last registers, and the worst of the rest. */
export type CondensedReading = Omit<WindowReading, 'steadyMs'> & { readonly silentMs: number };

/**
 * Gathers the readings after a key's newest statement: their Merkle tree, and what their windows need. Its size does not
 * depend on the number of readings.
 */
export class OpenSpan {
  /** Seq of the newest reading in it; 0 without any. */
  through: number;
  readonly merkle: MerkleBuilder;
  readonly #readings: CondensedReading[];
  #lastTimeMs: number | null;

  constructor(from: { through: number; merkle: MerkleBuilder; readings: readonly CondensedReading[] } | null = null) {
    this.through = from?.through ?? 0;
    this.merkle = from?.merkle ?? new MerkleBuilder();
    this.#readings = [...(from?.readings ?? [])];
    this.#lastTimeMs = this.#readings.at(-1)?.timeMs ?? null;
  }

  /** Returns the condensed readings in seq order. */
  get readings(): readonly CondensedReading[] {
    return this.#readings;
  }

  /** Adds a reading. Ignores a second copy: a batch whose write failed is written again. */
  add(reading: Reading, payload: Uint8Array): void {
    const seq = Number(reading.seq);
    if (seq <= this.through) return;
    this.through = seq;
    this.merkle.add(payload);
    const { importWh, exportWh, quality, timeUncertaintyMs: uncertaintyMs } = reading;
    // Only a known time chooses a window.
    if ((quality & Quality.unsynchronised) !== 0) return;
    const timeMs = Number(reading.timeMs);
    const silentMs = this.#lastTimeMs === null ? 0 : timeMs - this.#lastTimeMs;
    this.#lastTimeMs = timeMs;
    const like = this.#likeOf({ timeMs, quality, uncertaintyMs });
    const worst = uncertaintyMs === null ? null : Math.max(uncertaintyMs, like?.uncertaintyMs ?? 0);
    const longest = Math.max(silentMs, like?.silentMs ?? 0);
    this.#readings.push({ timeMs, importWh, exportWh, quality, uncertaintyMs: worst, silentMs: longest });
  }

  /** Removes the reading of the newest window that the next one replaces; undefined where there is none. */
  #likeOf(next: Marks): CondensedReading | undefined {
    const window = windowOf(next.timeMs);
    for (let at = this.#readings.length - 1; at >= 0; at--) {
      const reading = this.#readings[at];
      if (!reading || windowOf(reading.timeMs) !== window) return undefined;
      if (isLike(reading, next)) return this.#readings.splice(at, 1)[0];
    }
    return undefined;
  }
}

type Marks = Pick<WindowReading, 'timeMs' | 'quality' | 'uncertaintyMs'>;

const isLike = (a: Marks, b: Marks) =>
  a.quality === b.quality && (a.uncertaintyMs === null) === (b.uncertaintyMs === null);
