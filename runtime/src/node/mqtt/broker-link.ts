import { base58Encode, MAX_PACKET_BYTES, type Signer, signToken } from '@gridtokenx/protocol';
import { BackOff } from '../../core/back-off.js';
import type { Clock } from '../../core/clock.js';
import type { Logger } from '../../core/logger.js';
import type { Random } from '../../core/random.js';
import { sleep, within } from '../../core/sleep.js';
import { StateLog } from '../../core/state-log.js';
import type { Dial, MqttSession, SessionOptions } from './session.js';
import { noSessionWords } from './words.js';

/** The retained status of this end. Its will states that the end is gone. */
export interface PublishedStatus {
  readonly topic: string;
  /** `session`: a new name for each connection. */
  readonly text: (isOnline: boolean, session: string) => string;
}

export interface BrokerLinkOptions {
  /** `mqtt://` or, with `dial`, `mqtts://`. */
  readonly url: string;
  /** The broker's name: tokens are made for it. */
  readonly broker: string;
  /** Opens a connection whose peer has proved its name. Rejects with plain words. */
  readonly dial?: Dial | undefined;
  readonly signer: Signer;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Remembers for the links of a list which brokers failed, by URL; the link's own where it is absent. */
  readonly states?: StateLog;
  /** Filters of each connect, subscribed before anything is published. */
  readonly subscriptions: readonly string[];
  readonly status?: PublishedStatus;
  /** Called for each message; must not throw. */
  readonly onMessage: (topic: string, payload: Uint8Array) => void;
  /** The link is subscribed and the status is published. The broker may have lost its retained messages. */
  readonly onConnected?: (session: string) => void;
  /** The session ended, or none began. `problem` is the reason in plain words. */
  readonly onDisconnected?: (problem: string) => void;
  /** Opens one session. */
  readonly open: (url: string, options: SessionOptions, dial?: Dial) => Promise<MqttSession>;
}

export interface PublishHow {
  /** 1 without it. */
  readonly qos?: 0 | 1;
  readonly retain?: boolean;
}

/** `stopped`: the caller stopped it, and nothing is wrong. */
export type LinkState = 'connecting' | 'connected' | 'waiting' | 'stopped';

const TOKEN_SECONDS = 3_600;
/** The broker's clock may be a little behind this machine's. */
const TOKEN_EARLY_SECONDS = 60;
const NONCE_BYTES = 16;
const SESSION_NAME_BYTES = 8;
/** A broker that does not answer in time counts as gone. */
const STEP_MS = 15_000;
const FAREWELL_MS = 1_000;
/** A session that ends sooner counts as a failed attempt: a broker may accept and close at once, again and again. */
const STEADY_MS = 30_000;
const BACK_OFF = { initialMs: 250, maxMs: 30_000 };

/**
 * The link to the broker that gateway and oracle share: clean sessions one after another, each with its own token, with
 * back-off and jitter between. It queues nothing: the keeper of a message sends it again if the broker forgets it.
 */
export class BrokerLink {
  readonly #options: BrokerLinkOptions;
  /** This end's key in base58: user name and client id. */
  readonly name: string;
  #state: LinkState = 'connecting';
  #problem: string | null = 'not connected to the broker yet';
  #session: MqttSession | null = null;
  readonly #states: StateLog;
  /** Ends the wait before the next attempt; a stop does, too. */
  #retry = new AbortController();

  /** Throws an `Error` for a url that needs `dial` and has none. */
  constructor(options: BrokerLinkOptions) {
    if (!options.dial && !options.url.startsWith('mqtt://')) {
      throw new Error(`${options.url}: nothing opens TLS connections here`);
    }
    this.#options = options;
    this.#states = options.states ?? new StateLog(options.log, options.clock);
    this.name = base58Encode(options.signer.publicKey);
  }

