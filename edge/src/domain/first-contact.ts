import { type Clock, sleep } from '@gridtokenx/runtime/core';

/** Wait for retained acks on a connection before the first message is signed, ms. */
const RETAINED_ACK_MS = 2_000;
/** Wait for a connection, ms. */
const OFFLINE_MS = 3_000;

/** Waits for the first ack; gives up when no retained ack arrives, or the broker does not answer [gateway §9.1]. */
export class FirstContact {
  readonly #clock: Clock;
  readonly #acked = Promise.withResolvers<void>();
  readonly #subscribed = Promise.withResolvers<void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Records that an ack arrived. */
  acked(): void {
    this.#acked.resolve();
  }

  /** Records that the subscriptions are in force: retained acks arrive now, if there are any. */
  subscribed(): void {
    this.#subscribed.resolve();
  }

  async wait(signal: AbortSignal): Promise<void> {
    const isConnected = await Promise.race([
      this.#acked.promise.then(() => false),
      sleep(this.#clock, OFFLINE_MS, signal).then(() => false),
      this.#subscribed.promise.then(() => true),
    ]);
    if (isConnected) await Promise.race([this.#acked.promise, sleep(this.#clock, RETAINED_ACK_MS, signal)]);
  }
}
