import { MAX_SEQUENCE, type MeterId } from '@gridtokenx/protocol';
import { nextDelayMs } from '@gridtokenx/runtime/core';
import type { Spool, SpoolStream } from '../ports.js';
import type { Packet } from './packet.js';

/** Messages in flight beyond a watermark, sent as backfill [gateway §11.2]. */
export const MAX_IN_FLIGHT = 4_000;
/** Messages sent from the watermark while no oracle seems to listen. */
const PROBE = MAX_SEQUENCE;
/**
 * Time without progress after which everything from the watermark is sent again, real ms; doubles up to the maximum.
 */
const STALLS = { initialMs: 10_000, maxMs: 160_000 };

/** Returns true for records that stay in the spool and are not sent: dead letters, and those before a restore. */
export type Excluded = (meterId: MeterId, seq: bigint) => boolean;

/** Decides how long to wait for progress before a stretch is sent again; longer after each round without progress. */
export class Patience {
  #stallMs = STALLS.initialMs;
  #stallBeganAtMs: number;

  constructor(nowMs: number) {
    this.#stallBeganAtMs = nowMs;
  }

  /** Records progress, or that no answer is awaited. */
  progressed(nowMs: number): void {
    this.#stallBeganAtMs = nowMs;
    this.#stallMs = STALLS.initialMs;
  }

  /** Records a round that began for another reason. */
  restarted(nowMs: number): void {
    this.#stallBeganAtMs = nowMs;
  }

  /** Returns true when this round made no progress for too long, and begins the next round. */
  isOver(nowMs: number): boolean {
    if (nowMs - this.#stallBeganAtMs < this.#stallMs) return false;
    this.#stallMs = nextDelayMs(this.#stallMs, STALLS);
    this.#stallBeganAtMs = nowMs;
    return true;
  }

  /** Bounds the messages in flight: after two rounds without an answer, only the first few are tried again. */
  get mostInFlight(): number {
    return this.#stallMs > 2 * STALLS.initialMs ? PROBE : MAX_IN_FLIGHT;
  }
}

export interface ResendOptions {
  readonly spool: Spool;
  /** Sends this stream alone; absent: both. */
  readonly only?: SpoolStream;
  readonly excluded: Excluded;
  /** Returns the seq through which a meter's messages have arrived: nothing up to it is sent. */
  readonly arrived: (meterId: MeterId) => bigint;
  /** Returns how many more messages of a meter may be sent now. */
  readonly room: (meterId: MeterId) => number;
}

/** The seqs from `next` to `target` are still to be sent. */
interface Stretch {
  next: bigint;
  target: bigint;
}

/**
 * Sends one stretch of each meter's spool beyond what arrived, as backfill: each record once, until the stretch begins
 * again.
 */
export class Resend {
  readonly #options: ResendOptions;
  readonly #stretches = new Map<MeterId, Stretch>();

  constructor(options: ResendOptions) {
    this.#options = options;
  }

  /** Begins to send everything of a meter beyond what arrived, up to `target`. */
  begin(meterId: MeterId, target: bigint): void {
    this.#stretches.set(meterId, { next: this.#options.arrived(meterId) + 1n, target });
  }

  /** Extends the meter's stretch, if it has one, by one seq. */
  widen(meterId: MeterId, seq: bigint): void {
    const stretch = this.#stretches.get(meterId);
    if (!stretch) return;
    if (stretch.next > stretch.target) stretch.next = seq;
    stretch.target = stretch.target > seq ? stretch.target : seq;
  }

  end(meterId: MeterId): void {
    this.#stretches.delete(meterId);
  }
  clear(): void {
    this.#stretches.clear();
  }

  /** Returns true when the whole stretch was sent. */
  isSent(meterId: MeterId): boolean {
    const stretch = this.#stretches.get(meterId);
    return !stretch || stretch.next > stretch.target;
  }

  /** Returns the last seq of the meter's stretch; 0 without one. */
  target(meterId: MeterId): bigint {
    return this.#stretches.get(meterId)?.target ?? 0n;
  }

  /** Counts the messages of a meter that were sent and have not arrived. */
  inFlight(meterId: MeterId): number {
    const { spool, arrived, only } = this.#options;
    const stretch = this.#stretches.get(meterId);
    return stretch ? spool.count(meterId, arrived(meterId) + 1n, stretch.next - 1n, only) : 0;
  }

  /** Returns the next packet of a meter, or null when there is nothing to send now. */
  async next(meterId: MeterId): Promise<Packet | null> {
    const { spool, excluded, arrived, room, only } = this.#options;
    for (;;) {
      const stretch = this.#stretches.get(meterId);
      if (!stretch || stretch.next > stretch.target) return null;
      const through = arrived(meterId);
      if (stretch.next <= through) stretch.next = through + 1n;
      const most = room(meterId);
      if (most <= 0) return null;
      const from = stretch.next;
      const found = await spool.read(meterId, from, Math.min(MAX_SEQUENCE, most), only);
      // An ack may have begun another stretch during the read: then these records are not the next ones.
      if (this.#stretches.get(meterId) !== stretch || stretch.next !== from) continue;
      const due = found.filter(({ seq }) => seq <= stretch.target);
      const last = due.at(-1)?.seq;
      stretch.next = due.length < found.length || last === undefined ? stretch.target + 1n : last + 1n;
      const messages = due.filter(({ seq }) => !excluded(meterId, seq));
      if (messages.length > 0) return { meterId, live: false, kind: 0, messages };
    }
  }
}
