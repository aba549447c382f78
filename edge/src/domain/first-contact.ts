import { type Clock, sleep } from '@gridtokenx/runtime/core';

/** With a connection: how long retained acks are waited for before the first message is signed. */
const RETAINED_ACK_MS = 2_000;
/** Without one: how long a connection is waited for. */
const OFFLINE_MS = 3_000;

/** Waits for the first ack, for retained acks that do not come, or for a broker that does not answer [gateway §9.1]. */
export class FirstContact {
  readonly #clock: Clock;
  readonly #acked = Promise.withResolvers<void>();
  readonly #subscribed = Promise.withResolvers<void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** An ack came. */
  acked(): void {
    this.#acked.resolve();
  }

  /** The subscriptions are in force: retained acks come now, if there are any. */
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
