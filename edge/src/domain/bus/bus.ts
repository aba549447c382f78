import { type Randomness, ReadError, ReadFailure, type RealTime } from '../../ports.js';
import { Backoff } from '../backoff.js';
import type { Ask, ReadFunction } from './frames.js';
import type { Framing } from './framing.js';
import type { Line, LineSpeed, OpenLine } from './line.js';
import { type Answer, NoAnswer, Port } from './port.js';
import { BusQueue } from './queue.js';
import { QUARANTINE_TIMEOUTS, ShapeBook } from './shapes.js';
import { BusStats } from './stats.js';
import { UnitHealth } from './unit.js';

/** Sends one read request through a Modbus library; `exchange` is what the library's port does with its frame. */
export interface RegisterClient {
  /** Data bytes of `ask.count` registers. Rejects with what `exchange` rejected with, or `ModbusException`. */
  read(ask: Ask): Promise<Uint8Array>;
}
export type MakeClient = (exchange: (frame: Uint8Array) => Promise<Uint8Array>) => RegisterClient;

/** The meter answers that it will not (exception code of the Modbus application protocol, section 7). */
export class ModbusException extends Error {
  override readonly name = 'ModbusException';
  readonly code: number;
  constructor(code: number) {
    super(`exception ${code}`);
    this.code = code;
  }
}

export interface BusOptions {
  readonly name: string;
  readonly open: OpenLine;
  readonly makeClient: MakeClient;
  readonly real: RealTime;
  readonly random: Randomness;
  readonly speed: LineSpeed;
  readonly makeFraming: (book: ShapeBook) => Framing;
  /** Whether answers are told apart by their shape only: serial lines, converters. */
  readonly shapes: boolean;
  /** Real milliseconds that a unit is waited for before anything is known of it. */
  readonly requestMs: number;
  readonly connectMs: number;
  /** Least time-out, ms: no adapter or network is steadier than this. */
  readonly leastTimeoutMs: number;
  readonly quarantineMs?: number;
  /** How long a line is only listened to after it was first opened, ms; default: the longest quarantine at the start. */
  readonly restMs?: number;
  /** For campaigns, which break the rule on purpose. */
  readonly quarantineInsteadMs?: () => number;
  readonly stats?: BusStats;
  /** A port that worked cannot be opened any more: only a new process helps. */
  readonly giveUp?: (reason: string) => void;
}

/** Registers that were read. */
export interface Registers {
  readonly address: number;
  readonly count: number;
  readonly data: Uint8Array;
  /** The answer as it stood on the line (on TCP: as it would on a serial line). */
  readonly frame: Uint8Array;
}

/** One way to read what is wanted; another has another length. */
export interface Choice {
  readonly address: number;
  readonly count: number;
}

export interface ReadOptions {
  /** The unit's poll period, real ms: a time-out is at most a third of it. */
  readonly periodMs: number;
}

const FIRST_RETRY_MS = 200;
const LAST_RETRY_MS = 5_000;
/** Nothing is signed until so long after another master was last heard. */
const FOREIGN_MS = 60_000;
const IDLE_LOOK_MS = 250;
const LEAST_PROBE_MS = 500;
/** So many requests in a row during which nothing at all was heard: the connection may be half open. */
const SILENT_REQUESTS = 3;
/** A port that cannot be opened because it is locked for so long, after it worked, is given up. */
const LOCKED_MS = 60_000;

/**
 * The one owner of a bus: one request in flight, own deadlines, and never the value of one register given for another
 * (gateway: Zero misattribution). Readers of several units share it.
 */
export class Bus {
  readonly name: string;
  readonly stats: BusStats;
  readonly book: ShapeBook;
  readonly units = new Map<number, UnitHealth>();
  readonly #o: BusOptions;
  readonly #queue: BusQueue;
  readonly #backoff: Backoff;
  readonly #framing: Framing;
  readonly #clients = new Map<number, RegisterClient>();
  readonly #probes = new Map<number, () => void>();
  #line: Line | null = null;
  #port: Port | null = null;
  #closing: Promise<void> = Promise.resolve();
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #restUntilMs: number | null = null;
  #foreignUntilMs = Number.NEGATIVE_INFINITY;
  #unheard = 0;
  #worked = false;
  #lockedSinceMs: number | null = null;
  #closed = false;
  #cancelLook = () => {};
  #current: { health: UnitHealth; ask: Ask; timeoutMs: number; answer: Answer | null } | null = null;
  /** Why there is no connection, in plain words; null while there is one. */
  problem: string | null = null;

