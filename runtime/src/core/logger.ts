/** Fields of one log line. */
export interface LogFields {
  /** Names the event in snake_case, for ever: people and machines search for it. */
  readonly event: string;
  readonly [field: string]: unknown;
}

/** Writes structured log lines in pino's call shape. Never put a secret in `fields`. No method throws. */
export interface Logger {
  /** Writes details for fault finding. Not written by default. */
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

export type LogLevel = keyof Logger;

/** Discards its lines, for a command that prints its answer and keeps no log. */
export const silentLogger: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
