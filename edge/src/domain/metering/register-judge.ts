import { formatKwh, type RegisterPair, WINDOW_MS } from '@gridtokenx/protocol';
import { larger, smaller } from '@gridtokenx/runtime/core';
import {
  knownTimeMs,
  longestMs,
  mostEnergyWh,
  REGISTER_KEYS,
  type RegisterLimits,
  type RegisterWhKey,
  registersBy,
  type TimedRegisters,
} from './registers.js';
import { type JudgedSample, SampleRun } from './sample-run.js';

/** Names why the registers of a meter are not believed. */
export type DoubtReason = 'fell' | 'rose' | 'no value' | 'probe';

/** A doubt, with its words for a person. */
export interface Doubt {
  readonly reason: DoubtReason;
  readonly words: string;
}

/**
 * `good`: signed, with these registers. `unproven`: a second value must confirm it; words where that takes long. `doubtful`: not signed. `broken`: a
 * discontinuity, signed with bit 3.
 */
export type Verdict =
  | ({ readonly kind: 'good' } & RegisterPair)
  | { readonly kind: 'unproven'; readonly words: string | null }
  | { readonly kind: 'doubtful'; readonly words: string }
  | { readonly kind: 'broken' };

export interface RegisterJudgeOptions {
  readonly limits: RegisterLimits;
  /** Null: the meter was never read, so the first registers are good. */
  readonly last: TimedRegisters | null;
  readonly isBroken: boolean;
  /** A doubt of an earlier run that has not ended. */
  readonly doubt: DoubtReason | null;
  /** Poll period, ms of the reading clock. */
  readonly pollMs: number;
  /** Windows for which a fall lasts before it is a discontinuity; default 2. */
  readonly fallWindows?: number | undefined;
}

/** A rise over a longer silence needs a second value, ms: three polls or five minutes, the longer of both. */
const NEAR_MS = 300_000;
const NEAR_POLLS = 3;
const FALL_WINDOWS = 2;
/** Polls, spread over the time of a fall, that make a discontinuity, and rises among them. */
const FALL_POLLS = 8;
const FALL_RISES = 3;
/** Counted polls lie at least this part of the fall's least time apart. */
const SPREAD = 16;

/**
 * Judges each sample of one meter against its last good registers [gateway §7.2]. A fall is a suspicion; only a fall
 * that lasts is a discontinuity. A register that comes back ends either. Pure: no clock, no disk.
 */
export class RegisterJudge {
  readonly #options: RegisterJudgeOptions;
  readonly #lastingMs: number;
  #last: TimedRegisters | null;
  /** Registers from which the bound of a rise counts: steps of the resolution do not add up over polls. */
  #base: RegisterPair | null;
  /** The coarsest resolution of good registers in this run, Wh; null before the first ones. */
  #coarsestWh: bigint | null = null;
  #doubt: Doubt | null;
  #isBroken: boolean;
  /** True while the meter that answers has another serial number: nothing of it goes on. */
  #isForeign = false;
  /** False until the probe held, in this run and after each silence or doubt. */
  #isProbed = false;
  /** Samples in a row that go on from one another and are not good; null while all is well. */
  #run: SampleRun | null = null;
  /** Registers that jumped far above the bound: values that go on from them need time. */
  #jumped: Partial<Record<RegisterWhKey, bigint>> = {};

  constructor(options: RegisterJudgeOptions) {
    this.#options = options;
    this.#lastingMs = (options.fallWindows ?? FALL_WINDOWS) * WINDOW_MS;
    this.#last = options.last;
    this.#base = options.last;
    this.#isBroken = options.isBroken;
    const words = 'its registers were in doubt before the start';
    this.#doubt = options.doubt && { reason: options.doubt, words };
  }

  get last(): TimedRegisters | null {
    return this.#last;
  }
  get doubt(): Doubt | null {
    return this.#doubt;
  }
  get isBroken(): boolean {
    return this.#isBroken;
  }
  get isForeign(): boolean {
    return this.#isForeign;
  }

  /** Records that the meter was silent: its probe must hold again. */
  silent(): void {
    this.#isProbed = false;
  }

