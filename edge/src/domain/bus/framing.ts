import { frameAt, type ReadRequest, replyLength, startsLike } from './frames.js';
import { mbapAt, toMbap } from './mbap.js';
import type { ReplyQuarantine } from './reply-quarantine.js';
import type { BusCount } from './stats.js';

/** What stands at the start of the input. `length` bytes of it are done with. */
export type Judgement =
  | { readonly what: 'more' }
  /** The answer, or the exception, that is waited for: as a frame with its CRC. */
  | { readonly what: 'answer' | 'exception'; readonly frame: Uint8Array; readonly length: number }
  /** Known, and of no use. */
  | { readonly what: 'skip'; readonly count: BusCount; readonly length: number }
  /** Somebody else speaks on this line. */
  | { readonly what: 'foreign'; readonly length: number }
  /** No frame: everything up to the next silence is worthless. */
  | { readonly what: 'damaged' }
  /** The connection can no longer be trusted. */
  | { readonly what: 'violation'; readonly why: string };

/** How frames stand on a line, and which of them is the answer to `ask` (null: nothing is waited for). */
export interface Framing {
  /** Bytes of a request. */
  begin(ask: ReadRequest, frame: Uint8Array, nowMs: number): Uint8Array;
  judge(input: Uint8Array, ask: ReadRequest | null, nowMs: number): Judgement;
  /** The request is over, however it ended. */
  end(ask: ReadRequest, nowMs: number): void;
  /** A new connection begins with nothing in it. */
  reset(): void;
}

const MORE: Judgement = { what: 'more' };
/** Requests whose echo is known: one that comes late must not be taken for another master's. */
const KNOWN_REQUESTS = 8;

/**
 * RTU frames: unit, function and byte count are all that tells answers apart, so the reply quarantine must be kept
 * [gateway §6.4].
 */
export class RtuFraming implements Framing {
  readonly #quarantine: ReplyQuarantine;
  readonly #requests: Uint8Array[] = [];

  constructor(quarantine: ReplyQuarantine) {
    this.#quarantine = quarantine;
  }

  begin(_ask: ReadRequest, frame: Uint8Array): Uint8Array {
    this.#requests.unshift(frame);
    this.#requests.length = Math.min(this.#requests.length, KNOWN_REQUESTS);
    return frame;
  }

  judge(input: Uint8Array, ask: ReadRequest | null, nowMs: number): Judgement {
    let isBegun = false;
    for (const request of this.#requests) {
      const like = startsLike(input, request);
      if (like === 'all') return { what: 'skip', count: 'echoes', length: request.length };
      isBegun ||= like === 'part' && input.length >= 3;
    }
    const found = frameAt(input, ask);
    if (found === 'incomplete' || (found === 'garbage' && isBegun)) return MORE;
    if (found === 'garbage') return { what: 'damaged' };
    const { length, unit, fn } = found;
    switch (found.type) {
      case 'reply': {
        if (ask && unit === ask.unit && fn === ask.fn && found.bytes === 2 * ask.count)
          return { what: 'answer', frame: input.slice(0, length), length };
        const known = this.#quarantine.classifyUnsolicited(unit, fn, found.bytes, nowMs);
        if (known === 'foreign') return { what: 'foreign', length };
        return { what: 'skip', count: known === 'late' ? 'late' : 'repeats', length };
      }
      case 'exception':
        // It carries no shape: while another answer is outstanding nobody knows which request it belongs to.
        if (ask && unit === ask.unit && fn === ask.fn && this.#quarantine.outstanding(unit, nowMs, fn) === 0)
          return { what: 'exception', frame: input.slice(0, length), length };
        if ((ask?.unit === unit && ask.fn === fn) || this.#quarantine.wasAsked(unit, fn, nowMs))
          return { what: 'skip', count: 'late', length };
        return { what: 'foreign', length };
      case 'request':
        return { what: 'foreign', length };
    }
  }

  end(): void {}
  reset(): void {}
}

const IDS = 65_536;

/** Modbus TCP: answers carry the transaction id of their request [gateway §6.5]. */
export class TcpFraming implements Framing {
  readonly #quarantine: ReplyQuarantine;
  /** Ids in use or used lately, with the time until which they are not used again. */
  readonly #ids = new Map<number, number>();
  readonly #isConverter: boolean;
  #id: number;
  #current = -1;

  /**
   * `isConverter`: serial meters are behind the address, so that exceptions prove nothing while answers are outstanding.
   * `firstId`: where ids begin; after a restart they had better not begin where they did before.
   */
  constructor(quarantine: ReplyQuarantine, isConverter: boolean, firstId: number) {
    this.#quarantine = quarantine;
    this.#isConverter = isConverter;
    this.#id = firstId % IDS;
  }

  begin(_ask: ReadRequest, frame: Uint8Array, nowMs: number): Uint8Array {
    for (const [id, untilMs] of this.#ids) {
      if (untilMs > nowMs) break;
      this.#ids.delete(id);
    }
    // At a thousand requests a second ids come round in 65 s; the oldest are given up before a request is refused.
    do this.#id = (this.#id + 1) % IDS;
    while (this.#ids.has(this.#id) && this.#ids.size < IDS / 2);
    this.#current = this.#id;
    return toMbap(this.#current, frame);
  }

  judge(input: Uint8Array, ask: ReadRequest | null, nowMs: number): Judgement {
    const message = mbapAt(input);
    if (message === 'incomplete') return MORE;
    if (message === 'violation') return { what: 'violation', why: 'a header that is no Modbus TCP' };
    const { transaction, frame, length } = message;
    if (transaction !== this.#current || !ask) {
      const used = this.#ids.get(transaction);
      if (used === undefined)
        return { what: 'violation', why: `an answer to request ${transaction}, which was not sent` };
      return { what: 'skip', count: 'late', length };
    }
    const [unit, code, third] = frame as unknown as [number, number, number];
    if (unit !== ask.unit) return { what: 'violation', why: `unit ${unit} answers for unit ${ask.unit}` };
    if (code === ask.fn + 0x80 && frame.length === 5) {
      if (this.#isConverter && this.#quarantine.outstanding(unit, nowMs, ask.fn) > 0)
        return { what: 'skip', count: 'late', length };
      return { what: 'exception', frame, length };
    }
    if (code !== ask.fn || third !== 2 * ask.count || frame.length !== replyLength(ask.count))
      return { what: 'violation', why: `an answer of another form than the request's (function ${code})` };
    return { what: 'answer', frame, length };
  }

  end(ask: ReadRequest, nowMs: number): void {
    // Behind the others: the map stays sorted by the time as long as quarantines are alike.
    this.#ids.set(this.#current, nowMs + this.#quarantine.quarantineMs(ask.unit));
    this.#current = -1;
  }

  /** On a new connection nothing of the old one can come, but ids stay used: a converter keeps what it was asked. */
  reset(): void {
    this.#current = -1;
  }
}
