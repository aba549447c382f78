import { MAX_SEQUENCE } from '@gridtokenx/protocol';
import type { Spool } from '../../ports.js';
import type { Packet } from './packet.js';

/** What one oracle that is there lacks, although enough others have it: the seqs above `from` up to `through`. */
export interface Lag {
  readonly from: bigint;
  readonly through: bigint;
}

/** Records on their way to the one that lags, as for backfill. */
const MOST_IN_FLIGHT = 4_000;
/** Sent again after so long without progress, doubled up to the last, real ms; from the third time on only the start. */
const FIRST_STALL_MS = 10_000;
const LAST_STALL_MS = 160_000;

interface Cursor {
  from: bigint;
  next: bigint;
  target: bigint;
  stallMs: number;
  progressAt: number;
}

/**
 * Sends again what an oracle lacks that lost its ledger, was restored from a backup or was away while the others went on
 * [gateway §11.4]. It goes out behind everything else: enough oracles have it, so nothing waits for it.
 */
export class CatchUp {
  readonly #spool: Spool;
  readonly #meters: readonly string[];
  readonly #lag: (meter: string) => Lag | null;
  readonly #excluded: (meter: string, seq: bigint) => boolean;
  readonly #cursors = new Map<string, Cursor>();
  #nowMs = 0;

  constructor(
    spool: Spool,
    meters: readonly string[],
    lag: (meter: string) => Lag | null,
    excluded: (meter: string, seq: bigint) => boolean,
  ) {
    this.#spool = spool;
    this.#meters = meters;
    this.#lag = lag;
    this.#excluded = excluded;
  }

  /** Another connection: what was on its way may be lost. */
  reset(): void {
    this.#cursors.clear();
  }

  /** Looks at what moved, now and then; what did not help is sent again. */
  check(nowMs: number): void {
    this.#nowMs = nowMs;
    for (const meter of this.#meters) {
      const lag = this.#lag(meter);
      const cursor = this.#cursors.get(meter);
      if (!lag) this.#cursors.delete(meter);
      else if (cursor && lag.from > cursor.from) {
        Object.assign(cursor, { from: lag.from, stallMs: FIRST_STALL_MS, progressAt: nowMs });
        if (cursor.next > cursor.target) this.#extend(cursor, lag);
      } else if (!cursor || lag.from < cursor.from) {
        this.#cursors.set(meter, this.#begin(lag, FIRST_STALL_MS));
      } else if (nowMs - cursor.progressAt >= cursor.stallMs) {
        this.#cursors.set(meter, this.#begin(lag, Math.min(LAST_STALL_MS, 2 * cursor.stallMs)));
      }
    }
  }

  /** The next packet, or null when there is nothing to send now. */
  async next(): Promise<Packet | null> {
    for (const [meter, cursor] of this.#cursors) {
      const packet = await this.#take(meter, cursor);
      if (packet) return packet;
    }
    return null;
  }

  #begin({ from, through }: Lag, stallMs: number): Cursor {
    return { from, next: from + 1n, target: through, stallMs, progressAt: this.#nowMs };
  }

  /** What came after `target` went out live; where it did not arrive either, it is the next stretch. */
  #extend(cursor: Cursor, { from, through }: Lag): void {
    if (from < cursor.target) return;
    cursor.next = from + 1n;
    cursor.target = through;
  }

  async #take(meter: string, cursor: Cursor): Promise<Packet | null> {
    while (cursor.next <= cursor.target) {
      const first = cursor.next <= cursor.from ? cursor.from + 1n : cursor.next;
      const most = cursor.stallMs > 2 * FIRST_STALL_MS ? MAX_SEQUENCE : MOST_IN_FLIGHT;
      const room = most - this.#spool.count(meter, cursor.from + 1n, first - 1n);
      if (room <= 0) return null;
      const records = await this.#spool.read(meter, first, Math.min(MAX_SEQUENCE, room));
      if (this.#cursors.get(meter) !== cursor) return null;
      const due = records.filter(({ seq }) => seq <= cursor.target);
      const last = due.at(-1)?.seq;
      cursor.next = due.length < records.length || last === undefined ? cursor.target + 1n : last + 1n;
      const messages = due.filter(({ seq }) => !this.#excluded(meter, seq)).map(({ message }) => message);
      if (messages.length > 0) return { meter, live: false, kind: 0, messages };
    }
    return null;
  }
}
