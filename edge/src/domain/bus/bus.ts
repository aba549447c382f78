import { ReadError, ReadFailure } from '../ports.js';
import type { BusOptions } from './bus-options.js';
import { CLOSES_AT_ONCE, Connection } from './connection.js';
import { type ReadFunction, type ReadRequest, replyLength, requestLength } from './frames.js';
import { type Answer, NoAnswer } from './port.js';
import type { RegisterClient } from './ports.js';
import { BusQueue } from './queue.js';
import { readErrorOf } from './read-error.js';
import { ReadLength } from './read-length.js';
import type { PollShare, ReadOptions, ReadVariant, Registers } from './reads.js';
import { QUARANTINE_TIMEOUTS, type ReplyQuarantine } from './reply-quarantine.js';
import { SilentUnits } from './silent.js';
import { BusStats } from './stats.js';
import { UnitHealth } from './unit.js';

export type { PollShare, ReadOptions, ReadVariant, Registers, UnitLimits } from './reads.js';

/** Time without signing after a second master was last heard, ms. */
const SECOND_MASTER_MS = 60_000;

/**
 * Owns a bus alone: one request in flight, own deadlines, and never the value of one register under the name of another
 * [gateway §6]. Readers of several units share one `Bus`.
 */
export class Bus {
  readonly name: string;
  readonly stats: BusStats;
  readonly quarantine: ReplyQuarantine;
  readonly units = new Map<number, UnitHealth>();
  /** Line time of each unit's polls, by unit; the readers set it. */
  readonly polls = new Map<number, PollShare>();
  readonly #options: BusOptions;
  readonly #queue: BusQueue;
  readonly #connection: Connection;
  readonly #silent: SilentUnits;
  readonly #clients = new Map<number, RegisterClient>();
  #secondMasterUntilMs = Number.NEGATIVE_INFINITY;
  /** The longest quarantine that a unit's profile demands, ms. */
  #minRestMs = 0;
  /** Idle time of the connection that ended before the last request, ms; null when the request failed otherwise. */
  #endedIdleMs: number | null = null;
  #current: { health: UnitHealth; ask: ReadRequest; timeoutMs: number; answer: Answer | null } | null = null;

