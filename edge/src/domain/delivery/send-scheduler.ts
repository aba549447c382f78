import { Kind, MAX_SEQUENCE, type MeterId } from '@gridtokenx/protocol';
import type { Spool } from '../ports.js';
import type { SignedMessage } from '../signed-message.js';
import { CatchUp, type Lag } from './catch-up.js';
import type { Packet } from './packet.js';
import { type Excluded, Patience, Resend } from './resend.js';

/** Bound of the live queue; messages beyond it come from the spool instead. */
const MAX_LIVE = 2_000;

export interface SendSchedulerOptions {
  readonly spool: Spool;
  readonly meters: readonly MeterId[];
  /** Returns the seq through which enough oracles have stored a meter's messages. */
  readonly acknowledged: (meterId: MeterId) => bigint;
  readonly excluded: Excluded;
  /** Returns the messages that an oracle lacks although enough others have them; null when there are none. */
  readonly lag: (meterId: MeterId) => Lag | null;
}

/**
 * Decides what one connection sends next. Live has priority. Each record is sent once live; as backfill follows what
 * the watermark has not passed and this connection has not sent: statements and events before readings, meters in turn. Holds no message that is not in the spool.
 */
export class SendScheduler {
  readonly #options: SendSchedulerOptions;
  /** Statements, events and enrolments; then readings. */
  readonly #resends: readonly [Resend, Resend];
  /** Meters in the order of their next turn. */
  #turns: readonly MeterId[];
  readonly #catchUp: CatchUp;
  #live: SignedMessage[] = [];
  #connected = false;
  #patience = new Patience(0);
  #marks = new Map<MeterId, bigint>();

  constructor(options: SendSchedulerOptions) {
    const { spool, meters, acknowledged, excluded, lag } = options;
    this.#options = options;
    const parts = { spool, excluded, arrived: acknowledged, room: () => this.#room() };
    this.#resends = [new Resend({ ...parts, only: 's' }), new Resend({ ...parts, only: 'r' })];
    this.#turns = meters;
    this.#catchUp = new CatchUp(spool, meters, lag, excluded);
  }

  /** Queues a committed message for live sending. Without a connection the spool alone keeps it. */
  committed(message: SignedMessage): void {
    if (!this.#connected) return;
    this.#live.push(message);
    if (this.#live.length <= MAX_LIVE) return;
    for (const { meterId, kind, seq } of this.#live.splice(0))
      this.#resends[kind === Kind.reading ? 1 : 0].widen(meterId, seq);
  }

  /** Begins a usable connection: everything beyond the watermarks is sent as backfill. */
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
    for (const resend of this.#resends) resend.clear();
  }

  /** Sends again from the watermark after a new ledger or a lower watermark. */
  fallenBack(nowMs: number): void {
    if (!this.#connected) return;
    this.#patience.restarted(nowMs);
    this.#restartAll();
  }

  #restartAll(): void {
    const { meters, acknowledged, spool } = this.#options;
    for (const meterId of meters) {
      this.#marks.set(meterId, acknowledged(meterId));
      for (const resend of this.#resends) resend.begin(meterId, spool.highest(meterId));
    }
  }

  /** Checks the watermarks. Returns true when nothing moved for too long and everything beyond them is sent again. */
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

  /** Returns the next packet, or null when there is nothing to send now. */
  async next(): Promise<Packet | null> {
    if (!this.#connected) return null;
    const live = this.#nextLive();
    if (live) return live;
    for (const resend of this.#resends) {
      const packet = await this.#nextOf(resend);
      if (packet) return packet;
    }
    return this.#catchUp.next();
  }

  /** Gives each meter its turn: no backlog of one meter delays another's. */
  async #nextOf(resend: Resend): Promise<Packet | null> {
    for (const meterId of this.#turns) {
      const packet = await resend.next(meterId);
      if (!packet) continue;
      this.#turns = [...this.#turns.filter((one) => one !== meterId), meterId];
      return packet;
    }
    return null;
  }

  #nextLive(): Packet | null {
    const [first] = this.#live;
    if (!first) return null;
    const { meterId, kind } = first;
    const own = this.#live.filter((m) => m.meterId === meterId && m.kind === kind).slice(0, MAX_SEQUENCE);
    const taken = new Set(own);
    this.#live = this.#live.filter((message) => !taken.has(message));
    const messages = own.filter(({ seq }) => !this.#options.excluded(meterId, seq));
    return messages.length > 0 ? { meterId, live: true, kind, messages } : this.#nextLive();
  }

  #room(): number {
    const inFlight = this.#resends.reduce(
      (all, resend) => this.#options.meters.reduce((sum, meterId) => sum + resend.inFlight(meterId), all),
      0,
    );
    return this.#patience.mostInFlight - inFlight;
  }
}
