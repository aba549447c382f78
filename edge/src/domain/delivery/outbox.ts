import { MAX_SEQUENCE } from '@gridtokenx/protocol';
import type { Spool } from '../../ports.js';
import { CatchUp, type Lag } from './catch-up.js';
import type { Packet } from './packet.js';

/** Readings in flight beyond the watermarks when sent as backfill [gateway §11.2]. */
export const MOST_IN_FLIGHT = 4_000;
/** While nobody seems to listen, only this many are sent from the watermark. */
const PROBE = MAX_SEQUENCE;
/** More than this waiting to go out live comes from the spool instead. */
const MOST_LIVE = 2_000;
/** No progress for this long: send again from the watermark; doubled up to the last, real milliseconds. */
const FIRST_STALL_MS = 10_000;
const LAST_STALL_MS = 160_000;

interface LiveMessage {
  readonly meter: string;
  readonly kind: number;
  readonly seq: bigint;
  readonly message: Uint8Array;
}

interface Cursor {
  /** Next seq to send as backfill. */
  next: bigint;
  /** Last seq to send as backfill; newer ones went live. */
  target: bigint;
}

/**
 * Decides what is sent next over one connection. Live has priority; every record is sent once live, and as backfill
 * what the watermark has not passed and this connection has not sent. Holds no message that is not in the spool.
 */
export class Outbox {
  readonly #spool: Spool;
  readonly #meters: readonly string[];
  readonly #acknowledged: (meter: string) => bigint;
  readonly #excluded: (meter: string, seq: bigint) => boolean;
  readonly #catchUp: CatchUp;
  #live: LiveMessage[] = [];
  readonly #cursors = new Map<string, Cursor>();
  #connected = false;
  #stallMs = FIRST_STALL_MS;
  #progressAt = 0;
  #marks = new Map<string, bigint>();

  /**
   * `excluded`: records that stay in the spool and are not sent (dead letters, those before a restore). `lag`: what one
   * oracle lacks that enough others have; null when there is none.
   */
  constructor(
    spool: Spool,
    meters: readonly string[],
    acknowledged: (meter: string) => bigint,
    excluded: (meter: string, seq: bigint) => boolean,
    lag: (meter: string) => Lag | null = () => null,
  ) {
    this.#catchUp = new CatchUp(spool, meters, lag, excluded);
    this.#spool = spool;
    this.#meters = meters;
    this.#acknowledged = acknowledged;
    this.#excluded = excluded;
  }

  /** A committed message. While nothing is connected the spool alone keeps it. */
  committed(message: LiveMessage): void {
    if (!this.#connected) return;
    this.#live.push(message);
    if (this.#live.length <= MOST_LIVE) return;
    for (const { meter, seq } of this.#live.splice(0)) this.#widen(meter, seq);
  }

  #widen(meter: string, seq: bigint): void {
    const cursor = this.#cursors.get(meter);
    if (!cursor) return;
    if (cursor.next > cursor.target) cursor.next = seq;
    cursor.target = cursor.target > seq ? cursor.target : seq;
  }

  /** A connection that may be used now: everything beyond the watermarks goes out as backfill. */
  connected(nowMs: number): void {
    this.#connected = true;
    this.#live = [];
    this.#stallMs = FIRST_STALL_MS;
    this.#catchUp.reset();
    this.#restartAll(nowMs);
  }

  disconnected(): void {
    this.#connected = false;
    this.#live = [];
    this.#cursors.clear();
  }

  /** A new ledger, or a lower watermark: "send again from there". */
  fallenBack(nowMs: number): void {
    if (this.#connected) this.#restartAll(nowMs);
  }

  #restartAll(nowMs: number): void {
    this.#progressAt = nowMs;
    for (const meter of this.#meters) {
      const acknowledged = this.#acknowledged(meter);
      this.#marks.set(meter, acknowledged);
      this.#cursors.set(meter, { next: acknowledged + 1n, target: this.#spool.highest(meter) });
    }
  }

  /** Looks at the watermarks; true when nothing moved for too long and everything beyond them is sent again. */
  checkProgress(nowMs: number): boolean {
    this.#catchUp.check(nowMs);
    let [moved, waiting] = [false, false];
    for (const meter of this.#meters) {
      const acknowledged = this.#acknowledged(meter);
      if (acknowledged !== this.#marks.get(meter)) moved = true;
      this.#marks.set(meter, acknowledged);
      if (this.#spool.count(meter, acknowledged + 1n, this.#spool.highest(meter)) > 0) waiting = true;
    }
    if (moved || !waiting) {
      this.#progressAt = nowMs;
      this.#stallMs = FIRST_STALL_MS;
      return false;
    }
    if (!this.#connected || nowMs - this.#progressAt < this.#stallMs) return false;
    this.#stallMs = Math.min(LAST_STALL_MS, this.#stallMs * 2);
    this.#restartAll(nowMs);
    return true;
  }

  /** The next packet, or null when there is nothing to send now. */
  async next(): Promise<Packet | null> {
    if (!this.#connected) return null;
    const live = this.#takeLive();
    if (live) return live;
    for (const meter of this.#meters) {
      const packet = await this.#takeBackfill(meter);
      if (packet) return packet;
    }
    return this.#catchUp.next();
  }

  #takeLive(): Packet | null {
    const [first] = this.#live;
    if (!first) return null;
    const { meter, kind } = first;
    const own = this.#live.filter((m) => m.meter === meter && m.kind === kind).slice(0, MAX_SEQUENCE);
    const taken = new Set(own);
    this.#live = this.#live.filter((message) => !taken.has(message));
    const messages = own.filter(({ seq }) => !this.#excluded(meter, seq)).map(({ message }) => message);
    return messages.length > 0 ? { meter, live: true, kind, messages } : this.#takeLive();
  }

  async #takeBackfill(meter: string): Promise<Packet | null> {
    const cursor = this.#cursors.get(meter);
    if (!cursor || cursor.next > cursor.target) return null;
    const acknowledged = this.#acknowledged(meter);
    if (cursor.next <= acknowledged) cursor.next = acknowledged + 1n;
    const room = this.#room() - this.#inFlight();
    if (room <= 0) return null;
    const from = cursor.next;
    const records = await this.#spool.read(meter, from, Math.min(MAX_SEQUENCE, room));
    // Meanwhile an ack may have moved the cursor back: then these are not the next ones.
    if (this.#cursors.get(meter) !== cursor || cursor.next !== from) return this.#takeBackfill(meter);
    const due = records.filter(({ seq }) => seq <= cursor.target);
    cursor.next =
      due.length < records.length || records.length === 0 ? cursor.target + 1n : (due.at(-1)?.seq ?? from) + 1n;
    const messages = due.filter(({ seq }) => !this.#excluded(meter, seq)).map(({ message }) => message);
    return messages.length > 0 ? { meter, live: false, kind: 0, messages } : this.#takeBackfill(meter);
  }

  /** After two rounds without an answer no oracle seems to be there: then only the start is tried again. */
  #room(): number {
    return this.#stallMs > 2 * FIRST_STALL_MS ? PROBE : MOST_IN_FLIGHT;
  }

  #inFlight(): number {
    let sum = 0;
    for (const [meter, { next }] of this.#cursors)
      sum += this.#spool.count(meter, this.#acknowledged(meter) + 1n, next - 1n);
    return sum;
  }
}