  constructor(options: BusOptions) {
    this.name = options.name;
    this.#o = options;
    this.stats = options.stats ?? new BusStats();
    this.book = new ShapeBook({
      quarantineMs: options.quarantineMs ?? 0,
      quarantineTimeouts: QUARANTINE_TIMEOUTS,
      ...(options.quarantineInsteadMs ? { insteadMs: options.quarantineInsteadMs } : {}),
    });
    this.#framing = options.makeFraming(this.book);
    this.#queue = new BusQueue(options.real);
    this.#backoff = new Backoff(FIRST_RETRY_MS, LAST_RETRY_MS, options.random);
  }

  /** When another master was heard: until then nothing that is read here may be signed. Monotonic ms. */
  get foreignUntilMs(): number {
    return this.#foreignUntilMs;
  }

  /** Until when the bus only listens after a start, monotonic ms; null before it was opened. */
  get restUntilMs(): number | null {
    return this.#restUntilMs;
  }

  /**
   * Reads registers by the first of `choices` whose shape is free. Rejects with `ReadError`; what arrives after that is
   * never used.
   */
  async read(unit: number, fn: ReadFunction, choices: readonly Choice[], options: ReadOptions): Promise<Registers> {
    const health = this.#unit(unit, options.periodMs);
    const now = this.#o.real.monotonicMs();
    if (health.silentSinceMs !== null) {
      this.#probe(health, fn, choices);
      const seconds = Math.max(0, Math.ceil((health.nextProbeMs - now) / 1000));
      const since = Math.round((now - health.silentSinceMs) / 1000);
      throw new ReadError(
        ReadFailure.timeout,
        `unit ${unit} on ${this.name} has not answered for ${since} s; it is asked again in ${seconds} s`,
      );
    }
    const result = await this.#queue.run(unit, options.periodMs, () => this.#read(health, fn, choices));
    return result;
  }

  /** Asks a silent unit from time to time, when nobody else wants the bus. */
  #probe(health: UnitHealth, fn: ReadFunction, choices: readonly Choice[]): void {
    const { unit } = health;
    if (this.#probes.has(unit) || this.#closed) return;
    const { real } = this.#o;
    const ask = () => {
      const run = () => this.#read(health, fn, choices);
      this.#queue
        .runInGap(health.estimate.timeoutMs(), run)
        .catch(() => {})
        .finally(() => {
          this.#probes.delete(unit);
          if (health.silentSinceMs !== null) this.#probe(health, fn, choices);
        });
    };
    // A probe that could not be sent (no connection, all shapes held back) moves nothing: it is tried again later too.
    const delay = Math.max(LEAST_PROBE_MS, health.nextProbeMs - real.monotonicMs());
    this.#probes.set(unit, real.schedule(delay, ask));
  }

  async #read(health: UnitHealth, fn: ReadFunction, choices: readonly Choice[]): Promise<Registers> {
    const { unit } = health;
    const { real } = this.#o;
    await this.#connect();
    const now = real.monotonicMs();
    this.#checkRest(now);
    const choice = this.#choose(unit, fn, choices, now);
    const ask: Ask = { unit, fn, ...choice };
    const timeoutMs = health.estimate.timeoutMs();
    this.#current = { health, ask, timeoutMs, answer: null };
    try {
      const data = await this.#client(unit).read(ask);
      const frame = (this.#current.answer as Answer).frame;
      if (data.length !== 2 * ask.count) throw new ReadError(ReadFailure.badReply, `${data.length} bytes of data`);
      return { ...choice, data, frame };
    } catch (error) {
      throw this.#readError(error, unit);
    } finally {
      this.#current = null;
    }
  }

