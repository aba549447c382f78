import { MAX_U32, SYNCHRONISED_UNCERTAINTY_MS } from '@gridtokenx/protocol';
import { type Clock, ClockSource, type ReadingClock } from '@gridtokenx/runtime/core';
import { type Anchor, agree, errorAt, timeAt } from './anchor.js';
import { ReportSieve } from './report-sieve.js';

/** Slewing moves a clock by far less between two checks: a change of this much is a step, ms. */
const STEP_MS = 1_000;
/** Error of the signed time from which on a narrower statement of NTP that agrees with it is used, ms. */
const STALE_MS = 1_000;
/** Time that the oracles have to answer, from NTP's first statement on, before NTP is believed alone, ms. */
const GRACE_MS = 60_000;
/** A shown time is a whole millisecond. */
const ROUNDING_MS = 1;

/** Sources that keep the machine's clock. */
export type NtpSource = typeof ClockSource.timesyncd | typeof ClockSource.chrony;

/** States that a daemon keeps the machine's clock right. */
export interface NtpReport {
  readonly source: NtpSource;
  /** Changes whenever the daemon has synchronised again. */
  readonly stamp: string;
  /** Time since then by the machine's clock, ms; below 0 where that clock was set back since. */
  readonly ageMs: number;
  /** Bounds the error of the machine's clock at the moment of the report, ms. */
  readonly errorMs: number;
}

/** NTP and the oracles' signed time exclude each other so far that the time is not known. */
export interface Dispute {
  readonly source: NtpSource;
  /** Times that both state for the present, ms since 1970. */
  readonly ntpMs: number;
  readonly signedMs: number;
}

export interface DisciplineOptions {
  /** Returns a moment that the true time is not below, ms since 1970. */
  readonly floorMs: () => number;
  /** True where an oracle can be asked. */
  readonly hasOracles: boolean;
  /** Real ms; see `GRACE_MS`. */
  readonly graceMs?: number;
}

interface Statement extends Anchor {
  /** Widens the stated error after a step of the machine's clock; a new statement has none. */
  readonly doubtMs: number;
}

interface Judged {
  readonly timeMs: number;
  readonly errorMs: number | null;
  readonly source: ClockSource;
  readonly dispute: Dispute | null;
}

/**
 * The gateway's clock: a monotonic anchor and an offset, corrected by its sources. It never sets the machine's clock, and
 * ignores its steps [gateway §10]. Before the first source it shows the floor plus the monotonic time, with an unknown
 * error.
 */
export class DisciplinedClock implements ReadingClock {
  readonly #clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  readonly #options: DisciplineOptions;
  /** The time shown before the first source. */
  readonly #first: Anchor;
  #signed: Statement | null = null;
  #ntp: (Statement & { readonly source: NtpSource }) | null = null;
  /** Monotonic time of NTP's first statement; null before. */
  #ntpSinceMs: number | null = null;
  readonly #sieve = new ReportSieve();
  /** Monotonic time of the last check for a step. */
  #checkedAtMs: number;
  /** The machine's clock against the monotonic clock at the last check. */
  #offsetMs: number;

  constructor(clock: Pick<Clock, 'nowMs' | 'monotonicMs'>, options: DisciplineOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#first = { steadyAtMs: clock.monotonicMs(), timeMs: options.floorMs(), errorMs: 0 };
    this.#offsetMs = this.#offset();
    this.#checkedAtMs = clock.monotonicMs();
  }

