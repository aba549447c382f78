import type { Clock } from '@gridtokenx/runtime/core';
import { type ReadRequest, replyLength, requestFrame } from './frames.js';
import type { Framing } from './framing.js';
import type { LineSpeed } from './line.js';
import { type Line, LineGone } from './ports.js';
import type { BusStats } from './stats.js';

/** Reason why a request brought no answer. */
export type NoAnswerReason = 'timeout' | 'damaged' | 'foreign' | 'violation' | 'gone';

/** Reports a request without an answer; the answer may still come. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
  readonly reason: NoAnswerReason;
  constructor(reason: NoAnswerReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

export interface Answer {
  /** The reply or exception as it stands on a serial line, CRC included. */
  readonly frame: Uint8Array;
  readonly isException: boolean;
  /** Time from the request's last character to the reply's first, ms; at least 0. */
  readonly waitedMs: number;
}

export interface PortOptions {
  readonly line: Line;
  readonly speed: LineSpeed;
  readonly framing: Framing;
  readonly clock: Clock;
  readonly stats: BusStats;
  /** Called when a second master was heard. */
  readonly onSecondMaster: () => void;
  /** Called when the line is found gone while no request is in flight. */
  readonly onGone?: () => void;
}

/** Intervals between reads of a line that cannot report arrivals, ms; they grow from the first to the last. */
const INITIAL_LOOK_MS = 2;
const LAST_LOOK_MS = 10;
/** A line without a silence for this long carries only noise, ms. */
const NEVER_SILENT_MS = 2_000;
const SECOND_MASTER = 'a second master speaks on this line';

/**
 * Sends requests on one open line, one at a time, and finds each answer among everything else that arrives. The caller
 * keeps the reply quarantine.
 */
export class Port {
  readonly #options: PortOptions;
  #input: Uint8Array = new Uint8Array(0);
  #lastByteAtMs = Number.NEGATIVE_INFINITY;
  /** Set after a bad frame: everything is dropped until the line is silent. */
  #discarding = false;
  #isBusy = false;
  #arrived: (() => void) | null = null;
  /** Set by arriving bytes, cleared by `heard()`. */
  #heard = false;
  #isForeign = false;

