import { type LogFields, type Logger, type LogLevel, silentLogger } from '@gridtokenx/runtime/core';

/** Shows the lines of quiet logs from this level on, to debug a single test. */
const SHOWN_FROM = process.env.GTX_TEST_LOG;

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** Returns a method that drops its line, or prints it where GTX_TEST_LOG names its level or a lower one. */
function method(level: LogLevel): (fields: LogFields, message: string) => void {
  const from = LEVELS.indexOf(SHOWN_FROM as LogLevel);
  if (from < 0 || LEVELS.indexOf(level) < from) return silentLogger[level];
  return (fields, message) => console.log(level, message, fields);
}

/** Discards its lines: a test asserts none of them. */
export const quietLog: Logger = {
  ...{ debug: method('debug'), info: method('info'), warn: method('warn'), error: method('error') },
};
