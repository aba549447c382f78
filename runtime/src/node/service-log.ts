import { type DestinationStream, pino } from 'pino';
import type { LogFields, LogLevel } from '../core/logger.js';
import { OperatorError } from '../core/operator-error.js';
import { BoundedLog, LOG_LIMITS } from './bounded-log.js';
import { lossyLines } from './lossy-lines.js';
import { afterIdle } from './system.js';

/** Names the level from which on lines are written; without it `info`. */
export const LOG_LEVEL_VARIABLE = 'GTX_LOG_LEVEL';

/** Names whose details are written although the level hides them: `meter=home-1,bus=cellar`. */
export const LOG_DEBUG_VARIABLE = 'GTX_LOG_DEBUG';

/** Fields by which details can be chosen. */
const CHOSEN_FIELDS = ['bus', 'gateway', 'meter', 'oracle'];

const LEVELS: readonly string[] = ['debug', 'info', 'warn', 'error'] satisfies LogLevel[];

export interface ServiceLogParts {
  /** The lowest level that is written. */
  readonly level: string;
  /** `field=value,field=value`; nothing is chosen by the empty text. */
  readonly details: string;
  readonly destination: DestinationStream;
  /** Runs a task once after so many real milliseconds, without keeping the process alive. */
  readonly after: (ms: number, task: () => void) => unknown;
}

/** One field and the value that it must have, as a person wrote them. */
interface Chosen {
  readonly field: string;
  readonly value: string;
}

/** Parses `field=value,field=value`. Throws `OperatorError` for a field that chooses nothing, and for an empty value. */
function parseDetails(text: string): readonly Chosen[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => {
      const [field = '', ...rest] = part.split('=');
      const value = rest.join('=');
      if (CHOSEN_FIELDS.includes(field) && value !== '') return { field, value };
      throw new OperatorError({
        code: 'log-debug',
        key: LOG_DEBUG_VARIABLE,
        problem: `"${part}" chooses nothing`,
        advice: `give ${CHOSEN_FIELDS.map((known) => `${known}=NAME`).join(', ')}`,
      });
    });
}

/**
 * Makes the one log of a service: JSON lines of pino on the standard output, bounded by event. `name` stands in each line.
 * Throws `OperatorError` for an unknown level, and for details that choose nothing.
 */
export function serviceLog(name: string): BoundedLog {
  const level = process.env[LOG_LEVEL_VARIABLE] ?? 'info';
  const details = process.env[LOG_DEBUG_VARIABLE] ?? '';
  // The library's own output waits without end for a full disk to take its last lines, also when the process ends.
  return jsonLog(name, { level, details, destination: lossyLines(), after: afterIdle });
}

/** Makes such a log on any output. Throws as `serviceLog` does. */
export function jsonLog(name: string, { level, details, destination, after }: ServiceLogParts): BoundedLog {
  if (!LEVELS.includes(level)) {
    const problem = `there is no level "${level}"`;
    throw new OperatorError({
      code: 'log-level',
      key: LOG_LEVEL_VARIABLE,
      problem,
      advice: `give ${LEVELS.join(', ')}`,
    });
  }
  const chosen = parseDetails(details);
  // A service that is named itself shows all its details: "gateway home-1" for gateway=home-1.
  const isChosen = chosen.some(({ field, value }) => name === `${field} ${value}`);
  const lines = pino({ name, level: chosen.length > 0 ? 'debug' : level }, destination);
  const written = new Set(LEVELS.slice(LEVELS.indexOf(level)));
  // A line that the sink drops must not use up the bound.
  const isWritten = (of: LogLevel, fields: LogFields) =>
    written.has(of) || (of === 'debug' && (isChosen || chosen.some(({ field, value }) => fields[field] === value)));
  return new BoundedLog(lines, after, { limits: LOG_LIMITS, isWritten });
}
