import { sigStructure } from '@gridtokenx/protocol';
import type { VerifyJob } from '../../domain/intake/ports.js';

/** Maximum number of jobs in one batch. */
export const BATCH_JOBS = 64;
/** Longest message that fits a place, in bytes. The requesting thread checks longer messages itself. */
export const LONGEST_MESSAGE = 128;

/** A thread's answer to a job. 0 means no answer yet, so neither value is 0. */
export const Said = { valid: 1, invalid: 2 } as const;

const KEY_AT = 0;
const SIGNATURE_AT = 32;
const MESSAGE_AT = 96;
const PLACE_BYTES = 256;
const ANSWERED_AT = 0;
const COUNT_AT = 1;
const LENGTHS_AT = 8;
const SAID_AT = LENGTHS_AT + BATCH_JOBS;
const PLACES_AT = 256;
const USUAL_MESSAGE = sigStructure(new Uint8Array(96)).length;

interface Place {
  readonly key: Buffer;
  readonly signature: Buffer;
  /** View of the usual message length: nearly every job uses it. */
  readonly usual: Buffer;
  readonly longest: Buffer;
}

/**
 * Packs jobs into memory that two threads share. The memory holds the state flag, the count, and a length and an answer
 * for each job. Places of 256 bytes follow (key 32, signature 64, message). One side fills the batch and the other side
 * answers it. A message to the thread and `isAnswered` transfer the batch, so both sides never write at once. Views are
 * created once, not for each job.
 */
export class Batch {
  readonly memory: SharedArrayBuffer;
  readonly #head: Int32Array;
  readonly #lengths: Uint8Array;
  readonly #said: Uint8Array;
  readonly #places: readonly Place[];

  constructor(memory = new SharedArrayBuffer(PLACES_AT + BATCH_JOBS * PLACE_BYTES)) {
    this.memory = memory;
    this.#head = new Int32Array(memory, 0, 2);
    this.#lengths = new Uint8Array(memory, LENGTHS_AT, BATCH_JOBS);
    this.#said = new Uint8Array(memory, SAID_AT, BATCH_JOBS);
    this.#places = Array.from({ length: BATCH_JOBS }, (_, i) => {
      const view = (at: number, length: number) => Buffer.from(memory, PLACES_AT + i * PLACE_BYTES + at, length);
      return {
        key: view(KEY_AT, 32),
        signature: view(SIGNATURE_AT, 64),
        usual: view(MESSAGE_AT, USUAL_MESSAGE),
        longest: view(MESSAGE_AT, LONGEST_MESSAGE),
      };
    });
  }

  static fits({ signature, message, key }: VerifyJob): boolean {
    return signature.length === 64 && key.length === 32 && message.length <= LONGEST_MESSAGE;
  }

  get isAnswered(): boolean {
    return Atomics.load(this.#head, ANSWERED_AT) === 1;
  }

  /** Returns the answer to a job: one of `Said`, or any other number without an answer. */
  said(index: number): number {
    return this.#said[index] ?? 0;
  }

  /** Stores jobs that fit in, and clears all answers. */
  fill(jobs: readonly VerifyJob[]): void {
    this.#said.fill(0);
    for (const [i, { signature, message, key }] of jobs.entries()) {
      const place = this.#places[i];
      if (!place) throw new RangeError(`${jobs.length} jobs for ${BATCH_JOBS} places`);
      place.key.set(key);
      place.signature.set(signature);
      place.longest.set(message);
      this.#lengths[i] = message.length;
    }
    this.#head[COUNT_AT] = jobs.length;
    Atomics.store(this.#head, ANSWERED_AT, 0);
  }

  /** Answers all jobs by `verify`. */
  answer(verify: (signature: Uint8Array, message: Uint8Array, key: Uint8Array) => boolean): void {
    const count = this.#head[COUNT_AT] ?? 0;
    for (let i = 0; i < count; i++) {
      const place = this.#places[i];
      if (!place) break;
      const length = this.#lengths[i] ?? 0;
      const message = length === USUAL_MESSAGE ? place.usual : place.longest.subarray(0, length);
      this.#said[i] = verify(place.signature, message, place.key) ? Said.valid : Said.invalid;
    }
    Atomics.store(this.#head, ANSWERED_AT, 1);
  }
}
