import { type ChildProcess, fork } from 'node:child_process';
import type { Outcome } from '../campaign.js';

/** A finished seed; a broken or hanging campaign is a fault of the seed. */
export interface Finished {
  readonly seed: number;
  readonly outcome: Outcome;
}

export interface PoolOptions {
  /** Path of the worker's program, and its arguments. */
  readonly program: string;
  readonly args: readonly string[];
  readonly workers: number;
  readonly secondsPerSeed: number;
  /** Replaces a process after so many seeds. */
  readonly seedsPerProcess?: number | undefined;
  /** Seeds in the order of their assignment. */
  readonly seeds: Iterator<number>;
  readonly onFinished: (finished: Finished) => void;
  /** Called when a process has loaded its code and has no seed yet. */
  readonly onLoaded?: () => void;
}

type Message = { type: 'ready' } | { seed: number; outcome: Outcome } | { seed: number; error: string };

/** Kills a process that does not end by itself within this time, in ms. */
const GRACE_MS = 5_000;

/** Runs seeds in separate processes. A process that dies or hangs fails its seed, and another process replaces it. */
export class Pool {
  readonly #options: PoolOptions;
  readonly #running = new Set<ChildProcess>();
  #isStopping = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Resolves after all seeds, or after `stop`. */
  async run(): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.workers }, () => this.#work()));
  }

  /** Assigns no more seeds and cancels those in work. */
  stop(): void {
    this.#isStopping = true;
    for (const child of this.#running) giveUp(child);
  }

  #next(): number | null {
    if (this.#isStopping) return null;
    const { done, value } = this.#options.seeds.next();
    return done ? null : value;
  }

  async #work(): Promise<void> {
    for (let seed = this.#next(); seed !== null; ) seed = await this.#inOneProcess(seed);
  }

  /** Runs seeds from `first` on until none is left or the process ends; resolves to the next seed, or null. */
  #inOneProcess(first: number): Promise<number | null> {
    const { program, args, secondsPerSeed, seedsPerProcess = Number.POSITIVE_INFINITY, onFinished } = this.#options;
    return new Promise((resolve) => {
      const child = fork(program, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
      this.#running.add(child);
      let seed: number | null = first;
      let given = 0;
      let timer: NodeJS.Timeout | null = null;
      const fail = (why: string) => {
        if (timer) clearTimeout(timer);
        const failed = seed;
        seed = null;
        if (failed !== null && !this.#isStopping) onFinished({ seed: failed, outcome: { faults: [why], figures: {} } });
      };
      const give = () => {
        if (seed === null) {
          child.disconnect();
          return;
        }
        timer = setTimeout(() => {
          fail(`takes longer than ${secondsPerSeed} s`);
          giveUp(child);
        }, secondsPerSeed * 1_000);
        child.send({ seed });
      };
      child.on('message', (message: Message) => {
        if (timer) clearTimeout(timer);
        if ('type' in message) {
          this.#options.onLoaded?.();
          if (!this.#isStopping) give();
          return;
        }
        if ('error' in message) fail(`the campaign is broken: ${message.error}`);
        else onFinished(message);
        seed = ++given < seedsPerProcess ? this.#next() : null;
        give();
      });
      child.on('exit', (code, signal) => {
        this.#running.delete(child);
        if (seed !== null) fail(`the process ended with ${signal ?? `code ${code}`}`);
        resolve(this.#next());
      });
    });
  }
}

/** Asks a process to end, so that it can end its own children, and kills it a while later. */
function giveUp(child: ChildProcess): void {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
  child.once('exit', () => clearTimeout(timer));
}