  get state(): LinkState {
    return this.#state;
  }
  get url(): string {
    return this.#options.url;
  }
  get isConnected(): boolean {
    return this.#state === 'connected';
  }
  /** Reason of a missing connection, in plain words; null while connected, and after a stop. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Connects, and reconnects, until aborted. Then it publishes its farewell and resolves. Call it once. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, onDisconnected, url } = this.#options;
    const backOff = new BackOff(BACK_OFF, random);
    signal.addEventListener('abort', () => this.#retry.abort(), { once: true });
    while (!signal.aborted) {
      this.#state = 'connecting';
      const facts = { broker: this.#options.broker, key: this.name, nowMs: clock.nowMs() };
      const problem = await this.#serve(signal, backOff).catch((error: unknown) => noSessionWords(error, facts));
      if (signal.aborted) break;
      this.#problem = problem;
      this.#state = 'waiting';
      const waitMs = backOff.next();
      const fields = { event: 'broker_connect_failed', broker: url, waitMs, problem };
      this.#states.holds(url, fields, 'Cannot open a session with the broker: trying again');
      onDisconnected?.(problem);
      await sleep(clock, waitMs, this.#retry.signal);
      if (this.#retry.signal.aborted && !signal.aborted) {
        this.#retry = new AbortController();
        backOff.reset();
      }
    }
    this.#state = 'stopped';
    this.#problem = null;
  }

  /**
   * Resolves when the broker has the message (QoS 1), which proves no more than that. Rejects without a session, when the
   * session ends earlier, and when the broker does not answer: then it drops the connection.
   */
  publish(topic: string, payload: Uint8Array | string, { qos = 1, retain = false }: PublishHow = {}): Promise<void> {
    const session = this.#session;
    if (!session) return Promise.reject(new Error(this.#problem ?? 'stopped'));
    return this.#step(session, session.publish(topic, payload, { qos, retain }));
  }

  /** Tries again at once where there is no session, also after an attempt that is under way: its token may be outdated. */
  retryNow(): void {
    if (!this.isConnected) this.#retry.abort();
  }

  /** Drops a connection that is known to be broken. The next begins after the back-off. */
  drop(): void {
    this.#session?.abort();
  }

  /** Runs one session. Resolves with the reason of its end, in words. */
  async #serve(signal: AbortSignal, backOff: BackOff): Promise<string> {
    const { url, dial, status, clock, random, onMessage, onConnected, open } = this.#options;
    const name = base58Encode(random.bytes(SESSION_NAME_BYTES));
    const end = new AbortController();
    const stopped = new Promise<null>((resolve) => {
      signal.addEventListener('abort', () => resolve(null), { once: true, signal: end.signal });
    });
    const will = status && { topic: status.topic, payload: status.text(false, name) };
    const signIn = { clientId: this.name, username: this.name, password: this.#token() };
    const opening = open(url, { ...signIn, will, mostPacketBytes: MAX_PACKET_BYTES, onMessage }, dial);
    let session: MqttSession | null = null;
    try {
      session = await Promise.race([opening, stopped]);
      if (!session) {
        // The caller no longer waits for it.
        opening.then((late) => late.abort()).catch(() => {});
        return 'stopped';
      }
      await Promise.race([this.#greet(session, name), stopped]);
      if (signal.aborted) return await this.#farewell(session, name);
      this.#session = session;
      this.#state = 'connected';
      this.#problem = null;
      const steady = this.#logConnect(name);
      end.signal.addEventListener('abort', steady, { once: true });
      onConnected?.(name);
      const connectedAtMs = clock.monotonicMs();
      const reason = await Promise.race([session.ended, stopped]);
      if (clock.monotonicMs() - connectedAtMs >= STEADY_MS) backOff.reset();
      if (reason === null) return await this.#farewell(session, name);
      return `the connection to the broker ended: ${reason}`;
    } catch (error) {
      session?.abort();
      throw error;
    } finally {
      this.#session = null;
      end.abort();
    }
  }

  /** Logs a connection. After failures it must last first. Call the result when the session has ended. */
  #logConnect(session: string): () => void {
    const { clock, log, url } = this.#options;
    const fields = { event: 'broker_connected', broker: url, session };
    const words = 'Connected to the broker';
    if (this.#states.lasts(url)) return clock.after(STEADY_MS, () => this.#states.ended(url, fields, words));
    log.info(fields, words);
    return () => {};
  }

  /** Subscribes, and publishes the status of this end. */
  async #greet(session: MqttSession, name: string): Promise<void> {
    const { subscriptions, status } = this.#options;
    await this.#step(session, session.subscribe(subscriptions));
    if (status) await this.#step(session, session.publish(status.topic, status.text(true, name), RETAINED));
  }

  /** Publishes that this end leaves, so that nobody waits for its will. */
  async #farewell(session: MqttSession, name: string): Promise<string> {
    const { status, clock } = this.#options;
    const late = () => new Error('late');
    if (status) {
      const told = session.publish(status.topic, status.text(false, name), RETAINED);
      await within(clock, FAREWELL_MS, told, late).catch(() => {});
    }
    await within(clock, FAREWELL_MS, session.close(), late).catch(() => session.abort());
    return 'stopped';
  }

  #token(): Uint8Array {
    const { broker, clock, random, signer } = this.#options;
    const now = Math.floor(clock.nowMs() / 1000);
    const token = {
      broker,
      clientId: this.name,
      notBefore: now - TOKEN_EARLY_SECONDS,
      expiry: now + TOKEN_SECONDS,
      nonce: random.bytes(NONCE_BYTES),
    };
    return signToken(token, signer);
  }

  /** Bounds every step: otherwise a broker that hangs would block the link for ever. */
  #step<T>(session: MqttSession, step: Promise<T>): Promise<T> {
    return within(this.#options.clock, STEP_MS, step, () => {
      session.abort();
      return new Error(`the broker gave no answer within ${STEP_MS / 1000} s`);
    });
  }
}

const RETAINED = { qos: 1, retain: true } as const;
