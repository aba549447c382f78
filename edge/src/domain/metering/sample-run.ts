import type { RegisterPair } from '@gridtokenx/protocol';
import { larger } from '@gridtokenx/runtime/core';
import type { MeterSample } from '../ports.js';
import { mostEnergyWh, REGISTER_KEYS, type RegisterLimits, type RegisterWhKey, registersBy } from './registers.js';

/** The parts of a sample that the judge compares; registers count offsets and roll-overs. */
export type JudgedSample = Pick<MeterSample, 'timeMs' | 'uncertaintyMs' | 'steadyMs' | 'resolutionWh' | 'against'> &
  RegisterPair & {
    /** Says that power and energy contradict each other; null while they do not. */
    readonly contradiction: string | null;
  };

/** Steady time between two samples of which the later confirms the earlier, ms. */
const CONFIRM_MS = 10_000;

/** A run of samples in which each goes on from the one before, as a working meter's do. */
export class SampleRun {
  readonly #first: JudgedSample;
  readonly #spreadMs: number;
  #newest: JudgedSample;
  #countedAtMs: number;
  /** Samples in the run. */
  samples = 1;
  /** Samples that lie `spreadMs` or more apart. */
  polls = 1;
  /** Samples in which a register rose. */
  readonly rises: Record<RegisterWhKey, number> = { importWh: 0, exportWh: 0 };

  /**
   * Returns the run that `sample` belongs to: `run` with the sample, or a new run where the sample does not go on from it.
   * `stepWh`: Wh by which rounding may move a register.
   */
  static follow(
    run: SampleRun | null,
    sample: JudgedSample,
    { limits, stepWh, spreadMs = 0 }: { limits: RegisterLimits; stepWh: bigint; spreadMs?: number },
  ): SampleRun {
    if (!run?.goesOn(sample, limits, stepWh)) return new SampleRun(sample, spreadMs);
    run.add(sample);
    return run;
  }

  /** `spreadMs`: steady time between two samples that count as polls, ms. */
  constructor(first: JudgedSample, spreadMs: number) {
    this.#first = first;
    this.#newest = first;
    this.#spreadMs = spreadMs;
    this.#countedAtMs = first.steadyMs;
  }

  get newest(): JudgedSample {
    return this.#newest;
  }

  /** Steady time from the first sample to the newest, ms. */
  get lastedMs(): number {
    return this.#newest.steadyMs - this.#first.steadyMs;
  }

  /** True once a later sample confirmed an earlier one. */
  get isConfirmed(): boolean {
    return this.samples >= 2 && this.lastedMs >= CONFIRM_MS;
  }

  /** Returns true when the connection can have carried the energy from the newest sample to this one. */
  goesOn(sample: JudgedSample, limits: RegisterLimits, stepWh: bigint): boolean {
    const ms = sample.steadyMs - this.#newest.steadyMs;
    return REGISTER_KEYS.every((key) => {
      const rise = sample[key] - this.#newest[key];
      return rise >= -stepWh && rise <= mostEnergyWh(key, limits, ms) + stepWh;
    });
  }

  add(sample: JudgedSample): void {
    this.samples++;
    for (const key of REGISTER_KEYS) if (sample[key] > this.#newest[key]) this.rises[key]++;
    if (sample.steadyMs - this.#countedAtMs >= this.#spreadMs) {
      this.polls++;
      this.#countedAtMs = sample.steadyMs;
    }
    const before = this.#newest;
    this.#newest = { ...sample, ...registersBy((key) => larger(sample[key], before[key])) };
  }
}
