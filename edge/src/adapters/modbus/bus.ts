import { Backoff } from '../../domain/backoff.js';
import { Serial } from '../../domain/lock.js';
import { type Randomness, ReadError, ReadFailure, type RealTime } from '../../ports.js';

/** A connection to a bus, good for one request at a time. */
export interface BusConnection {
  /**
   * Data bytes of `count` registers. Rejects with `ReadError`: an *exception* leaves the connection usable, after
   * anything else it is closed by the caller.
   */
  read(unit: number, functionCode: 3 | 4, address: number, count: number): Promise<Uint8Array>;
  close(): void;
}

/** Opens a connection; rejects with any error. */
export type OpenBus = () => Promise<BusConnection>;

const FIRST_RETRY_MS = 200;
const LAST_RETRY_MS = 5_000;

export interface BusOptions {
  readonly name: string;
  readonly open: OpenBus;
  readonly real: RealTime;
  readonly random: Randomness;
  /** Own deadline on each request, real milliseconds. */
  readonly requestMs: number;
  readonly connectMs: number;
}

/**
 * The one owner of a bus: one request in flight, an own deadline on each, a new connection after anything that is not a
 * whole and timely answer. Nothing that arrives after its deadline is used.
 */
export class Bus {
  readonly name: string;
  readonly #o: BusOptions;
  readonly #serial = new Serial();
  readonly #backoff: Backoff;
  #connection: BusConnection | null = null;
  #notBefore = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(options: BusOptions) {
    this.name = options.name;
    this.#o = options;
    this.#backoff = new Backoff(FIRST_RETRY_MS, LAST_RETRY_MS, options.random);
  }

  /** Registers as data bytes. Rejects with `ReadError`. */
  read(unit: number, functionCode: 3 | 4, address: number, count: number): Promise<Uint8Array> {
    return this.#serial.run(() => this.#read(unit, functionCode, address, count));
  }

  async #read(unit: number, functionCode: 3 | 4, address: number, count: number): Promise<Uint8Array> {
    const connection = await this.#connect();
    const late = () => new ReadError(ReadFailure.timeout, `unit ${unit} on ${this.name} gave no answer in time`);
    try {
      const data = await this.#within(this.#o.requestMs, connection.read(unit, functionCode, address, count), late);
      if (data.length !== 2 * count) {
        throw new ReadError(ReadFailure.badReply, `${data.length} bytes for ${count} registers`);
      }
      return data;
    } catch (error) {
      if (error instanceof ReadError && error.failure === ReadFailure.exception) throw error;
      this.#drop();
      if (error instanceof ReadError) throw error;
      throw new ReadError(ReadFailure.connection, `${this.name}: ${describe(error)}`, { cause: error });
    }
  }

  async #connect(): Promise<BusConnection> {
    if (this.#connection) return this.#connection;
    const { open, real, connectMs } = this.#o;
    if (this.#closed) throw new ReadError(ReadFailure.connection, `${this.name} is closed`);
    if (real.monotonicMs() < this.#notBefore) {
      throw new ReadError(ReadFailure.connection, `${this.name} is not connected; the next attempt comes soon`);
    }
    const opening = open();
    try {
      this.#connection = await this.#within(connectMs, opening, () => new Error('no connection in time'));
      this.#backoff.reset();
      return this.#connection;
    } catch (error) {
      // One that comes after all is not used.
      opening.then(
        (late) => late.close(),
        () => {},
      );
      this.#notBefore = real.monotonicMs() + this.#backoff.next();
      throw new ReadError(ReadFailure.connection, `${this.name}: ${describe(error)}`, { cause: error });
    }
  }

  #drop(): void {
    this.#connection?.close();
    this.#connection = null;
  }

  #within<T>(delayMs: number, step: Promise<T>, late: () => Error): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = this.#o.real.schedule(delayMs, () => reject(late()));
      step.then(resolve, reject).finally(cancel);
    });
  }

  close(): void {
    this.#closed = true;
    this.#drop();
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') return 'connection refused: is the meter on, and are host and port right?';
  if (code === 'ENOENT') return 'there is no such serial port';
  return error.message || String(code ?? error.name);
}
