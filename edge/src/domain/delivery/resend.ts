import { MAX_SEQUENCE, type MeterId } from '@gridtokenx/protocol';
import { nextDelayMs } from '@gridtokenx/runtime/core';
import type { Spool } from '../ports.js';
import type { Packet } from './packet.js';

/** Messages on their way beyond a watermark when sent as backfill [gateway §11.2]. */
export const MAX_IN_FLIGHT = 4_000;
/** While nobody seems to listen, only this many are sent from the watermark. */
const PROBE = MAX_SEQUENCE;
/** No progress for this long: send again from the watermark; doubled up to the last, real milliseconds. */
const STALLS = { initialMs: 10_000, maxMs: 160_000 };

/** True for records that stay in the spool and are not sent: dead letters, those before a restore. */
export type Excluded = (meterId: MeterId, seq: bigint) => boolean;

/** How long progress is waited for before a stretch goes again; longer with each round that did not help. */
export class Patience {
  #stallMs = STALLS.initialMs;
  #stallBeganAtMs: number;

  constructor(nowMs: number) {
    this.#stallBeganAtMs = nowMs;
  }

  /** Something arrived, or nothing is waited for. */
  progressed(nowMs: number): void {
    this.#stallBeganAtMs = nowMs;
    this.#stallMs = STALLS.initialMs;
  }

  /** A round began anew for a reason of its own. */
  restarted(nowMs: number): void {
    this.#stallBeganAtMs = nowMs;
  }

  /** True when this round brought nothing for too long; then the next round begins. */
  isOver(nowMs: number): boolean {
    if (nowMs - this.#stallBeganAtMs < this.#stallMs) return false;
    this.#stallMs = nextDelayMs(this.#stallMs, STALLS);
    this.#stallBeganAtMs = nowMs;
    return true;
  }

  /** Most messages on their way: after two rounds without an answer only the start is tried again. */
  get mostInFlight(): number {
    return this.#stallMs > 2 * STALLS.initialMs ? PROBE : MAX_IN_FLIGHT;
  }
}

export interface ResendOptions {
  readonly spool: Spool;
  readonly excluded: Excluded;
  /** Seq through which a meter's messages have arrived: nothing up to it is sent. */
  readonly arrived: (meterId: MeterId) => bigint;
  /** How many more messages of a meter may go on their way now. */
  readonly room: (meterId: MeterId) => number;
}

/** Seqs from `next` to `target` are still to be sent. */
interface Stretch {
  next: bigint;
  target: bigint;
}

/** One stretch of each meter's spool beyond what arrived, sent as backfill, each record once until it begins anew. */
export class Resend {
  readonly #options: ResendOptions;
  readonly #stretches = new Map<MeterId, Stretch>();

  constructor(options: ResendOptions) {
    this.#options = options;
  }

  /** Sends everything of a meter beyond what arrived, up to `target`. */
  begin(meterId: MeterId, target: bigint): void {
    this.#stretches.set(meterId, { next: this.#options.arrived(meterId) + 1n, target });
  }

  /** Takes one more seq into the meter's stretch, where there is one. */
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

  /** True when everything of the stretch went out. */
  isSent(meterId: MeterId): boolean {
    const stretch = this.#stretches.get(meterId);
    return !stretch || stretch.next > stretch.target;
  }

  /** Last seq of the meter's stretch; 0 where there is none. */
  target(meterId: MeterId): bigint {
    return this.#stretches.get(meterId)?.target ?? 0n;
  }

  /** Messages of a meter that went out and have not arrived. */
  inFlight(meterId: MeterId): number {
    const { spool, arrived } = this.#options;
    const stretch = this.#stretches.get(meterId);
    return stretch ? spool.count(meterId, arrived(meterId) + 1n, stretch.next - 1n) : 0;
  }

  /** The next packet of a meter, or null when there is nothing to send now. */
  async take(meterId: MeterId): Promise<Packet | null> {
    const { spool, excluded, arrived, room } = this.#options;
    for (;;) {
      const stretch = this.#stretches.get(meterId);
      if (!stretch || stretch.next > stretch.target) return null;
      const through = arrived(meterId);
      if (stretch.next <= through) stretch.next = through + 1n;
      const most = room(meterId);
      if (most <= 0) return null;
      const from = stretch.next;
      const found = await spool.read(meterId, from, Math.min(MAX_SEQUENCE, most));
      // Meanwhile an ack may have begun another stretch: then these are not the next ones.
      if (this.#stretches.get(meterId) !== stretch || stretch.next !== from) continue;
      const due = found.filter(({ seq }) => seq <= stretch.target);
      const last = due.at(-1)?.seq;
      stretch.next = due.length < found.length || last === undefined ? stretch.target + 1n : last + 1n;
      const messages = due.filter(({ seq }) => !excluded(meterId, seq));
      if (messages.length > 0) return { meterId, live: false, kind: 0, messages };
    }
  }
}
