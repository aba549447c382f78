import type { RegisterPair } from '@gridtokenx/protocol';
import { larger } from '@gridtokenx/runtime/core';
import type { MeterSample } from '../ports.js';
import { MAX_ACCEPTED, type MeterState } from '../signing/meter-state.js';
import {
  longestMs,
  minus,
  mostEnergyWh,
  plus,
  REGISTER_KEYS,
  type RegisterLimits,
  type RegisterWhKey,
  type TimedRegisters,
} from './registers.js';
import { SampleRun } from './sample-run.js';

export interface FormerRegistersOptions {
  readonly limits: RegisterLimits;
  readonly last: () => TimedRegisters | null;
  readonly state: () => Pick<MeterState, 'offsets' | 'accepted'>;
  /** Stores the offsets of before and signs the end of the doubt. Rejects with the disk's error. */
  readonly takeBack: (offsets: RegisterPair, lastGood: RegisterPair, raw: RegisterPair) => Promise<void>;
}

/**
 * Notices that a meter shows again the registers from before a person accepted others: the acceptance was about a
 * glitch. Then it revokes the offset. Otherwise the offset would one day count the registers twice.
 */
export class FormerRegisters {
  readonly #options: FormerRegistersOptions;
  #run: SampleRun | null = null;

  constructor(options: FormerRegistersOptions) {
    this.#options = options;
  }

  /** Forgets what was seen: the registers go on. */
  reset(): void {
    this.#run = null;
  }

  /** Follows a sample whose registers do not go on; takes the offset back once two samples show the former ones. */
  async follow(sample: MeterSample): Promise<void> {
    const { limits, last, takeBack } = this.#options;
    const [before, good] = [this.#offsetsBefore(), last()];
    const ms = good && longestMs(good, sample);
    if (!before || !good || ms === null) return;
    const counted = plus(sample, before);
    const stepWh = larger(BigInt(Math.ceil(limits.stepWh)), 2n * sample.resolutionWh);
    const goesOn = (key: RegisterWhKey) =>
      counted[key] >= good[key] - stepWh && counted[key] <= good[key] + mostEnergyWh(key, limits, ms) + stepWh;
    if (!REGISTER_KEYS.every(goesOn)) {
      this.#run = null;
      return;
    }
    this.#run = SampleRun.follow(this.#run, { ...sample, ...counted, contradiction: null }, { limits, stepWh });
    if (!this.#run.isConfirmed) return;
    this.#run = null;
    await takeBack(before, good, { importWh: sample.importWh, exportWh: sample.exportWh });
  }

  /** Returns the offsets before the newest acceptance; null where none was accepted, or the older one is forgotten. */
  #offsetsBefore(): RegisterPair | null {
    const { accepted, offsets } = this.#options.state();
    const previous = accepted.at(-2);
    if (accepted.length === 0 || (!previous && accepted.length >= MAX_ACCEPTED)) return null;
    const before = previous ? minus(previous.signed, previous.raw) : { importWh: 0n, exportWh: 0n };
    return REGISTER_KEYS.every((key) => before[key] === offsets[key]) ? null : before;
  }
}