  /** What the library's port does: the request that `#read` prepared, and nothing else. */
  async #exchange(frame: Uint8Array): Promise<Uint8Array> {
    const current = this.#current;
    const port = this.#port;
    if (!current || !port) throw new NoAnswer('gone', 'no connection');
    const { health, ask, timeoutMs } = current;
    const { unit, fn, count } = ask;
    const { real, speed } = this.#o;
    const bytes = 2 * count;
    if (frame.length !== 8 || frame[0] !== unit || frame[1] !== fn)
      throw new Error('not the request that was prepared');
    // The whole wait counts: characters take time, and lateness is measured from the request on.
    this.book.sent(unit, fn, bytes, real.monotonicMs(), timeoutMs + (13 + bytes) * speed.charMs);
    try {
      const answer = await port.exchange(ask, timeoutMs, health.estimate.turnaroundMs);
      const now = real.monotonicMs();
      if (answer.isException) this.book.excepted(unit, fn, bytes, now);
      else this.book.answered(unit, fn, bytes, now);
      health.answered(answer.waitedMs, answer.isException);
      this.#unheard = 0;
      current.answer = answer;
      return answer.frame;
    } catch (error) {
      const now = real.monotonicMs();
      this.book.failed(unit, fn, bytes, now);
      this.#failed(error, health, now);
      throw error;
    }
  }

  #failed(error: unknown, health: UnitHealth, now: number): void {
    const reason = error instanceof NoAnswer ? error.reason : 'gone';
    this.#unheard = this.#port?.heard() ? 0 : this.#unheard + 1;
    if (reason === 'timeout') this.stats.add('timeouts');
    if (reason === 'timeout' || reason === 'damaged') health.failed(now, reason === 'damaged');
    const isTcp = !this.#o.shapes;
    const isLost = reason === 'gone' || reason === 'violation' || (reason === 'damaged' && isTcp);
    if (isLost || (this.#unheard >= SILENT_REQUESTS && this.#mayBeHalfOpen())) this.#drop();
  }

  /** A serial line is opened anew only when nothing was heard for many requests: it takes other meters' time. */
  #mayBeHalfOpen(): boolean {
    return this.#o.speed.charMs === 0 || this.#unheard >= 10 * SILENT_REQUESTS;
  }

  #choose(unit: number, fn: ReadFunction, choices: readonly Choice[], now: number): Choice {
    const [first] = choices;
    if (!first) throw new ReadError(ReadFailure.badReply, 'nothing to read');
    if (!this.#o.shapes) return first;
    const free = choices.find(({ count }) => this.book.mayUse(unit, fn, 2 * count, now));
    if (free) return free;
    const soonest = Math.min(...choices.map(({ count }) => this.book.freeAt(unit, fn, 2 * count, now)));
    throw new ReadError(
      ReadFailure.resting,
      `unit ${unit} on ${this.name} rests for ${((soonest - now) / 1000).toFixed(1)} s: answers to earlier requests may still come`,
    );
  }

  #checkRest(now: number): void {
    if (this.#restUntilMs !== null && now < this.#restUntilMs) {
      const seconds = Math.ceil((this.#restUntilMs - now) / 1000);
      throw new ReadError(
        ReadFailure.resting,
        `${this.name} listens for ${seconds} s more: answers to requests before the start may still come`,
      );
    }
    if (now < this.#foreignUntilMs) {
      const seconds = Math.ceil((this.#foreignUntilMs - now) / 1000);
      throw new ReadError(
        ReadFailure.foreignMaster,
        `another device polls the meters on ${this.name}: nothing is read for ${seconds} s. Take it off the line, or give the gateway a line of its own`,
      );
    }
  }

  #readError(error: unknown, unit: number): ReadError {
    if (error instanceof ReadError) return error;
    if (error instanceof ModbusException)
      return new ReadError(ReadFailure.exception, `unit ${unit} answers with exception ${error.code}`, {
        cause: error,
      });
    if (!(error instanceof NoAnswer))
      return new ReadError(ReadFailure.badReply, `unit ${unit}: ${describe(error)}`, { cause: error });
    const where = `unit ${unit} on ${this.name}`;
    switch (error.reason) {
      case 'timeout':
        return new ReadError(ReadFailure.timeout, `${where} gave no answer in time`, { cause: error });
      case 'damaged':
        return new ReadError(ReadFailure.timeout, `${where}: ${error.message}`, { cause: error });
      case 'foreign':
        return new ReadError(ReadFailure.foreignMaster, `another device polls the meters on ${this.name}`, {
          cause: error,
        });
      default:
        return new ReadError(ReadFailure.connection, `${where}: ${error.message}`, { cause: error });
    }
  }

  async #connect(): Promise<void> {
    if (this.#port) return;
    const { open, real, connectMs } = this.#o;
    if (this.#closed) throw new ReadError(ReadFailure.connection, `${this.name} is closed`);
    if (real.monotonicMs() < this.#notBeforeMs) {
      throw new ReadError(ReadFailure.connection, `${this.name}: ${this.problem ?? 'not connected'}`);
    }
    // A port that is opened before it was closed says that it is locked.
    await this.#closing;
    const opening = open();
    try {
      this.#opened(await within(real, connectMs, opening));
    } catch (error) {
      // One that comes after all is not used.
      opening.then(
        (late) => late.close(),
        () => {},
      );
      this.#refused(error);
      throw new ReadError(ReadFailure.connection, `${this.name}: ${this.problem}`, { cause: error });
    }
  }

  #opened(line: Line): void {
    const { real, speed, shapes, requestMs, quarantineMs = 0 } = this.#o;
    const restMs = this.#o.restMs ?? Math.max(quarantineMs, QUARANTINE_TIMEOUTS * requestMs);
    this.stats.add('connects');
    this.#line = line;
    this.#port = new Port({
      line,
      speed,
      real,
      framing: this.#framing,
      stats: this.stats,
      onForeign: () => {
        this.#foreignUntilMs = real.monotonicMs() + FOREIGN_MS;
      },
    });
    this.problem = null;
    this.#worked = true;
    this.#lockedSinceMs = null;
    this.#unheard = 0;
    this.#backoff.reset();
    // What a process before this one asked may be answered to us.
    this.#restUntilMs ??= shapes ? real.monotonicMs() + restMs : 0;
    if (shapes) this.#look();
  }

  /** Listens between requests, so that another master does not stay unnoticed. */
  #look(): void {
    this.#cancelLook = this.#o.real.schedule(IDLE_LOOK_MS, () => {
      this.#port?.listen();
      if (this.#port) this.#look();
    });
  }

  #refused(error: unknown): void {
    const { real, giveUp } = this.#o;
    const now = real.monotonicMs();
    this.stats.add('connect_errors');
    this.problem = describe(error);
    this.#notBeforeMs = now + this.#backoff.next();
    if (!this.#worked || !/lock/i.test(this.problem)) return;
    this.#lockedSinceMs ??= now;
    if (now - this.#lockedSinceMs >= LOCKED_MS) giveUp?.(`${this.name} cannot be opened any more: ${this.problem}`);
  }

  #drop(): void {
    const line = this.#line;
    if (!line) return;
    this.stats.add('lost_connections');
    this.#line = null;
    this.#port = null;
    this.#unheard = 0;
    this.#cancelLook();
    this.#closing = line.close();
  }

  #client(unit: number): RegisterClient {
    let client = this.#clients.get(unit);
    if (!client) {
      client = this.#o.makeClient((frame) => this.#exchange(frame));
      this.#clients.set(unit, client);
    }
    return client;
  }

  #unit(unit: number, periodMs: number): UnitHealth {
    let health = this.units.get(unit);
    if (!health) {
      const { requestMs, leastTimeoutMs, random } = this.#o;
      health = new UnitHealth(
        unit,
        { initialMs: requestMs, minMs: leastTimeoutMs, maxMs: Math.max(leastTimeoutMs, periodMs / 3) },
        random,
      );
      this.units.set(unit, health);
    }
    return health;
  }

  /** Closes the line; readers get errors from then on. */
  close(): Promise<void> {
    this.#closed = true;
    for (const cancel of this.#probes.values()) cancel();
    this.#probes.clear();
    this.#drop();
    return this.#closing;
  }
}

function within<T>(real: RealTime, delayMs: number, step: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = real.schedule(delayMs, () => reject(new Error('no connection in time')));
    step.then(resolve, reject).finally(cancel);
  });
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') return 'connection refused: is the meter on, and are host and port right?';
  if (code === 'ENOENT' || /No such file/.test(error.message)) return 'there is no such serial port: is it plugged in?';
  if (code === 'EACCES' || /Permission denied/.test(error.message))
    return 'the serial port may not be used: add the user to the group dialout';
  if (/cannot lock port/i.test(error.message)) return 'the serial port is locked: another program uses it';
  return error.message || String(code ?? error.name);
}
