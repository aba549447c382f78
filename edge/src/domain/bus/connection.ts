import { BackOff, type Clock, type Random } from '@gridtokenx/runtime/core';
import { ReadError, ReadFailure } from '../ports.js';
import type { Framing } from './framing.js';
import { IdleTime } from './idle-time.js';
import type { LineSpeed } from './line.js';
import { NoAnswer, Port } from './port.js';
import type { Line, OpenLine } from './ports.js';
import type { BusStats } from './stats.js';

export interface ConnectionOptions {
  readonly name: string;
  readonly open: OpenLine;
  readonly clock: Clock;
  readonly random: Random;
  readonly speed: LineSpeed;
  readonly framing: Framing;
  /** True on serial lines and converters, where only the reply shape identifies a reply. */
  readonly shapes: boolean;
  readonly connectMs: number;
  readonly stats: BusStats;
  /** Called when a second master was heard. */
  readonly onSecondMaster: () => void;
  /** Called when a port that worked cannot be opened any more: only a new process helps. */
  readonly giveUp?: (reason: string) => void;
}

const INITIAL_RETRY_MS = 200;
const LAST_RETRY_MS = 5_000;
const IDLE_LOOK_MS = 250;
/** Age of a connection up to which its end is the answer to its opening, ms. */
const AT_ONCE_MS = 3_000;
/** Says what a peer that does so means, and what to do. */
export const CLOSES_AT_ONCE =
  'the device accepts the connection and closes it at once: another program may hold its only connection. Stop that program, or let only one of the two read the device';
/** Idle time from which on silence may be the connection's, ms. */
const MIN_IDLE_MS = 2_000;
/** Requests in a row without a received byte, after which the connection counts as half open. */
const SILENT_REQUESTS = 3;
/** The same for a serial line, which takes longer to open: other meters lose that time. */
const SILENT_REQUESTS_SERIAL = 10 * SILENT_REQUESTS;
/** Time after which a port that worked is abandoned, ms, when it stays locked or its close never ends. */
const LOCKED_MS = 60_000;
const NOT_CLOSED = 'the port was lost and cannot be closed';

