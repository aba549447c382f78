import { MAX_SEQUENCE, type MeterId } from '@gridtokenx/protocol';
import type { Spool } from '../ports.js';
import type { SignedMessage } from '../signed-message.js';
import { CatchUp, type Lag } from './catch-up.js';
import type { Packet } from './packet.js';
import { type Excluded, Patience, Resend } from './resend.js';

/** More than this waiting to go out live comes from the spool instead. */
const MAX_LIVE = 2_000;

export interface SendSchedulerOptions {
  readonly spool: Spool;
  readonly meters: readonly MeterId[];
  /** Seq through which enough oracles have stored a meter's messages. */
  readonly acknowledged: (meterId: MeterId) => bigint;
  readonly excluded: Excluded;
  /** What one oracle lacks that enough others have; null when there is none. */
  readonly lag: (meterId: MeterId) => Lag | null;
}

/**
 * Decides what is sent next over one connection. Live has priority; every record is sent once live, and as backfill
 * what the watermark has not passed and this connection has not sent. Holds no message that is not in the spool.
 */
export class SendScheduler {
  readonly #options: SendSchedulerOptions;
  readonly #resend: Resend;
  readonly #catchUp: CatchUp;
  #live: SignedMessage[] = [];
  #connected = false;
  #patience = new Patience(0);
  #marks = new Map<MeterId, bigint>();

  constructor(options: SendSchedulerOptions) {
    const { spool, meters, acknowledged, excluded, lag } = options;
    this.#options = options;
    this.#resend = new Resend({ spool, excluded, arrived: acknowledged, room: () => this.#room() });
    this.#catchUp = new CatchUp(spool, meters, lag, excluded);
  }

  /** A committed message. While nothing is connected the spool alone keeps it. */
  committed(message: SignedMessage): void {
    if (!this.#connected) return;
    this.#live.push(message);
    if (this.#live.length <= MAX_LIVE) return;
    for (const { meterId, seq } of this.#live.splice(0)) this.#resend.widen(meterId, seq);
  }

  /** A connection that may be used now: everything beyond the watermarks goes out as backfill. */
  connected(nowMs: number): void {
    this.#connected = true;
    this.#live = [];
    this.#patience.progressed(nowMs);
    this.#catchUp.reset();
    this.#restartAll();
  }

  disconnected(): void {
    this.#connected = false;
    this.#live = [];
    this.#resend.clear();
  }

  /** A new ledger, or a lower watermark: "send again from there". */
  fallenBack(nowMs: number): void {
    if (!this.#connected) return;
    this.#patience.restarted(nowMs);
    this.#restartAll();
  }

  #restartAll(): void {
    const { meters, acknowledged, spool } = this.#options;
    for (const meterId of meters) {
      this.#marks.set(meterId, acknowledged(meterId));
      this.#resend.begin(meterId, spool.highest(meterId));
    }
  }

  /** Looks at the watermarks; true when nothing moved for too long and everything beyond them is sent again. */
  checkProgress(nowMs: number): boolean {
    const { meters, acknowledged, spool } = this.#options;
    this.#catchUp.check(nowMs);
    let [moved, waiting] = [false, false];
    for (const meterId of meters) {
      const through = acknowledged(meterId);
      if (through !== this.#marks.get(meterId)) moved = true;
      this.#marks.set(meterId, through);
      if (spool.count(meterId, through + 1n, spool.highest(meterId)) > 0) waiting = true;
    }
    if (moved || !waiting) {
      this.#patience.progressed(nowMs);
      return false;
    }
    if (!this.#connected || !this.#patience.isOver(nowMs)) return false;
    this.#restartAll();
    return true;
  }

  /** The next packet, or null when there is nothing to send now. */
  async next(): Promise<Packet | null> {
    if (!this.#connected) return null;
    const live = this.#takeLive();
    if (live) return live;
    for (const meterId of this.#options.meters) {
      const packet = await this.#resend.take(meterId);
      if (packet) return packet;
    }
    return this.#catchUp.next();
  }

  #takeLive(): Packet | null {
    const [first] = this.#live;
    if (!first) return null;
    const { meterId, kind } = first;
    const own = this.#live.filter((m) => m.meterId === meterId && m.kind === kind).slice(0, MAX_SEQUENCE);
    const taken = new Set(own);
    this.#live = this.#live.filter((message) => !taken.has(message));
    const messages = own.filter(({ seq }) => !this.#options.excluded(meterId, seq));
    return messages.length > 0 ? { meterId, live: true, kind, messages } : this.#takeLive();
  }

  #room(): number {
    const inFlight = this.#options.meters.reduce((sum, meterId) => sum + this.#resend.inFlight(meterId), 0);
    return this.#patience.mostInFlight - inFlight;
  }
}
