import type { Clock } from '@gridtokenx/runtime/core';
import { type PtyMaster, rtuFrame } from '../../src/index.js';

/** A pty without a kernel: what the meters say is kept with its time. */
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
  /** The client sends. */
  send(bytes: Uint8Array): void {
    this.#listener(bytes);
  }
  /** Everything that was heard since this was last asked. */
  take(): number[] {
    return this.heard.splice(0).flatMap(({ bytes }) => bytes);
  }
}

/** A read request as an RTU frame. */
export const readRequest = (unit: number, fn: number, address: number, count: number): Uint8Array =>
  rtuFrame(unit, Uint8Array.of(fn, address >> 8, address & 0xff, count >> 8, count & 0xff));
