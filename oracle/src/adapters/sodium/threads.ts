import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Verifier } from '@gridtokenx/protocol';
import { BackOff, type Clock, type Logger, type Random } from '@gridtokenx/runtime/core';
import type { SignatureChecks, VerifyJob } from '../../domain/intake/ports.js';
import { BATCH_JOBS, Batch, Said } from './batch.js';
import { inThread } from './in-thread.js';

/** A thread works on its first batch while others wait for it, so it is not idle while a commit syncs. */
const BATCHES = 4;
/** Jobs that wait for a thread. Above this number the calling thread checks too, which slows senders down. */
const WAITING_LIMIT = 512;
/** Replaces a thread that has not answered a batch within this time, in ms. A batch takes some milliseconds. */
const GIVE_UP_MS = 5_000;
/**
 * Replaces a thread that has not proved its verifier within this time, in ms. A thread starts in a fraction of a
 * second.
 */
const START_MS = 30_000;
/**
 * A thread retains almost nothing. Without a bound, in MiB, its heap would grow to several times this size before a
 * collection.
 */
const LIMITS = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 } as const;
const AGAIN = { initialMs: 1_000, maxMs: 60_000 };

/** Subset of `Worker` that this module uses. */
export interface Thread extends Pick<Worker, 'postMessage' | 'terminate' | 'unref'> {
  on(event: 'message' | 'error' | 'exit', listener: (what: unknown) => void): unknown;
}

export interface ThreadsDeps {
  /** Number of threads, at least 1. */
  readonly threads: number;
  /** A proven verifier; checks in the calling thread every job that no thread answered. */
  readonly verifier: Verifier;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Spreads the restarts of lost threads. */
  readonly random: Pick<Random, 'fraction'>;
  /** Starts a thread that shares these batches. */
  readonly spawn: (memories: readonly SharedArrayBuffer[]) => Thread;
}

/** Jobs of one call of `ask`. */
interface Asked {
  readonly jobs: readonly VerifyJob[];
  readonly valid: boolean[];
  left: number;
  readonly answered: (valid: readonly boolean[]) => void;
}

interface Item {
  readonly asked: Asked;
  readonly index: number;
  readonly job: VerifyJob;
}

interface Sent {
  readonly number: number;
  /** Emptied when the calling thread answered the jobs first. */
  items: readonly Item[];
  readonly sentAtMs: number;
}

/** A place for one thread; a new thread takes it after the previous thread ended. */
interface Seat {
  readonly number: number;
  thread: Thread | null;
  isReady: boolean;
  batches: Batch[];
  free: number[];
  sent: Sent[];
  readonly again: BackOff;
  /** Cancels the seat's only timer: until its thread is ready, or until the next thread starts. */
  cancel: () => void;
}

/**
 * Checks signatures on threads. An answer counts only when a thread gave it for that very job. The calling thread
 * checks again every job that an ended, hung or faulty thread left open. So a lost thread costs time and never a
 * verdict. While no thread is ready, the calling thread checks everything.
 */
export class VerifyThreads implements SignatureChecks {
  readonly threads: number;
  readonly #deps: ThreadsDeps;
  readonly #seats: Seat[];
  #waiting: Item[] = [];
  #cancelWatch: (() => void) | null = null;
  #isClosed = false;