  constructor(options: BusOptions) {
    this.name = options.name;
    this.#options = options;
    this.stats = options.stats ?? new BusStats();
    this.quarantine = options.quarantine;
    const { clock, minTimeoutMs } = options;
    this.#connection = new Connection({
      ...options,
      stats: this.stats,
      framing: options.makeFraming(this.quarantine),
      onSecondMaster: () => {
        this.#secondMasterUntilMs = clock.monotonicMs() + SECOND_MASTER_MS;
      },
    });
    this.#minRestMs = options.quarantine.leastMs;
    this.#queue = new BusQueue(clock);
    this.#silent = new SilentUnits({
      clock,
      queue: this.#queue,
      quarantine: this.quarantine,
      units: this.units,
      minTimeoutMs,
    });
  }

  /**
   * Returns true on serial lines and converters: requests share one line there, and only the reply shape identifies a
   * reply.
   */
  get isShared(): boolean {
    return this.#options.shapes;
  }

  /** Returns the lengths that a unit answers and refuses; empty before its first read. */
  lengths(unit: number): ReadLength {
    return this.units.get(unit)?.lengths ?? new ReadLength();
  }

  /** Records that the last exception of a unit was about the length of a read, and no fault. */
  explained(unit: number): void {
    this.units.get(unit)?.explained();
  }

  /** Returns true where requests travel over a network, to a device or to a converter. */
  get isNetwork(): boolean {
    return this.#options.speed.charMs === 0;
  }

  /** Returns the idle time after which the peer drops a connection, ms; null while none was dropped. */
  get idleLimitMs(): number | null {
    return this.#connection.idle.limitMs;
  }

  /** Says in plain words why there is no connection; null while there is one. */
  get problem(): string | null {
    return this.#connection.problem;
  }

  /** Instant until which no reading of this bus may be signed, because a second master was heard. Monotonic ms. */
  get secondMasterUntilMs(): number {
    return this.#secondMasterUntilMs;
  }

  /** Returns the instant until which the bus only listens after a start, monotonic ms; null before it was opened. */
  get restUntilMs(): number | null {
    const { openedAtMs } = this.#connection;
    if (openedAtMs === null) return null;
    const { shapes, requestMs } = this.#options;
    // A meter may still answer requests that an earlier process sent.
    return shapes
      ? openedAtMs + (this.#options.restMs ?? Math.max(this.#minRestMs, QUARANTINE_TIMEOUTS * requestMs))
      : 0;
  }

  /**
   * Reads registers by the first of `variants` whose shape is free. Rejects with `ReadError`; a reply that arrives
   * after the rejection is never used.
   */
  async read(
    unit: number,
    fn: ReadFunction,
    variants: readonly ReadVariant[],
    options: ReadOptions,
  ): Promise<Registers> {
    const health = this.#unit(unit, options);
    const now = this.#options.clock.monotonicMs();
    if (health.silenceBeganAtMs !== null) {
      const lineMs =
        (requestLength + replyLength(Math.max(...variants.map(({ count }) => count)))) * this.#options.speed.charMs;
      this.#silent.probe(health, lineMs, () => this.#read(health, fn, variants));
      const seconds = Math.max(0, Math.ceil((health.nextProbeAtMs - now) / 1000));
      const since = Math.round((now - health.silenceBeganAtMs) / 1000);
      throw new ReadError(
        ReadFailure.timeout,
        `unit ${unit} on ${this.name} has not answered for ${since} s; the next probe is in ${seconds} s`,
      );
    }
    return this.#queue.run(unit, options.periodMs, () => this.#read(health, fn, variants));
  }

  /** Reads once; again on a new connection when the first had ended while it was idle. */
  async #read(health: UnitHealth, fn: ReadFunction, variants: readonly ReadVariant[]): Promise<Registers> {
    this.#endedIdleMs = null;
    try {
      return await this.#once(health, fn, variants);
    } catch (error) {
      if (this.#endedIdleMs === null) throw error;
      const read = await this.#once(health, fn, variants);
      this.#connection.idle.lost(this.#endedIdleMs);
      return read;
    }
  }

  async #once(health: UnitHealth, fn: ReadFunction, variants: readonly ReadVariant[]): Promise<Registers> {
    const { unit } = health;
    const { clock } = this.#options;
    await this.#connection.connect();
    const now = clock.monotonicMs();
    this.#checkRest(now);
    const choice = this.#choose(unit, fn, variants, now);
    const ask: ReadRequest = { unit, fn, ...choice };
    const timeoutMs = this.#silent.timeoutMs(health);
    this.#current = { health, ask, timeoutMs, answer: null };
    try {
      const data = await this.#client(unit).read(ask);
      const frame = (this.#current.answer as Answer).frame;
      if (data.length !== 2 * ask.count) throw new ReadError(ReadFailure.badReply, `${data.length} bytes of data`);
      return { ...choice, data, frame };
    } catch (error) {
      throw readErrorOf(error, ask, this.name);
    } finally {
      this.#current = null;
    }
  }

  /** Sends the request that `#read` prepared, and no other. The library calls this as its port. */
  async #exchange(frame: Uint8Array): Promise<Uint8Array> {
    const current = this.#current;
    const { port } = this.#connection;
    if (!current || !port) throw new NoAnswer('gone', 'no connection');
    const { health, ask, timeoutMs } = current;
    const { unit, fn, count } = ask;
    const { clock, speed } = this.#options;
    const bytes = 2 * count;
    if (frame.length !== 8 || frame[0] !== unit || frame[1] !== fn)
      throw new Error('not the request that was prepared');
    // Counts the whole wait, and for a probe the full time-out: characters take time, and lateness counts from the
    // request on.
    const wholeMs = Math.max(timeoutMs, health.estimate.timeoutMs()) + (13 + bytes) * speed.charMs;
    this.quarantine.onRequest(unit, fn, bytes, clock.monotonicMs(), wholeMs);
    this.#connection.requested();
    try {
      const answer = await port.exchange(ask, timeoutMs, health.estimate.turnaroundMs);
      const now = clock.monotonicMs();
      if (answer.isException) this.quarantine.onException(unit, fn, bytes, now);
      else this.quarantine.onReply(unit, fn, bytes, now);
      health.answered(answer.waitedMs, answer.isException ? (answer.frame[2] ?? 0) : null);
      this.#connection.answered();
      current.answer = answer;
      const { waitedMs, isException } = answer;
      this.#options.log.debug(
        { event: 'bus_reply', bus: this.name, ...ask, waitedMs, isException },
        'Received a reply',
      );
      if (!answer.isException) {
        health.lengths.answered(count);
        this.#options.onAnswer?.(ask, answer.frame);
      }
      return answer.frame;
    } catch (error) {
      const now = clock.monotonicMs();
      this.quarantine.onTimeout(unit, fn, bytes, now);
      this.#options.log.debug(
        { event: 'bus_no_reply', bus: this.name, ...ask, err: error },
        'Received no usable reply',
      );
      const closesAtOnce = this.#connection.closesAtOnce(error);
      this.#endedIdleMs = this.#connection.endedWhileIdle(error, health.isWell);
      if (this.#endedIdleMs === null) this.#failed(error, health, now);
      throw closesAtOnce ? new NoAnswer('gone', CLOSES_AT_ONCE) : error;
    }
  }

  #failed(error: unknown, health: UnitHealth, now: number): void {
    const reason = error instanceof NoAnswer ? error.reason : 'gone';
    if (reason === 'timeout') this.stats.add('timeouts');
    if (reason === 'timeout' || reason === 'damaged') health.failed(now, reason === 'damaged');
    this.#connection.failed(error);
  }

  #choose(unit: number, fn: ReadFunction, variants: readonly ReadVariant[], now: number): ReadVariant {
    const [first] = variants;
    if (!first) throw new ReadError(ReadFailure.badReply, 'nothing to read');
    if (!this.#options.shapes) return first;
    const free = variants.find(({ count }) => this.quarantine.mayUse(unit, fn, 2 * count, now));
    if (free) return free;
    const soonest = Math.min(...variants.map(({ count }) => this.quarantine.freeAt(unit, fn, 2 * count, now)));
    throw new ReadError(
      ReadFailure.resting,
      `unit ${unit} on ${this.name} rests for ${((soonest - now) / 1000).toFixed(1)} s: answers to earlier requests may still come`,
    );
  }

  #checkRest(now: number): void {
    const { restUntilMs } = this;
    if (restUntilMs !== null && now < restUntilMs) {
      const seconds = Math.ceil((restUntilMs - now) / 1000);
      throw new ReadError(
        ReadFailure.resting,
        `${this.name} listens for ${seconds} s more: answers to requests before the start may still come`,
      );
    }
    if (now < this.#secondMasterUntilMs) {
      const seconds = Math.ceil((this.#secondMasterUntilMs - now) / 1000);
      throw new ReadError(
        ReadFailure.secondMaster,
        `another device polls the meters on ${this.name}: the gateway reads nothing for ${seconds} s. Take the device off the line, or give the gateway a line of its own`,
      );
    }
  }

  #client(unit: number): RegisterClient {
    let client = this.#clients.get(unit);
    if (!client) {
      client = this.#options.makeClient((frame) => this.#exchange(frame));
      this.#clients.set(unit, client);
    }
    return client;
  }

  #unit(unit: number, { periodMs, limits }: ReadOptions): UnitHealth {
    let health = this.units.get(unit);
    if (!health) {
      const { requestMs, random } = this.#options;
      const leastMs = Math.min(requestMs, Math.max(this.#options.minTimeoutMs, limits?.timeoutMinMs ?? 0));
      const bounds = { initialMs: requestMs, minMs: leastMs, maxMs: Math.max(leastMs, periodMs / 3) };
      health = new UnitHealth(unit, bounds, random);
      this.units.set(unit, health);
      this.quarantine.limit(unit, limits?.quarantineMs ?? 0);
      this.#minRestMs = Math.max(this.#minRestMs, limits?.quarantineMs ?? 0);
    }
    return health;
  }

  /** Closes the line; reads reject from then on. */
  close(): Promise<void> {
    this.#silent.close();
    return this.#connection.close();
  }
}
