import { type Clock, sleep } from '@gridtokenx/runtime/core';
import type { ReadFunction, ReadRequest } from '../bus/frames.js';
import { type Framing, type Judgement, RtuFraming, TcpFraming } from '../bus/framing.js';
import type { LineSpeed } from '../bus/line.js';
import { NoAnswer, Port } from '../bus/port.js';
import type { Line } from '../bus/ports.js';
import { LineGone } from '../bus/ports.js';
import type { ReplyQuarantine } from '../bus/reply-quarantine.js';
import type { BusStats } from '../bus/stats.js';
import type { Setting } from './settings.js';

/** Outcome of a question. */
export type Heard =
  | { readonly what: 'answer'; readonly data: Uint8Array; readonly waitedMs: number }
  | { readonly what: 'exception'; readonly code: number; readonly waitedMs: number }
  /** Nothing at all, or nothing that belongs to the question. */
  | { readonly what: 'silence' }
  /** Something that is no frame. */
  | { readonly what: 'damaged'; readonly isEndless: boolean }
  | { readonly what: 'foreign' };

/** Who spoke without being asked at that moment. */
export interface Spoken {
  readonly unit: number;
  readonly fn: number;
  readonly how: 'late' | 'foreign';
}

/** A framing that remembers who spoke out of turn: a late answer is worth nothing as a value, but a unit is there. */
export class RecordingFramer implements Framing {
  readonly #inner: Framing;
  readonly #unitAt: number;
  #spoken: Spoken[] = [];

  /** `unitAt`: where the unit stands in a message: 0 in RTU frames, 6 behind the header of Modbus TCP. */
  constructor(inner: Framing, unitAt: 0 | 6) {
    this.#inner = inner;
    this.#unitAt = unitAt;
  }

  begin(ask: ReadRequest, frame: Uint8Array, nowMs: number): Uint8Array {
    return this.#inner.begin(ask, frame, nowMs);
  }
  judge(input: Uint8Array, ask: ReadRequest | null, nowMs: number): Judgement {
    const judged = this.#inner.judge(input, ask, nowMs);
    const [unit, fn] = [input[this.#unitAt] ?? 0, (input[this.#unitAt + 1] ?? 0) & 0x7f];
    if (judged.what === 'foreign') this.#spoken.push({ unit, fn, how: 'foreign' });
    // Repeats are of units that answered.
    if (judged.what === 'skip' && judged.count === 'late') this.#spoken.push({ unit, fn, how: 'late' });
    return judged;
  }
  end(ask: ReadRequest, nowMs: number): void {
    this.#inner.end(ask, nowMs);
  }
  reset(): void {
    this.#inner.reset();
  }

  /** Who spoke since this was last asked. */
  drain(): Spoken[] {
    const spoken = this.#spoken;
    this.#spoken = [];
    return spoken;
  }
}

/**
 * Builds the framing of a line that remembers who spoke out of turn. `firstId`: the first transaction on Modbus TCP;
 * `anyUnits`: units that answer there under another unit.
 */
export function framerOf(
  setting: Setting,
  quarantine: ReplyQuarantine,
  firstId: number,
  anyUnits?: ReadonlySet<number>,
): RecordingFramer {
  return setting.transport === 'tcp'
    ? new RecordingFramer(new TcpFraming(quarantine, true, firstId, anyUnits), 6)
    : new RecordingFramer(new RtuFraming(quarantine), 0);
}

export interface ProberOptions {
  readonly line: Line;
  readonly speed: LineSpeed;
  readonly framing: RecordingFramer;
  /** One for the whole scan: an answer may come late at another setting too. */
  readonly quarantine: ReplyQuarantine;
  readonly stats: BusStats;
  readonly clock: Clock;
}

const LOOK_MS = 20;
/** Beside the data: request 8, answer 5. */
const FRAME_CHARS = 13;

/**
 * One open line of a scan: the bus's own port and reply quarantine, without its queue and health, since every unit is a
 * stranger. What a late answer is, and that it belongs to no other question, is decided by these.
 */
export class Prober {
  readonly #options: ProberOptions;
  readonly #port: Port;

  constructor(options: ProberOptions) {
    this.#options = options;
    const { line, speed, framing, clock, stats } = options;
    this.#port = new Port({ line, speed, framing, clock, stats, onSecondMaster: () => {} });
  }

  /** Returns the instant from which this shape may be requested, monotonic ms; at most now when it may be sent now. */
  freeAt(unit: number, fn: ReadFunction, count: number): number {
    return this.#options.quarantine.freeAt(unit, fn, 2 * count, this.#options.clock.monotonicMs());
  }

  /**
   * Asks a unit when the shape is free, and waits `waitMs` from the request's last character to the answer's first.
   * Throws `LineGone`.
   */
  async ask(ask: ReadRequest, waitMs: number): Promise<Heard> {
    const { quarantine, clock, speed } = this.#options;
    const { unit, fn, count } = ask;
    const bytes = 2 * count;
    // Timers come a little early at times, and a shape is not sent a millisecond before it is free.
    for (;;) {
      const heldMs = quarantine.freeAt(unit, fn, bytes, clock.monotonicMs()) - clock.monotonicMs();
      if (heldMs <= 0) break;
      await sleep(clock, heldMs);
    }
    const startAtMs = clock.monotonicMs();
    quarantine.onRequest(unit, fn, bytes, startAtMs, waitMs + (FRAME_CHARS + bytes) * speed.charMs);
    try {
      // The port adds the time of the answer's characters. Here the wait ends at the first character; the port waits
      // for the rest.
      const answer = await this.#port.exchange(ask, waitMs - (5 + bytes) * speed.charMs, null);
      const { frame, isException, waitedMs } = answer;
      const now = clock.monotonicMs();
      if (isException) quarantine.onException(unit, fn, bytes, now);
      else quarantine.onReply(unit, fn, bytes, now);
      if (isException) return { what: 'exception', code: frame[2] ?? 0, waitedMs };
      return { what: 'answer', data: frame.slice(3, 3 + bytes), waitedMs };
    } catch (error) {
      quarantine.onTimeout(unit, fn, bytes, clock.monotonicMs());
      return heardOf(error);
    }
  }

  /** Only listens. Throws `LineGone` when the line is found gone by the next question, not here. */
  async listen(ms: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const endAtMs = clock.monotonicMs() + ms;
    while (clock.monotonicMs() < endAtMs && !signal.aborted) {
      this.#port.listen();
      await sleep(clock, Math.min(LOOK_MS, Math.max(1, endAtMs - clock.monotonicMs())));
    }
    this.#port.listen();
  }
}

function heardOf(error: unknown): Heard {
  if (!(error instanceof NoAnswer)) throw error;
  switch (error.reason) {
    case 'timeout':
      return { what: 'silence' };
    case 'damaged':
      return { what: 'damaged', isEndless: /never silent/.test(error.message) };
    case 'foreign':
      return { what: 'foreign' };
    case 'violation':
    case 'gone':
      throw new LineGone(error.message, { cause: error });
  }
}
