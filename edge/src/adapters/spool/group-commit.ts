import { Kind, type MeterId } from '@gridtokenx/protocol';
import { type Clock, nextDelayMs, sleep } from '@gridtokenx/runtime/core';
import type { SignedMessage } from '../../domain/signed-message.js';
import { describeDiskError } from './disk-fault.js';
import { encodeRecord } from './record.js';
import type { Segment, Stream } from './segment.js';
import type { SegmentWriter } from './segment-writer.js';

const MAX_PER_COMMIT = 1024;
const RETRIES = { initialMs: 100, maxMs: 10_000 };

interface Item {
  readonly meter: MeterId;
  readonly seq: number;
  readonly stream: Stream;
  readonly record: Uint8Array;
  readonly message: SignedMessage;
  isCommitted: boolean;
}

interface Waiting {
  /** Monotonic ms. */
  readonly sinceMs: number;
  readonly items: Item[];
  readonly done: () => void;
}

export interface GroupCommitOptions {
  readonly writer: SegmentWriter;
  readonly clock: Clock;
  /** Time that readings wait for others before they are written together, ms. Statements and events do not wait. */
  readonly commitMs: number;
  /** Called for each record that is synced. */
  readonly committed: (segment: Segment, meter: MeterId, seq: number, message: SignedMessage) => void;
  /** Frees bytes on a full disk; resolves to true when another attempt may succeed at once. Never rejects. */
  readonly relieve: () => Promise<boolean>;
  /** Called before readings are written. Rejects with the disk's error while the rest of the disk is not for them. */
  readonly mayWriteReadings: () => Promise<void>;
}

/** Commits messages together: while one batch is being synced the next one gathers. */
export class GroupCommit {
  readonly #options: GroupCommitOptions;
  #waiting: Waiting[] = [];
  #running: Promise<void> | null = null;
  #problem: string | null = null;
  #isClosed = false;
  /** Ends the wait for further readings. */
  #hurry = new AbortController();

  constructor(options: GroupCommitOptions) {
    this.#options = options;
  }

  get problem(): string | null {
    return this.#problem;
  }

  append(messages: readonly SignedMessage[]): Promise<void> {
    const items = messages.map((message): Item => {
      const { meterId, kind, seq, bytes } = message;
      const stream = kind === Kind.reading || kind === Kind.moreValues ? 'r' : 's';
      const record = encodeRecord(seq, bytes);
      return { meter: meterId, seq: Number(seq), stream, record, message, isCommitted: false };
    });
    if (items.some(({ stream }) => stream === 's')) this.#hurry.abort();
    return new Promise((done) => {
      this.#waiting.push({ sinceMs: this.#options.clock.monotonicMs(), items, done });
      this.#running ??= this.#run();
    });
  }

  async close(): Promise<void> {
    this.#hurry.abort();
    while (this.#running && !this.#problem) await this.#running;
    this.#isClosed = true;
  }

  async #run(): Promise<void> {
    const { clock, writer, relieve } = this.#options;
    let retryMs = 0;
    while (this.#waiting.length > 0 && !this.#isClosed) {
      await this.#gather();
      const batch = this.#nextBatch();
      try {
        const items = batch.flatMap((one) => one.items);
        for (const stream of ['s', 'r'] as const) await this.#commit(items, stream);
        this.#problem = null;
        retryMs = 0;
        for (const { done } of batch) done();
      } catch (error) {
        // After a failed sync nothing is known about the file: the batch goes to a new one. A copy does no harm.
        this.#problem = describeDiskError(error);
        await writer.abandon();
        this.#putBack(batch);
        if (isFull(error) && (await relieve())) continue;
        retryMs = nextDelayMs(retryMs, RETRIES);
        await sleep(clock, retryMs);
      }
    }
    // Here, not in a later microtask: an append in between would wait for a loop that has ended.
    this.#running = null;
  }

  /** Waits until the oldest message has waited long enough, or one that does not wait arrives. */
  async #gather(): Promise<void> {
    const { clock, commitMs } = this.#options;
    const [oldest] = this.#waiting;
    const waitMs = (oldest?.sinceMs ?? 0) + commitMs - clock.monotonicMs();
    if (waitMs > 0) await sleep(clock, waitMs, this.#hurry.signal);
    this.#hurry = new AbortController();
  }

  /** Puts what is not committed before everything that waits. */
  #putBack(batch: readonly Waiting[]): void {
    const rest = batch.filter(({ items }) => items.some(({ isCommitted }) => !isCommitted));
    for (const one of batch) if (!rest.includes(one)) one.done();
    this.#waiting.unshift(...rest);
  }

  #nextBatch(): Waiting[] {
    let [count, end] = [0, 0];
    for (const { items } of this.#waiting) {
      if (end > 0 && count + items.length > MAX_PER_COMMIT) break;
      count += items.length;
      end++;
    }
    return this.#waiting.splice(0, end);
  }

  async #commit(items: readonly Item[], stream: Stream): Promise<void> {
    const own = items.filter((item) => item.stream === stream && !item.isCommitted);
    if (own.length === 0) return;
    if (stream === 'r') await this.#options.mayWriteReadings();
    const segment = await this.#options.writer.write(stream, Buffer.concat(own.map(({ record }) => record)));
    for (const item of own) {
      item.isCommitted = true;
      this.#options.committed(segment, item.meter, item.seq, item.message);
    }
  }
}

const isFull = (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENOSPC';
