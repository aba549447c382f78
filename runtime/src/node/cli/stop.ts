import { constants } from 'node:os';
import type { Clock } from '../../core/clock.js';
import type { Logger } from '../../core/logger.js';
import { afterIdle, systemClock } from '../system.js';
import { ExitCode } from './run-cli.js';

/** Bounds a clean stop, in real milliseconds. */
const STOP_MS = 10_000;
/** A Ctrl-C may arrive both through the terminal and from npm: two signals within this time are one. Real milliseconds. */
const TOGETHER_MS = 1_000;

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
type StopEvent = (typeof SIGNALS)[number] | 'disconnect';

/** The parts of the process that stopping needs. */
export interface StopIo {
  on(event: StopEvent, listener: () => void): void;
  err(text: string): void;
  exit(code: number): void;
  /** Sends to the parent process, if there is one. */
  send(message: object): void;
  readonly clock: Pick<Clock, 'monotonicMs' | 'after'>;
}

const processIo: StopIo = {
  on: (event, listener) => void process.on(event, listener),
  err: (text) => void process.stderr.write(text),
  exit: (code) => process.exit(code),
  send: (message) => void process.send?.(message),
  // A finished stop does not wait for its bound.
  clock: { monotonicMs: () => systemClock.monotonicMs(), after: afterIdle },
};

/**
 * Aborts at the first SIGTERM or SIGINT, or when the parent is gone: then nobody else could stop this process. Its reason is
 * the cause as a word. A second signal ends the process at once, and so does a stop that exceeds `boundMs`. Committed data is
 * safe, and a disk or a bus that never answers must not keep a stopped process alive.
 */
export function stopSignal(boundMs = STOP_MS, io: StopIo = processIo): AbortSignal {
  const stop = new AbortController();
  let stoppedAtMs = 0;
  const begin = (why: string) => {
    stoppedAtMs = io.clock.monotonicMs();
    io.clock.after(boundMs, () => {
      io.err(`not stopped within ${boundMs / 1000} s: ended\n`);
      io.exit(ExitCode.done);
    });
    stop.abort(why);
  };
  for (const signal of SIGNALS) {
    io.on(signal, () => {
      if (!stop.signal.aborted) begin(signal);
      else if (io.clock.monotonicMs() - stoppedAtMs >= TOGETHER_MS) io.exit(128 + constants.signals[signal]);
    });
  }
  io.on('disconnect', () => {
    if (!stop.signal.aborted) begin('parent gone');
  });
  return stop.signal;
}

/** A running service. */
export interface RunningService {
  /** Fields of the message to the parent, beside `type: 'ready'`. */
  readonly ready?: Readonly<Record<string, unknown>>;
  /** Stops cleanly. A rejection is a defect of the program. */
  stop(): Promise<void>;
}

/**
 * Starts a service, reports to the parent that it is ready, and stops it at the signal. Resolves when it has stopped; rejects
 * as `start` and `stop` do.
 */
export async function runService(
  name: string,
  log: Pick<Logger, 'info'> & { flush(): void },
  start: (stop: AbortSignal) => Promise<RunningService>,
  io: StopIo = processIo,
): Promise<void> {
  const signal = stopSignal(STOP_MS, io);
  const service = await start(signal);
  if (!signal.aborted) io.send({ type: 'ready', ...service.ready });
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  log.info({ event: 'service_stopping', why: signal.reason as string }, `${name} stops`);
  try {
    await service.stop();
  } finally {
    log.flush();
  }
}