  constructor(deps: ThreadsDeps) {
    this.#deps = deps;
    this.threads = deps.threads;
    this.#seats = Array.from({ length: deps.threads }, (_, number) => ({
      number,
      thread: null,
      isReady: false,
      batches: [],
      free: [],
      sent: [],
      again: new BackOff(AGAIN, deps.random),
      cancel: () => undefined,
    }));
    for (const seat of this.#seats) this.#start(seat);
  }

  /** Number of threads that accept jobs now. */
  get ready(): number {
    return this.#seats.filter(({ isReady }) => isReady).length;
  }

  ask(jobs: readonly VerifyJob[], answered: (valid: readonly boolean[]) => void): void {
    const asked: Asked = { jobs, valid: [], left: jobs.length, answered };
    if (jobs.length === 0) {
      answered([]);
      return;
    }
    for (const [index, job] of jobs.entries()) this.#waiting.push({ asked, index, job });
    this.#collect();
    while (this.#waiting.length > (this.ready === 0 ? 0 : WAITING_LIMIT)) this.#help();
  }

  finish(): void {
    // A callback may add jobs, and the next pass assigns them.
    while (this.#waiting.length > 0 || this.#seats.some(({ sent }) => sent.some(({ items }) => items.length > 0))) {
      this.#collect();
      for (const seat of this.#seats) this.#reclaim(seat);
      for (const item of this.#waiting.splice(0)) this.#check(item);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelWatch?.();
    for (const { cancel } of this.#seats) cancel();
    this.finish();
    const threads = this.#seats.map(({ thread }) => thread);
    for (const seat of this.#seats) this.#empty(seat);
    await Promise.all(threads.map((thread) => thread?.terminate()));
  }

  /** Collects the threads' answers without waiting for their messages, and assigns more jobs. */
  #collect(): void {
    for (const seat of this.#seats) {
      for (let first = seat.sent[0]; first && seat.batches[first.number]?.isAnswered; first = seat.sent[0]) {
        seat.sent.shift();
        seat.again.reset();
        this.#hear(first.items, seat.batches[first.number]);
        // Only now: a callback may add jobs, which fill a free batch.
        seat.free.push(first.number);
      }
    }
    this.#hand();
  }

  #hear(items: readonly Item[], batch: Batch | undefined): void {
    for (const [at, item] of items.entries()) {
      const said = batch?.said(at);
      if (said === Said.valid || said === Said.invalid) settle(item, said === Said.valid);
      else this.#check(item);
    }
  }

  /** Assigns batches, the least busy thread first, so that a single message does not wait behind others. */
  #hand(): void {
    for (let taken = 0; taken < BATCHES; taken++) {
      for (const seat of this.#seats) {
        if (this.#waiting.length === 0) return;
        if (!seat.isReady || seat.sent.length > taken || seat.free.length === 0) continue;
        // Behind the batch in work only full batches wait: new jobs collect meanwhile.
        if (taken > 0 && this.#waiting.length < BATCH_JOBS) return;
        this.#send(seat);
      }
    }
  }

  #send(seat: Seat): void {
    const number = seat.free.shift();
    const batch = number === undefined ? undefined : seat.batches[number];
    if (number === undefined || !batch) return;
    const items: Item[] = [];
    while (items.length < BATCH_JOBS) {
      const item = this.#waiting.shift();
      if (!item) break;
      if (Batch.fits(item.job)) items.push(item);
      else this.#check(item);
    }
    batch.fill(items.map(({ job }) => job));
    seat.sent.push({ number, items, sentAtMs: this.#deps.clock.monotonicMs() });
    seat.thread?.postMessage(number);
    this.#watch();
  }

  /** Checks the longest waiting jobs in this thread. */
  #help(): void {
    for (const item of this.#waiting.splice(0, BATCH_JOBS / 2)) this.#check(item);
    this.#collect();
  }

  #check(item: Item): void {
    const { signature, message, key } = item.job;
    settle(item, this.#deps.verifier.verify(signature, message, key));
  }

  /** Checks the thread's open jobs in this thread; its late answers count for nothing. */
  #reclaim(seat: Seat): void {
    for (const sent of seat.sent) {
      const { items } = sent;
      sent.items = [];
      for (const item of items) this.#check(item);
    }
  }

  #watch(): void {
    if (this.#isClosed) return;
    this.#cancelWatch ??= this.#deps.clock.after(GIVE_UP_MS, () => {
      this.#cancelWatch = null;
      this.#collect();
      const now = this.#deps.clock.monotonicMs();
      for (const seat of this.#seats) {
        const oldest = seat.sent[0];
        if (oldest && now - oldest.sentAtMs >= GIVE_UP_MS)
          this.#lost(seat, new Error(`no answer within ${GIVE_UP_MS} ms`));
      }
      if (this.#seats.some(({ sent }) => sent.length > 0)) this.#watch();
    });
  }

  #start(seat: Seat): void {
    // New memory each time: an abandoned thread that still runs must not write into its successor's batches.
    seat.batches = Array.from({ length: BATCHES }, () => new Batch());
    seat.free = seat.batches.map((_, number) => number);
    const memories = seat.batches.map(({ memory }) => memory);
    const thread = this.#deps.spawn(memories);
    seat.thread = thread;
    thread.unref();
    const isOurs = () => seat.thread === thread;
    seat.cancel = this.#deps.clock.after(START_MS, () =>
      this.#lost(seat, new Error(`not ready within ${START_MS} ms`)),
    );
    thread.on('message', (said: unknown) => {
      if (isOurs() && said === 'ready') {
        seat.isReady = true;
        seat.cancel();
      }
      this.#collect();
    });
    let cause: unknown = null;
    thread.on('error', (error) => {
      cause = error;
    });
    thread.on('exit', (code) => {
      if (isOurs()) this.#lost(seat, cause ?? new Error(`ended with code ${String(code)}`));
    });
  }

  #lost(seat: Seat, error: unknown): void {
    const { logger, clock } = this.#deps;
    seat.cancel();
    this.#collect();
    this.#reclaim(seat);
    this.#empty(seat)?.terminate();
    if (this.#isClosed) return;
    const wait = seat.again.next();
    const fields = { event: 'verify_thread_lost', err: error, thread: seat.number, again_ms: wait };
    logger.warn(fields, 'Lost a verifier thread: the main thread verified its jobs again');
    seat.cancel = clock.after(wait, () => this.#start(seat));
    while (this.ready === 0 && this.#waiting.length > 0) this.#help();
  }

  #empty(seat: Seat): Thread | null {
    const { thread } = seat;
    seat.thread = null;
    seat.isReady = false;
    seat.sent = [];
    seat.free = [];
    return thread;
  }
}

function settle({ asked, index }: Item, isValid: boolean): void {
  asked.valid[index] = isValid;
  if (--asked.left === 0) asked.answered(asked.valid);
}

/** Returns one thread for each core but one, at most four: the main thread supplies no more than four. */
export function usualThreads(): number {
  return Math.min(4, Math.max(1, availableParallelism() - 1));
}

/** Opens checks on threads, or in this thread where `threads` is 0. `verifier` is proven. */
export function openChecks(deps: ThreadsDeps): SignatureChecks {
  return deps.threads === 0 ? inThread(deps.verifier) : new VerifyThreads(deps);
}

/** Starts an operating system thread. */
export function spawnThread(memories: readonly SharedArrayBuffer[]): Thread {
  return new Worker(new URL('./worker.js', import.meta.url), { workerData: { memories }, resourceLimits: LIMITS });
}
