import { type DestinationStream, pino } from 'pino';
import type { LogLevel } from '../core/logger.js';
import { OperatorError } from '../core/operator-error.js';
import { BoundedLog } from './bounded-log.js';
import { lossyLines } from './lossy-lines.js';
import { afterIdle } from './system.js';

/** Names the level from which on lines are written; without it `info`. */
export const LOG_LEVEL_VARIABLE = 'GTX_LOG_LEVEL';

const LEVELS: readonly string[] = ['debug', 'info', 'warn', 'error'] satisfies LogLevel[];

export interface ServiceLogOptions {
  /** By default what the environment says. */
  readonly level?: string | undefined;
  /** By default the standard output. */
  readonly destination?: DestinationStream;
  /** Runs a task once after so many real milliseconds, without keeping the process alive. */
  readonly after?: (ms: number, task: () => void) => unknown;
}

/**
 * The one log of a service: JSON lines of pino on the standard output, bounded by reason. `name` stands in every line.
 * Throws `OperatorError` for a level that there is not.
 */
export function serviceLog(name: string, options: ServiceLogOptions = {}): BoundedLog {
  const { level = process.env[LOG_LEVEL_VARIABLE] ?? 'info', destination, after = afterIdle } = options;
  if (!LEVELS.includes(level)) {
    const problem = `there is no level "${level}"`;
    throw new OperatorError({
      code: 'log-level',
      key: LOG_LEVEL_VARIABLE,
      problem,
      advice: `give ${LEVELS.join(', ')}`,
    });
  }
  // The library's own output waits without end for a full disk to take its last lines, also when the process ends.
  const lines = pino({ name, level }, destination ?? lossyLines());
  // What is not written must not use up what may be written.
  const isWritten = (of: LogLevel) => LEVELS.indexOf(of) >= LEVELS.indexOf(level);
  return new BoundedLog(lines, after, { isWritten });
}