  constructor(options: PortOptions) {
    this.#options = options;
    options.framing.reset();
    options.line.onArrival(() => {
      if (this.#arrived) this.#arrived();
      else if (!this.#isBusy) this.#options.clock.after(0, () => this.listen());
    });
  }

  /** Returns the instant of the last byte on this line, monotonic ms; -Infinity before the first. */
  get lastByteAtMs(): number {
    return this.#lastByteAtMs;
  }

  /** Returns true when bytes arrived since the last call. */
  heard(): boolean {
    const heard = this.#heard;
    this.#heard = false;
    return heard;
  }

  /** Reads what arrived between requests. A fault of the line is for `onGone`; the next request reports it, too. */
  listen(): void {
    if (this.#isBusy) return;
    try {
      const isNew = this.#drain();
      this.#consume(null);
      if (!isNew && this.#options.clock.monotonicMs() >= this.#lastByteAtMs + this.#options.speed.silenceMs)
        this.#endOfFrame();
    } catch (error) {
      if (error instanceof LineGone) this.#options.onGone?.();
      else if (!(error instanceof NoAnswer)) throw error;
    }
  }

  /**
   * Sends a request and waits `timeoutMs` from its last character on, plus the time of the reply's characters.
   * `expectedMs`: the unit's usual turnaround, or null. Rejects with `NoAnswer`.
   */
  async exchange(ask: ReadRequest, timeoutMs: number, expectedMs: number | null): Promise<Answer> {
    this.#isBusy = true;
    this.#isForeign = false;
    try {
      await this.#silence();
      if (this.#isForeign) throw new NoAnswer('foreign', SECOND_MASTER);
      return await this.#ask(ask, timeoutMs, expectedMs);
    } catch (error) {
      if (error instanceof LineGone) throw new NoAnswer('gone', error.message);
      throw error;
    } finally {
      this.#isBusy = false;
    }
  }

  /** Drains the line, the operating system's buffer included, and waits for silence. */
  async #silence(): Promise<void> {
    const { clock, speed } = this.#options;
    const endAtMs = clock.monotonicMs() + NEVER_SILENT_MS;
    for (;;) {
      this.#drain();
      this.#consume(null);
      const now = clock.monotonicMs();
      const unfinished = this.#discarding || this.#input.length > 0;
      const silentMs = this.#lastByteAtMs + (unfinished ? speed.silenceMs : 3.5 * speed.charMs);
      if (now >= silentMs) break;
      if (now > endAtMs) throw new NoAnswer('damaged', 'the line is never silent');
      await this.#wait(silentMs - now);
    }
    this.#endOfFrame();
  }

  async #ask(ask: ReadRequest, timeoutMs: number, expectedMs: number | null): Promise<Answer> {
    const { line, speed, framing, clock, stats } = this.#options;
    const { charMs, silenceMs } = speed;
    const bytes = framing.begin(ask, requestFrame(ask), clock.monotonicMs());
    try {
      stats.add('requests');
      await line.write(bytes);
      const sentAtMs = clock.monotonicMs() + bytes.length * charMs;
      const length = replyLength(ask.count);
      const deadlineAtMs = sentAtMs + length * charMs + timeoutMs;
      // Reads a little early: the remaining time is then exact, and an extra read costs less than a late one.
      let lookMs = sentAtMs + 0.9 * (expectedMs ?? 0) + (expectedMs === null ? 5 : Math.max(0, length - 4)) * charMs;
      let step = INITIAL_LOOK_MS;
      for (;;) {
        this.#drain();
        const answer = this.#consume(ask);
        const now = clock.monotonicMs();
        if (answer) return { ...answer, waitedMs: Math.max(0, now - sentAtMs - length * charMs) };
        const isUnfinished = this.#discarding || this.#input.length > 0;
        const silentMs = this.#lastByteAtMs + silenceMs;
        if (isUnfinished && now >= silentMs) {
          this.#endOfFrame();
          throw new NoAnswer('damaged', 'a damaged answer');
        }
        if (!isUnfinished && now >= deadlineAtMs) throw new NoAnswer('timeout', 'no answer in time');
        if (now > deadlineAtMs + NEVER_SILENT_MS) throw new NoAnswer('damaged', 'the line is never silent');
        if (this.#input.length > 0) lookMs = now + Math.max(1, (length - this.#input.length) * charMs);
        else if (lookMs <= now) {
          lookMs = now + step;
          step = Math.min(LAST_LOOK_MS, step * 1.5);
        }
        const untilMs = isUnfinished ? Math.min(lookMs, silentMs) : Math.min(lookMs, deadlineAtMs);
        await this.#wait(untilMs - now);
      }
    } finally {
      framing.end(ask, clock.monotonicMs());
    }
  }

  /** Reads the line into the input; false when nothing was there. */
  #drain(): boolean {
    const bytes = this.#options.line.read();
    if (bytes.length === 0) return false;
    this.#lastByteAtMs = this.#options.clock.monotonicMs();
    this.#heard = true;
    if (this.#discarding) return true;
    if (this.#input.length === 0) this.#input = bytes;
    else {
      const joined = new Uint8Array(this.#input.length + bytes.length);
      joined.set(this.#input);
      joined.set(bytes, this.#input.length);
      this.#input = joined;
    }
    return true;
  }

  /**
   * Judges the frames in the input. Returns the answer, or null while there is none; throws `NoAnswer` when the request
   * ends without one.
   */
  #consume(ask: ReadRequest | null): Pick<Answer, 'frame' | 'isException'> | null {
    const { framing, clock, stats, onSecondMaster } = this.#options;
    const now = clock.monotonicMs();
    while (this.#input.length > 0) {
      const found = framing.judge(this.#input, ask, now);
      switch (found.what) {
        case 'more':
          return null;
        case 'damaged':
          this.#drop();
          this.#discarding = true;
          return null;
        case 'violation':
          stats.add('violations');
          throw new NoAnswer('violation', found.why);
        case 'foreign':
          stats.add('foreign');
          this.#input = this.#input.subarray(found.length);
          this.#isForeign = true;
          onSecondMaster();
          if (ask) throw new NoAnswer('foreign', SECOND_MASTER);
          break;
        case 'skip':
          stats.add(found.count);
          this.#input = this.#input.subarray(found.length);
          break;
        case 'answer':
        case 'exception':
          this.#input = this.#input.subarray(found.length);
          stats.add(found.what === 'answer' ? 'answers' : 'exceptions');
          return { frame: found.frame, isException: found.what === 'exception' };
      }
    }
    return null;
  }

  /** Ends the frame after a silence: drops an unfinished frame; the next byte begins a new one. */
  #endOfFrame(): void {
    if (this.#input.length > 0) this.#drop();
    this.#discarding = false;
  }

  #drop(): void {
    this.#options.stats.add('damaged');
    this.#input = new Uint8Array(0);
  }

  /** Waits for `delayMs`, or until something arrives. */
  #wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        this.#arrived = null;
        resolve();
      };
      const cancel = this.#options.clock.after(Math.max(0, delayMs), end);
      this.#arrived = end;
    });
  }
}
