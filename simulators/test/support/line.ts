import type { Clock } from '@gridtokenx/runtime/core';
import { type PtyMaster, rtuFrame } from '../../src/index.js';

/** A pty without a kernel: it keeps the meters' bytes with their times. */
export class FakePty implements PtyMaster {
  readonly path = 'fake';
  speed = 9_600;
  isClosed = false;
  readonly heard: { atMs: number; bytes: number[] }[] = [];
  #listener = (_: Uint8Array) => {};
  readonly #time: Pick<Clock, 'monotonicMs'>;

  constructor(time: Pick<Clock, 'monotonicMs'>) {
    this.#time = time;
  }
  write(bytes: Uint8Array): void {
    this.heard.push({ atMs: this.#time.monotonicMs(), bytes: [...bytes] });
  }
  onBytes(call: (bytes: Uint8Array) => void): void {
    this.#listener = call;
  }
  baud(): number {
    return this.speed;
  }
  async close(): Promise<void> {
    this.isClosed = true;
  }
  /** Sends bytes as the client. */
  send(bytes: Uint8Array): void {
    this.#listener(bytes);
  }
  /** Returns everything heard since the last call. */
  take(): number[] {
    return this.heard.splice(0).flatMap(({ bytes }) => bytes);
  }
}

/** Builds a read request as an RTU frame. */
export const readRequest = (unit: number, fn: number, address: number, count: number): Uint8Array =>
  rtuFrame(unit, Uint8Array.of(fn, address >> 8, address & 0xff, count >> 8, count & 0xff));