/**
 * Opens the line of a bus when a read needs it, drops it when it cannot be trusted, and opens it again with back-off.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #backoff: BackOff;
  #line: Line | null = null;
  #port: Port | null = null;
  #closing: Promise<void> = Promise.resolve();
  #blockedUntilMs = Number.NEGATIVE_INFINITY;
  #unheard = 0;
  #worked = false;
  #lockedAtMs: number | null = null;
  #closed = false;
  #cancelLook = () => {};
  /** Instant of the last answer on this connection, or of its opening, monotonic ms. */
  #usedAtMs = 0;
  /** True once a byte came on this connection. */
  #isHeard = false;
  /** Instant of the request in flight, and the idle time before it, ms. */
  #requestedAtMs = 0;
  #idleMs = 0;
  readonly idle = new IdleTime();
  /** Instant at which the line was first opened, monotonic ms; null before. */
  openedAtMs: number | null = null;
  /** Says in plain words why there is no connection; null while there is one. */
  problem: string | null = null;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#backoff = new BackOff({ initialMs: INITIAL_RETRY_MS, maxMs: LAST_RETRY_MS }, options.random);
  }

  get port(): Port | null {
    return this.#port;
  }

  /** Opens the line unless it is open. Rejects with `ReadError`. */
  async connect(): Promise<void> {
    const isOld =
      this.#isNetwork && this.#isHeard && this.idle.isOver(this.#options.clock.monotonicMs() - this.#usedAtMs);
    if (this.#port && isOld) this.#drop();
    if (this.#port) return;
    const { name, open, clock, connectMs } = this.#options;
    if (this.#closed) throw new ReadError(ReadFailure.connection, `${name} is closed`);
    if (clock.monotonicMs() < this.#blockedUntilMs) {
      throw new ReadError(ReadFailure.connection, `${name}: ${this.problem ?? 'not connected'}`);
    }
    // The system reports a port as locked until its close has ended.
    await within(clock, connectMs, this.#closing).catch(() => {
      this.#refused(new Error(NOT_CLOSED));
      throw new ReadError(ReadFailure.connection, `${name}: ${NOT_CLOSED}`);
    });
    const opening = open();
    try {
      this.#opened(await within(clock, connectMs, opening));
    } catch (error) {
      // Closes a line that opens after the deadline.
      opening.then(
        (late) => late.close(),
        () => {},
      );
      this.#refused(error);
      throw new ReadError(ReadFailure.connection, `${name}: ${this.problem}`, { cause: error });
    }
  }

  #opened(line: Line): void {
    const { clock, speed, shapes, framing, stats, onSecondMaster } = this.#options;
    stats.add('connects');
    this.#line = line;
    this.#port = new Port({ line, speed, clock, framing, stats, onSecondMaster, onGone: () => this.#goneWhileIdle() });
    this.#usedAtMs = clock.monotonicMs();
    this.#isHeard = false;
    this.problem = null;
    this.#worked = true;
    this.#lockedAtMs = null;
    this.#unheard = 0;
    this.#backoff.reset();
    this.openedAtMs ??= clock.monotonicMs();
    if (shapes) this.#listen();
  }

  /** Listens between requests, so that the bus detects a second master. */
  #listen(): void {
    this.#cancelLook = this.#options.clock.after(IDLE_LOOK_MS, () => {
      this.#port?.listen();
      if (this.#port) this.#listen();
    });
  }

  #refused(error: unknown): void {
    const { name, clock, stats, giveUp } = this.#options;
    const now = clock.monotonicMs();
    stats.add('connect_errors');
    this.problem = describe(error);
    this.#blockedUntilMs = now + this.#backoff.next();
    if (!this.#worked || !/lock|be closed/i.test(this.problem)) return;
    this.#lockedAtMs ??= now;
    if (now - this.#lockedAtMs >= LOCKED_MS) giveUp?.(`${name} cannot be opened any more: ${this.problem}`);
  }

  get #isNetwork(): boolean {
    return this.#options.speed.charMs === 0;
  }

  /** Begins a request: the time since the last answer is idle time. */
  requested(): void {
    this.#requestedAtMs = this.#options.clock.monotonicMs();
    this.#idleMs = this.#requestedAtMs - this.#usedAtMs;
  }

  /** Resets the count of requests without a received byte. */
  answered(): void {
    if (this.#isHeard) this.idle.survived(this.#idleMs);
    this.#unheard = 0;
    this.#isHeard = true;
    this.#usedAtMs = this.#options.clock.monotonicMs();
  }

  /**
   * Returns the idle time of a connection that ended while it was idle, ms, and drops the connection; null for any other
   * failure. `wasWell`: the unit answered its last request, so its silence may be the connection's.
   */
  endedWhileIdle(error: unknown, wasWell: boolean): number | null {
    if (!this.#isNetwork || !this.#isHeard || !(error instanceof NoAnswer)) return null;
    const isHeardNow = this.#port !== null && this.#port.lastByteAtMs >= this.#requestedAtMs;
    const isSilent = error.reason === 'timeout' && wasWell && this.#idleMs >= MIN_IDLE_MS && !isHeardNow;
    if (error.reason !== 'gone' && !isSilent) return null;
    if (error.reason === 'gone') this.idle.lost(this.#idleMs);
    this.#drop();
    return this.#idleMs;
  }

  /** Returns true when the peer closes each connection before it sends a byte. */
  closesAtOnce(error: unknown): boolean {
    const isGone = error instanceof NoAnswer && error.reason === 'gone';
    const ageMs = this.#options.clock.monotonicMs() - this.#usedAtMs;
    return this.#isNetwork && !this.#isHeard && isGone && ageMs <= AT_ONCE_MS;
  }

  /** The peer closed an idle connection: the next request opens another. */
  #goneWhileIdle(): void {
    if (!this.#isNetwork) return;
    if (this.#isHeard) this.idle.lost(this.#options.clock.monotonicMs() - this.#usedAtMs);
    this.#drop();
  }

  /** Drops the line after a failure that makes it untrustworthy. */
  failed(error: unknown): void {
    const reason = error instanceof NoAnswer ? error.reason : 'gone';
    this.#unheard = this.#port?.heard() ? 0 : this.#unheard + 1;
    const { shapes, speed } = this.#options;
    const isLost = reason === 'gone' || reason === 'violation' || (reason === 'damaged' && !shapes);
    const most = speed.charMs === 0 ? SILENT_REQUESTS : SILENT_REQUESTS_SERIAL;
    if (isLost || this.#unheard >= most) this.#drop();
  }

  #drop(): void {
    const line = this.#line;
    if (!line) return;
    this.#options.stats.add('lost_connections');
    this.#line = null;
    this.#port = null;
    this.#unheard = 0;
    this.#cancelLook();
    this.#closing = line.close();
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#drop();
    return this.#closing;
  }
}

function within<T>(clock: Clock, delayMs: number, step: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(delayMs, () => reject(new Error('no connection in time')));
    step.then(resolve, reject).finally(cancel);
  });
}

/** Describes to the installer why a line did not open or a request was not sent. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ECONNRESET') return CLOSES_AT_ONCE;
  if (code === 'ECONNREFUSED') return 'connection refused: is the meter on, and are host and port right?';
  if (code === 'ENOENT' || /No such file/.test(error.message)) return 'there is no such serial port: is it plugged in?';
  if (code === 'EACCES' || /Permission denied/.test(error.message))
    return 'this user may not open the serial port: add the user to the group dialout';
  if (/cannot lock port/i.test(error.message)) return 'the serial port is locked: another program uses it';
  if (/Inappropriate ioctl|not a (tty|typewriter)/i.test(error.message)) return 'this is no serial port';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'the host name has no address: is the name right?';
  if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH' || code === 'ETIMEDOUT')
    return 'this machine cannot reach the host: is the host on, and in this network?';
  return error.message || String(code ?? error.name);
}