  nowMs(): number {
    return Math.floor(this.#judge().timeMs);
  }
  steadyMs(): number {
    return this.#clock.monotonicMs();
  }
  /** Returns null also for an error that the field of a message cannot hold. */
  uncertaintyMs(): number | null {
    const { errorMs } = this.#judge();
    if (errorMs === null) return null;
    const statedMs = Math.ceil(errorMs + ROUNDING_MS);
    return statedMs < MAX_U32 ? statedMs : null;
  }
  source(): ClockSource {
    return this.isKnown ? this.#judge().source : ClockSource.none;
  }
  realDelayUntil(readingMs: number): number {
    return Math.max(0, readingMs - this.#judge().timeMs);
  }
  realTimeOf(readingMs: number): number {
    return this.#clock.nowMs() + (readingMs - this.#judge().timeMs);
  }

  /** True while the error is at most 60 s: only then may a window be chosen, or the floor rise. */
  get isKnown(): boolean {
    const uncertaintyMs = this.uncertaintyMs();
    return uncertaintyMs !== null && uncertaintyMs <= SYNCHRONISED_UNCERTAINTY_MS;
  }
  /** True from the first source on, known or not. */
  get hasSource(): boolean {
    return this.#judge().errorMs !== null;
  }
  /** Returns the earliest moment that the present can be, ms since 1970; null while the time is not known. */
  get earliestMs(): number | null {
    return this.isKnown ? this.nowMs() - (this.uncertaintyMs() ?? 0) : null;
  }
  /**
   * Returns the best guess for sign-in tokens and for certificates of this machine, ms since 1970. Before the first source
   * the machine's clock may have been kept by a battery, so the later of both counts.
   */
  get bestMs(): number {
    return this.hasSource ? this.nowMs() : Math.max(this.#clock.nowMs(), this.nowMs());
  }
  /** Returns what excludes what, where that makes the time unknown; null otherwise. */
  get dispute(): Dispute | null {
    return this.#judge().dispute;
  }
  /** Returns NTP's time where it lies before the floor and no oracle has answered, ms since 1970; null otherwise. */
  get belowFloorMs(): number | null {
    const steadyMs = this.#clock.monotonicMs();
    const ntp = this.#ntp;
    return ntp && !this.#signed && this.#isBelowFloor(ntp, steadyMs) ? timeAt(ntp, steadyMs) : null;
  }

  /**
   * Compares the machine's clock with the monotonic clock. Returns the ms by which it was stepped since the last call; 0 for
   * less than 1 s. A step ends the word of a daemon until it has synchronised again. A machine that slept looks as if its
   * clock was set forward, so a step forward counts as doubt.
   */
  noticeStep(): number {
    const [offsetMs, checkedAtMs] = [this.#offset(), this.#checkedAtMs];
    this.#checkedAtMs = this.#clock.monotonicMs();
    const steppedMs = offsetMs - this.#offsetMs;
    this.#offsetMs = offsetMs;
    if (Math.abs(steppedMs) < STEP_MS) return 0;
    this.#sieve.stepped(steppedMs, checkedAtMs);
    const moreMs = Math.max(0, steppedMs);
    if (this.#signed) this.#signed = { ...this.#signed, doubtMs: this.#signed.doubtMs + moreMs };
    if (this.#ntp) this.#ntp = { ...this.#ntp, doubtMs: this.#ntp.doubtMs + moreMs };
    return steppedMs;
  }

  /** Takes the median of the oracles' signed answers. */
  takeSigned(anchor: Anchor): void {
    this.#signed = this.#better(this.#signed, anchor);
  }

  /** Takes a daemon's report about the machine's clock as it stands; null: no daemon keeps it right. */
  takeNtp(report: NtpReport | null): void {
    if (!report) {
      // Without an oracle the last statement is all there is: its error widens.
      if (this.#signed) this.#ntp = null;
      return;
    }
    const steadyMs = this.#clock.monotonicMs();
    const doubtMs = this.#sieve.doubtOf(report, steadyMs);
    if (doubtMs === null) return;
    const errorMs = report.errorMs + doubtMs;
    const anchor = { steadyAtMs: steadyMs, timeMs: this.#clock.nowMs(), errorMs };
    this.#ntp = { ...this.#better(this.#ntp, anchor), source: report.source };
    this.#ntpSinceMs ??= steadyMs;
    const signed = this.#signed;
    if (!signed || !agree(signed, anchor, steadyMs)) return;
    const worstMs = Math.abs(timeAt(signed, steadyMs) - anchor.timeMs) + anchor.errorMs;
    this.#signed = { ...signed, doubtMs: Math.min(signed.doubtMs, worstMs) };
  }

  /** Keeps the older of two statements of one kind where both can be right and the older is narrower. */
  #better(before: Statement | null, anchor: Anchor): Statement {
    const steadyMs = this.#clock.monotonicMs();
    const isBefore =
      before !== null &&
      agree(before, anchor, steadyMs) &&
      errorAt(before, steadyMs) + before.doubtMs <= errorAt(anchor, steadyMs);
    return isBefore ? before : { ...anchor, doubtMs: 0 };
  }

  #judge(): Judged {
    const steadyMs = this.#clock.monotonicMs();
    const signed = this.#signed;
    const ntp = this.#believedNtp(steadyMs);
    const by = (one: Statement, source: ClockSource): Judged => ({
      timeMs: timeAt(one, steadyMs),
      errorMs: errorAt(one, steadyMs) + one.doubtMs,
      source,
      dispute: null,
    });
    if (!signed && !ntp)
      return { timeMs: timeAt(this.#first, steadyMs), errorMs: null, source: ClockSource.none, dispute: null };
    if (!signed) return by(ntp as Statement, this.#ntp?.source ?? ClockSource.none);
    if (!ntp) return by(signed, ClockSource.oracle);
    if (agree(signed, ntp, steadyMs)) {
      const signedErrorMs = errorAt(signed, steadyMs);
      const isNtp = signedErrorMs > STALE_MS && errorAt(ntp, steadyMs) + ntp.doubtMs < signedErrorMs;
      return isNtp ? by(ntp, ntp.source) : by(signed, ClockSource.oracle);
    }
    return disputed(signed, ntp, steadyMs);
  }

  /** Returns NTP's statement where it may be believed: after an oracle's answer, or when none came in time. */
  #believedNtp(steadyMs: number) {
    const { hasOracles, graceMs = GRACE_MS } = this.#options;
    const ntp = this.#ntp;
    if (!ntp || this.#signed) return ntp;
    if (hasOracles && steadyMs - (this.#ntpSinceMs ?? steadyMs) < graceMs) return null;
    return this.#isBelowFloor(ntp, steadyMs) ? null : ntp;
  }

  #isBelowFloor(ntp: Statement, steadyMs: number): boolean {
    return timeAt(ntp, steadyMs) + errorAt(ntp, steadyMs) + ntp.doubtMs < this.#options.floorMs();
  }

  /** Changes only when the machine's clock is stepped or slewed. */
  #offset(): number {
    return this.#clock.nowMs() - this.#clock.monotonicMs();
  }
}

/** The signed time wins; the error covers both. */
function disputed(signed: Statement, ntp: Statement & { source: NtpSource }, steadyMs: number): Judged {
  const signedMs = timeAt(signed, steadyMs);
  const ntpMs = timeAt(ntp, steadyMs);
  const differMs = Math.abs(signedMs - ntpMs);
  const errorMs = errorAt(signed, steadyMs) + signed.doubtMs + differMs + errorAt(ntp, steadyMs);
  const dispute = errorMs > SYNCHRONISED_UNCERTAINTY_MS ? { source: ntp.source, ntpMs, signedMs } : null;
  return { timeMs: signedMs, errorMs, source: ClockSource.oracle, dispute };
}
