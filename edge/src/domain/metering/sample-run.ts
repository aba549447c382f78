import type { MeterSample } from '../ports.js';
import {
  larger,
  mostEnergyWh,
  REGISTER_KEYS,
  type RegisterLimits,
  type RegisterWh,
  type RegisterWhKey,
} from './registers.js';

/** The parts of a sample that the judge compares; registers count offsets and roll-overs. */
export type JudgedSample = Pick<MeterSample, 'timeMs' | 'uncertaintyMs' | 'steadyMs' | 'resolutionWh' | 'against'> &
  RegisterWh & {
    /** Says that power and energy contradict each other; null while they do not. */
    readonly contradiction: string | null;
  };

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
    this.#newest = { ...sample, ...higher(sample, this.#newest) };
  }
}

function higher(a: RegisterWh, b: RegisterWh): RegisterWh {
  return {
    importWh: larger(a.importWh, b.importWh),
    exportWh: larger(a.exportWh, b.exportWh),
  };
}
