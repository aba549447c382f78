/** Structured log lines in pino's call shape. Never put a secret in `fields`. No method throws. */
export interface Logger {
  /** Details for whoever looks for a fault; not written by default. */
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export type LogLevel = keyof Logger;