  /** Begins a discontinuity: a fall has lasted. */
  #break(): void {
    this.#isBroken = true;
    this.#doubt = null;
  }

  /** Records that another meter answers, or (false) that the meter is the same again. */
  foreign(isForeign: boolean): void {
    this.#isForeign = isForeign;
    if (isForeign) this.#break();
  }

  /** Records a read whose energy registers hold no value. */
  noValue(words: string): Verdict {
    return this.#doubtful('no value', words);
  }

  judge(sample: JudgedSample): Verdict {
    const against = this.#isProbed ? [] : sample.against;
    const reasons = sample.contradiction === null ? against : [...against, sample.contradiction];
    if (reasons.length > 0) return this.#doubtful('probe', `does not look like its profile: ${reasons.join('; ')}`);
    this.#isProbed = true;
    if (this.#isForeign) {
      this.#follow(sample);
      return { kind: 'broken' };
    }
    const last = this.#last;
    if (!last) return this.#good(sample, null);
    const ms = longestMs(last, sample);
    if (REGISTER_KEYS.some((key) => this.#isBelow(sample, last, key))) return this.#fell(sample, last);
    if (ms !== null && !this.#isWithin(sample, ms)) return this.#rose(sample, last, ms);
    const nearMs = Math.max(NEAR_MS, NEAR_POLLS * this.#options.pollMs);
    const isNear = this.#isWithin(sample, Math.min(ms ?? nearMs, nearMs));
    const isJump = this.#goesOnFromJump(sample);
    if (isNear && ms !== null && !isJump) return this.#good(sample, ms);
    // Without a known time there is no bound, so a far value must last as long as a fall would.
    const mustLast = isJump || (ms === null && !isNear);
    if (this.#isConfirmed(sample, mustLast)) return this.#good(sample, ms);
    const minutes = Math.ceil(this.#lastingMs / 60_000);
    const words = `its registers are far above the last good ones (${pairText(last)} to ${pairText(sample)}): the gateway signs them when they have gone on for ${minutes} minutes`;
    return { kind: 'unproven', words: mustLast ? words : null };
  }

  /** True while a person may accept the registers. */
  get #isStuck(): boolean {
    return this.#isBroken || this.#doubt?.reason === 'fell' || this.#doubt?.reason === 'rose';
  }

  /** True while a person may accept the registers, and the gateway has not read them twice. */
  get isUnread(): boolean {
    return this.#isStuck && (this.#run?.samples ?? 0) < 2;
  }

  /**
   * Accepts registers that do not go on, because a person says so. Returns the change of each offset, after which the
   * meter counts on from the last good registers, and the registers before the change. Returns words where there is
   * nothing to accept.
   */
  accept(): { readonly change: RegisterPair; readonly counted: RegisterPair } | string {
    const [last, run] = [this.#last, this.#run];
    if (!this.#isStuck || !last) return 'its registers go on from the last good ones: there is nothing to accept';
    if (!run || run.samples < 2) return 'the gateway has not read it twice with registers that go on: try again';
    const { newest } = run;
    const ms = longestMs(last, newest);
    const change = registersBy((key) => {
      const isFine = ms !== null && !this.#isBelow(newest, last, key) && this.#isWithinOne(newest, key, ms);
      return isFine ? 0n : last[key] - newest[key];
    });
    const registers = registersBy((key) => larger(newest[key] + change[key], last[key]));
    this.#last = { ...registers, ...momentOf(newest) };
    this.#base = registers;
    this.#settle();
    return { change, counted: registersBy((key) => newest[key]) };
  }

  /** Returns two steps of the coarsest resolution seen, Wh: a register may lie so far below the last good one. */
  #fallWh({ resolutionWh }: JudgedSample): bigint {
    const coarsest = larger(this.#coarsestWh ?? 1n, resolutionWh);
    return larger(BigInt(Math.ceil(this.#options.limits.stepWh)), 2n * coarsest);
  }

  /**
   * Returns the Wh by which rounding alone may raise a register: two steps of good registers, and half a step of a
   * coarser resolution. A wrong scale factor coarsens value and resolution alike, and must not excuse itself.
   */
  #riseWh({ resolutionWh }: JudgedSample): bigint {
    const known = this.#coarsestWh ?? resolutionWh;
    return 2n * known + (resolutionWh > known ? (resolutionWh + 1n) / 2n : 0n);
  }

  #isBelow(now: JudgedSample, last: RegisterPair, key: RegisterWhKey): boolean {
    return now[key] < last[key] - this.#fallWh(now);
  }

  #isWithinOne(now: JudgedSample, key: RegisterWhKey, ms: number): boolean {
    const base = this.#base ?? now;
    return now[key] <= base[key] + mostEnergyWh(key, this.#options.limits, ms) + this.#riseWh(now);
  }

  #isWithin(now: JudgedSample, ms: number): boolean {
    return REGISTER_KEYS.every((key) => this.#isWithinOne(now, key, ms));
  }

  #good(sample: JudgedSample, ms: number | null): Verdict {
    const last = this.#last;
    const registers = registersBy((key) => (last ? larger(last[key], sample[key]) : sample[key]));
    const base = this.#base;
    this.#base = registersBy((key) => {
      if (!base || ms === null) return registers[key];
      return smaller(base[key] + mostEnergyWh(key, this.#options.limits, ms), registers[key]);
    });
    this.#last = { ...registers, ...momentOf(sample) };
    // Registers at 0 have no scale, so they show no resolution.
    if (REGISTER_KEYS.some((key) => sample[key] > 0n))
      this.#coarsestWh = larger(this.#coarsestWh ?? 1n, sample.resolutionWh);
    this.#settle();
    return { kind: 'good', ...registers };
  }

  #settle(): void {
    this.#doubt = null;
    this.#isBroken = false;
    this.#isForeign = false;
    this.#run = null;
    this.#jumped = {};
  }

  #doubtful(reason: DoubtReason, words: string): Verdict {
    const isLasting = this.#isBroken;
    if (isLasting && (reason === 'fell' || reason === 'rose')) return { kind: 'broken' };
    if (!isLasting && this.#doubt === null) this.#isProbed = false;
    if (!isLasting) this.#doubt = { reason, words };
    return { kind: 'doubtful', words };
  }

  #fell(sample: JudgedSample, last: TimedRegisters): Verdict {
    const run = this.#follow(sample);
    const rises = Math.max(...REGISTER_KEYS.map((key) => (this.#isBelow(sample, last, key) ? run.rises[key] : 0)));
    const hasLasted = run.lastedMs >= this.#lastingMs && run.polls >= FALL_POLLS && rises >= FALL_RISES;
    if (hasLasted) this.#break();
    return this.#doubtful('fell', `its registers fell (${pairText(last)} to ${pairText(sample)})`);
  }

  #rose(sample: JudgedSample, last: TimedRegisters, ms: number): Verdict {
    this.#follow(sample);
    const { limits } = this.#options;
    for (const key of REGISTER_KEYS) {
      const base = this.#base ?? last;
      const most = 2n * (mostEnergyWh(key, limits, ms) + this.#riseWh(sample));
      const before = this.#jumped[key];
      if (sample[key] - base[key] > most && (before === undefined || sample[key] < before))
        this.#jumped[key] = sample[key];
    }
    return this.#doubtful(
      'rose',
      `its registers rose faster than the connection allows (${pairText(last)} to ${pairText(sample)})`,
    );
  }

  /** Adds a sample to the run of those that go on from one another, or begins a new run. */
  #follow(sample: JudgedSample): SampleRun {
    const { limits } = this.#options;
    const rules = { limits, stepWh: this.#fallWh(sample), spreadMs: this.#lastingMs / SPREAD };
    this.#run = SampleRun.follow(this.#run, sample, rules);
    return this.#run;
  }

  /** Returns true for a value that a later one confirmed: the sample goes on from an earlier one in its run. */
  #isConfirmed(sample: JudgedSample, mustLast: boolean): boolean {
    const run = this.#follow(sample);
    if (mustLast) return run.lastedMs >= this.#lastingMs && run.polls >= FALL_POLLS;
    return run.isConfirmed;
  }

  #goesOnFromJump(sample: JudgedSample): boolean {
    return REGISTER_KEYS.some((key) => {
      const jumped = this.#jumped[key];
      return jumped !== undefined && sample[key] >= jumped - this.#fallWh(sample);
    });
  }
}

/** The time of a sample as a moment of this run. */
function momentOf(sample: JudgedSample) {
  const { steadyMs, uncertaintyMs } = sample;
  return { timeMs: knownTimeMs(sample), uncertaintyMs: uncertaintyMs ?? 0, steadyMs };
}

export const pairText = ({ importWh, exportWh }: RegisterPair) => `${signedKwh(importWh)}/${signedKwh(exportWh)} kWh`;

/** An offset can show a register of a meter below 0. */
const signedKwh = (wh: bigint) => (wh < 0n ? `-${formatKwh(-wh)}` : formatKwh(wh));
