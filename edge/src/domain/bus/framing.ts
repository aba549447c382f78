import { withCrc } from './crc.js';
import { frameAt, type ReadRequest, replyLength, startsLike } from './frames.js';
import { mbapAt, toMbap } from './mbap.js';
import type { ReplyQuarantine } from './reply-quarantine.js';
import type { BusCount } from './stats.js';

/** Verdict on the start of the input, and the `length` in bytes that it consumes. */
export type Judgement =
  | { readonly what: 'more' }
  /** The awaited reply or exception, as a frame with its CRC. */
  | { readonly what: 'answer' | 'exception'; readonly frame: Uint8Array; readonly length: number }
  /** A frame of known origin that is of no use. */
  | { readonly what: 'skip'; readonly count: BusCount; readonly length: number }
  /** A frame of a second master on this line. */
  | { readonly what: 'foreign'; readonly length: number }
  /** No frame: everything up to the next silence is worthless. */
  | { readonly what: 'damaged' }
  /** The peer breaks the protocol, so the connection can no longer be trusted. */
  | { readonly what: 'violation'; readonly why: string };

/** Encodes requests for a line, and finds the reply to `ask` in the input (null: no request is in flight). */
export interface Framing {
  /** Returns the bytes of a request. */
  begin(ask: ReadRequest, frame: Uint8Array, nowMs: number): Uint8Array;
  judge(input: Uint8Array, ask: ReadRequest | null, nowMs: number): Judgement;
  /** Ends the request, however it ended. */
  end(ask: ReadRequest, nowMs: number): void;
  /** Clears the state of one connection; a new one begins with an empty input. */
  reset(): void;
}

const MORE: Judgement = { what: 'more' };
/** Requests whose echo is recognised: a late echo must not count as a second master's request. */
const KNOWN_REQUESTS = 8;

/**
 * Judges RTU frames. Unit, function and byte count alone identify a reply, so requests must respect the reply
 * quarantine [gateway §6.4].
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
        // An exception carries no shape: while another reply is outstanding, its request is unknown.
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

const foreignAnswer = (transaction: number) =>
  `an answer to request ${transaction}, which was not sent: set the converter to transparent mode, and write transport: rtu-over-tcp`;
const foreignUnit = (unit: number, asked: number) =>
  `unit ${unit} answers for unit ${asked}: where the device answers so to every request, write any_unit: true for its meter`;

/** Returns the frame as the unit that was asked would have sent it. */
function underUnit(frame: Uint8Array, unit: number): Uint8Array {
  const body = frame.slice(0, -2);
  body[0] = unit;
  return withCrc(body);
}

/** Judges Modbus TCP: replies carry the transaction id of their request [gateway §6.5]. */
export class TcpFraming implements Framing {
  readonly #quarantine: ReplyQuarantine;
  /** Ids in use or used lately, with the instant until which they stay reserved, monotonic ms. */
  readonly #ids = new Map<number, number>();
  readonly #isConverter: boolean;
  readonly #anyUnits: ReadonlySet<number>;
  #id: number;
  #current = -1;

  /**
   * `isConverter`: serial meters are behind the address, so an exception proves nothing while replies are outstanding.
   * `firstId`: the first id, which should differ after a restart. `anyUnits`: units that answer under another unit.
   */
  constructor(
    quarantine: ReplyQuarantine,
    isConverter: boolean,
    firstId: number,
    anyUnits: ReadonlySet<number> = new Set(),
  ) {
    this.#quarantine = quarantine;
    this.#isConverter = isConverter;
    this.#anyUnits = anyUnits;
    this.#id = firstId % IDS;
  }

  begin(_ask: ReadRequest, frame: Uint8Array, nowMs: number): Uint8Array {
    for (const [id, untilMs] of this.#ids) {
      if (untilMs > nowMs) break;
      this.#ids.delete(id);
    }
    // At 1,000 requests a second, ids repeat after 65 s. The oldest ids are reused before a request is refused.
    do this.#id = (this.#id + 1) % IDS;
    while (this.#ids.has(this.#id) && this.#ids.size < IDS / 2);
    this.#current = this.#id;
    return toMbap(this.#current, frame);
  }

  judge(input: Uint8Array, ask: ReadRequest | null, nowMs: number): Judgement {
    const message = mbapAt(input);
    if (message === 'incomplete') return MORE;
    if (message === 'violation') return { what: 'violation', why: 'a header that is no Modbus TCP' };
    const { transaction, length } = message;
    if (transaction !== this.#current || !ask) {
      const used = this.#ids.get(transaction);
      if (used === undefined) return { what: 'violation', why: foreignAnswer(transaction) };
      return { what: 'skip', count: 'late', length };
    }
    const isOther = message.frame[0] !== ask.unit;
    if (isOther && !this.#anyUnits.has(ask.unit))
      return { what: 'violation', why: foreignUnit(message.frame[0] ?? 0, ask.unit) };
    const frame = isOther ? underUnit(message.frame, ask.unit) : message.frame;
    const [unit, code, third] = frame as unknown as [number, number, number];
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
    // Appends, so the map stays sorted by time as long as quarantines are equal.
    this.#ids.set(this.#current, nowMs + this.#quarantine.quarantineMs(ask.unit));
    this.#current = -1;
  }

  /**
   * No reply of the old connection can arrive on the new one. Ids stay reserved, because a converter keeps its
   * requests.
   */
  reset(): void {
    this.#current = -1;
  }
}
