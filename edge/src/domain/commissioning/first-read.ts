import { formatKwh } from '@gridtokenx/protocol';
import { type Clock, sleep } from '@gridtokenx/runtime/core';
import { REGISTER_KEYS, type RegisterLimits } from '../metering/registers.js';
import { SampleRun } from '../metering/sample-run.js';
import { type MeterReader, type MeterSample, ReadError, ReadFailure } from '../ports.js';

/** Samples that go on from one another before an enrolment is signed, and real time between two of them, ms. */
const SAMPLES = 3;
const SPREAD_MS = 1_000;
/** Reads without a usable value, and failed probes, after which a person must act. */
const MAX_FAILURES = 20;
const MAX_PROBE_FAILURES = 3;
const RETRY_MS = 500;
/** Longest rest of a shared line after a start, ms: 12 times the first time-out of up to 30 s, and a margin. */
const REST_MS = 400_000;
/** Power above which counters at 0 need a person's word, W. */
const POWER_W = 50;

export interface FirstReadOptions {
  readonly reader: MeterReader;
  /** Resolves with the failed checks of the profile's probe; undefined where the meter lists its own registers. */
  readonly checkProbe: (() => Promise<readonly string[]>) | undefined;
  readonly limits: RegisterLimits;
  readonly clock: Clock;
  /** Called for each read, for progress: what is known so far. */
  readonly progress: (words: string) => void;
}

/** The outcome of a first read. `question`: a person must confirm it; null when nothing is odd. */
export interface FirstRead {
  readonly sample: MeterSample;
  readonly question: string | null;
}

/** Reports a meter whose first registers cannot be believed. */
export class FirstReadError extends Error {
  override readonly name = 'FirstReadError';
}

/**
 * Reads a meter until its probe holds and three samples go on from one another: the enrolment's registers bound all later
 * ones [gateway §7.2]. Throws `FirstReadError` when the meter does not become readable.
 */
export async function firstRead(options: FirstReadOptions): Promise<FirstRead> {
  const { clock, progress, reader, checkProbe, limits } = options;
  const patience = new Patience(options);
  // Apart from the samples: on a line with few reply shapes both together could rest for ever.
  while (checkProbe) {
    const against = await patience.attempt(checkProbe);
    if (against) patience.probed(against);
    if (against?.length === 0) break;
    if (against) await sleep(clock, SPREAD_MS);
  }
  let run: SampleRun | null = null;
  for (;;) {
    const sample = await patience.attempt(() => reader.read());
    if (!sample) {
      if (patience.hasNoValue) run = null;
      continue;
    }
    patience.probed(sample.against);
    run = sample.against.length > 0 ? null : follow(run, sample, limits);
    const read = run ? `read ${run.samples} of ${SAMPLES}` : 'its values are not those of its profile';
    progress(`${formatKwh(sample.importWh)}/${formatKwh(sample.exportWh)} kWh, ${read}`);
    if (run && run.samples >= SAMPLES) return { sample, question: questionOf(sample) };
    await sleep(clock, SPREAD_MS);
  }
}

/** Repeats reads that fail, up to a bound. */
class Patience {
  readonly #options: FirstReadOptions;
  readonly #endAtMs: number;
  #failures = 0;
  #oddProbes = 0;
  /** True after a read whose energy registers held no value. */
  hasNoValue = false;

  constructor(options: FirstReadOptions) {
    this.#options = options;
    this.#endAtMs = options.clock.monotonicMs() + REST_MS;
  }

  /** Returns the read's result; null after a failure and a pause. Throws `FirstReadError` after too many. */
  async attempt<T>(read: () => Promise<T>): Promise<T | null> {
    const { clock, progress } = this.#options;
    this.hasNoValue = false;
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
      progress(error.message);
      this.hasNoValue = error.failure === ReadFailure.noValue;
      // A bus that only listens after a start sent no request, so this was no attempt.
      if (error.failure !== ReadFailure.resting || clock.monotonicMs() > this.#endAtMs) this.#failures++;
      if (this.#failures === MAX_FAILURES) throw new FirstReadError(`cannot be read: ${error.message}`);
      await sleep(clock, RETRY_MS);
      return null;
    }
  }

  /** Records the failed checks of a probe. Throws `FirstReadError` after three in a row. */
  probed(against: readonly string[]): void {
    this.#oddProbes = against.length > 0 ? this.#oddProbes + 1 : 0;
    if (this.#oddProbes === MAX_PROBE_FAILURES)
      throw new FirstReadError(
        `does not look like its profile: ${against.join('; ')}. Is the profile right? "scan" finds the right one`,
      );
  }
}

function follow(run: SampleRun | null, sample: MeterSample, limits: RegisterLimits): SampleRun {
  return SampleRun.follow(run, { ...sample, contradiction: null }, { limits, stepWh: 2n * sample.resolutionWh });
}

/** Returns what a person must confirm: counters at exactly 0 while power flows may be counters elsewhere. */
function questionOf(sample: MeterSample): string | null {
  const isZero = REGISTER_KEYS.every((key) => sample[key] === 0n);
  const power = Math.abs(sample.powerW ?? 0);
  return isZero && power >= POWER_W
    ? `its counters stand at 0.000/0.000 kWh while it shows ${power} W: a new meter, or one that counts at other registers`
    : null;
}

/** Reads of the serial number before the enrolment goes on without it. */
const MAX_SERIAL_READS = 20;

/**
 * Reads the serial number that the meter shows, so that another meter is noticed from the first poll on. Returns null for
 * a meter that shows none, refuses the register, or does not answer the question.
 */
export async function firstSerial(
  read: (() => Promise<string | null>) | undefined,
  clock: Clock,
): Promise<string | null> {
  for (let reads = 1; read && reads <= MAX_SERIAL_READS; reads++) {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
      if (error.failure === ReadFailure.exception) return null;
      await sleep(clock, RETRY_MS);
    }
  }
  return null;
}
