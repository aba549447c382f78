import { BackOff } from '../../core/back-off.js';
import { sleep } from '../../core/sleep.js';
import { StateLog } from '../../core/state-log.js';
import { BrokerLink, type BrokerLinkOptions, type PublishHow } from './broker-link.js';
import type { Dial } from './session.js';

/** One of several brokers. */
export interface BrokerAddress {
  readonly url: string;
  /** The broker's name: tokens are made for it. */
  readonly broker: string;
  readonly dial?: Dial | undefined;
}

export interface BrokerListOptions extends Omit<BrokerLinkOptions, keyof BrokerAddress> {
  /** At least one, the preferred broker first. */
  readonly brokers: readonly BrokerAddress[];
}

/** Failures in a row after which the next broker is tried. */
export const MAX_FAILURES = 3;
/** Time at another broker after which the first is tried again, ms. */
export const RETURN_MS = 600_000;
/** A session that ends sooner counts as a failed attempt, ms. */
const STEADY_MS = 30_000;
/** Rest after a round in which no broker answered, ms. */
const ROUND = { initialMs: 500, maxMs: 30_000 };

/** Why the link to a broker was ended: it failed, or the first broker is back. */
type End = 'failed' | 'return';

/**
 * Links to one broker of a list at a time. After three failures in a row it goes on with the next, and after ten minutes
 * there it tries the first one: it leaves the other only when the first accepts a session. It queues nothing.
 */
export class BrokerList {
  readonly #options: BrokerListOptions;
  readonly #round: BackOff;
  /** Outlives the links: a broker that stays dead is no news in each round. */
  readonly #states: StateLog;
  #link: BrokerLink;
  #index = 0;
  #problem: string | null = null;
  /** Ends the rest after a round. */
  #retry = new AbortController();

  constructor(options: BrokerListOptions) {
    this.#options = options;
    this.#round = new BackOff(ROUND, options.random);
    this.#states = new StateLog(options.log, options.clock);
    this.#link = this.#linkTo(0, {});
  }

  /** URL of the broker in use. */
  get url(): string {
    return this.#address.url;
  }
  get isConnected(): boolean {
    return this.#link.isConnected;
  }
  /** Reason of a missing connection, in plain words; null while connected, and after a stop. */
  get problem(): string | null {
    const own = this.#link.problem;
    return own === null || this.#problem === null ? own : this.#problem;
  }
  get #address(): BrokerAddress {
    return this.#options.brokers[this.#index] as BrokerAddress;
  }

  /** Connects, and reconnects, until aborted. Call it once. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { brokers, clock } = this.#options;
    while (!signal.aborted) {
      const why = await this.#serve(signal);
      if (signal.aborted) break;
      if (why === 'return') {
        this.#index = 0;
        continue;
      }
      this.#index = (this.#index + 1) % brokers.length;
      if (this.#index > 0) continue;
      await sleep(clock, this.#round.next(), AbortSignal.any([signal, this.#retry.signal]));
      if (this.#retry.signal.aborted) this.#retry = new AbortController();
    }
    this.#problem = null;
  }

  /** See `BrokerLink.publish`. */
  publish(topic: string, payload: Uint8Array | string, how: PublishHow = {}): Promise<void> {
    return this.#link.publish(topic, payload, how);
  }

  /** Tries again at once where there is no session. */
  retryNow(): void {
    this.#link.retryNow();
    this.#retry.abort();
  }

  /** Drops a connection that is known to be broken. */
  drop(): void {
    this.#link.drop();
  }

  /** Links to the present broker until it failed three times in a row, or the first is back. */
  async #serve(signal: AbortSignal): Promise<End> {
    const { brokers, clock, onConnected, onDisconnected, log } = this.#options;
    const end = new AbortController();
    const both = AbortSignal.any([signal, end.signal]);
    let why: End = 'failed';
    let failures = 0;
    let connectedAtMs: number | null = null;
    this.#link = this.#linkTo(this.#index, {
      onConnected: (session) => {
        connectedAtMs = clock.monotonicMs();
        this.#problem = null;
        this.#round.reset();
        onConnected?.(session);
      },
      onDisconnected: (problem) => {
        const isSteady = connectedAtMs !== null && clock.monotonicMs() - connectedAtMs >= STEADY_MS;
        connectedAtMs = null;
        failures = isSteady ? 1 : failures + 1;
        this.#problem = brokers.length > 1 ? `${this.url}: ${problem}` : problem;
        onDisconnected?.(problem);
        if (failures < MAX_FAILURES || brokers.length === 1) return;
        log.debug({ event: 'broker_left', broker: this.url, failures }, 'Left a broker after failures in a row');
        end.abort();
      },
    });
    const cancel =
      this.#index === 0
        ? () => {}
        : this.#watchFirst(both, () => {
            why = 'return';
            end.abort();
          });
    await this.#link.run(both);
    cancel();
    return why;
  }

  /** Tries the first broker every ten minutes; calls `back` once when it accepts a session. Call the result to cancel. */
  #watchFirst(signal: AbortSignal, back: () => void): () => void {
    const { clock, log } = this.#options;
    const look = async () => {
      if (await this.#accepts(signal)) {
        if (signal.aborted) return;
        log.info({ event: 'broker_returned', broker: this.#options.brokers[0]?.url }, 'The first broker is back');
        back();
      } else if (!signal.aborted) cancel = clock.after(RETURN_MS, () => void look());
    };
    let cancel = clock.after(RETURN_MS, () => void look());
    return () => cancel();
  }

  /** Resolves with true when the first broker accepts one session, which ends at once. Never rejects. */
  async #accepts(signal: AbortSignal): Promise<boolean> {
    const end = new AbortController();
    let isAccepted = false;
    const probe = this.#linkTo(0, {
      onMessage: () => {},
      onConnected: () => {
        isAccepted = true;
        end.abort();
      },
      onDisconnected: () => end.abort(),
      // Without a status it leaves no will: other ends see nothing of it.
      status: undefined,
    });
    await probe.run(AbortSignal.any([signal, end.signal]));
    return isAccepted;
  }

  #linkTo(index: number, change: Partial<Omit<BrokerLinkOptions, 'status'>> & { status?: undefined }): BrokerLink {
    const { brokers, status, ...rest } = this.#options;
    const address = brokers[index];
    if (!address) throw new RangeError('a list without a broker');
    const own = 'status' in change || status === undefined ? {} : { status };
    const { status: _, ...others } = change;
    return new BrokerLink({ ...rest, states: this.#states, ...address, ...own, ...others });
  }
}
