import type { LogFields, Logger, LogLevel } from '../core/logger.js';

/** Bounds the log lines of one process. */
export interface LogLimits {
  /** After this time the log writes the sums of suppressed lines, and counting begins anew. Real ms. */
  readonly periodMs: number;
  /** Bounds the lines of one reason in a period; further lines are counted. */
  readonly linesPerReason: number;
  /** Bounds the distinct reasons in a period; all further reasons count as one. */
  readonly reasons: number;
  /** Bounds the characters of a line; a longer line is truncated. */
  readonly lineChars: number;
  /** Characters of all lines in a period. */
  readonly charsPerPeriod: number;
}

/**
 * Twenty lines show the event, the count shows its frequency. Broker and oracle together stay below 1 MB a minute, whatever
 * others send: 256 KiB of lines each, and at most 129 short lines with sums.
 */
export const LOG_LIMITS: LogLimits = {
  periodMs: 60_000,
  linesPerReason: 20,
  reasons: 128,
  lineChars: 4_096,
  charsPerPeriod: 262_144,
};

export interface BoundedLogOptions {
  readonly limits: LogLimits;
  /** Returns true for lines that the sink writes. Lines that the sink drops are not counted. */
  readonly isWritten: (level: LogLevel, fields: LogFields) => boolean;
}

/** Bounds one text of a field, in characters. A longer text serves no reader, and strangers choose some of them. */
const MAX_TEXT_CHARS = 500;
/** Bounds a stack trace, in characters: enough to name the place. */
const MAX_STACK_CHARS = 1_500;
const MAX_LIST_ENTRIES = 20;
/** Characters of the log's own frame around the fields: time, level, process, host, message. */
const FRAME_CHARS = 200;
const MAX_MESSAGE_CHARS = 300;
const OTHER_EVENTS = { event: 'further_events', message: 'Lines of further events' };
const OTHER_KEY = 'further';

interface Count {
  readonly level: LogLevel;
  readonly event: string;
  readonly message: string;
  readonly reason: string | null;
  written: number;
  held: number;
}

/**
 * Forwards lines to pino, or to the list of a test. Bounds them by event, and by the stable word in `fields.reason` if present.
 * Counts the lines above the bound and writes the count once a period ("and 4,312 more"), so that nobody fills a disk by
 * causing refusals. Details (`debug`) have only the bound of all characters, because an operator requested them. The log's own
 * memory is bounded too.
 */
export class BoundedLog implements Logger {
  readonly #sink: Logger;
  readonly #after: (ms: number, task: () => void) => unknown;
  readonly #limits: LogLimits;
  readonly #isWritten: (level: LogLevel, fields: LogFields) => boolean;
  readonly #counts = new Map<string, Count>();
  #chars = 0;

  /** `after` runs a task once after so many real milliseconds. It must not keep the process alive. */
  constructor(
    sink: Logger,
    after: (ms: number, task: () => void) => unknown,
    { limits, isWritten }: BoundedLogOptions,
  ) {
    this.#sink = sink;
    this.#after = after;
    this.#limits = limits;
    this.#isWritten = isWritten;
  }

  debug(fields: LogFields, message: string): void {
    this.#line('debug', fields, message);
  }
  info(fields: LogFields, message: string): void {
    this.#line('info', fields, message);
  }
  warn(fields: LogFields, message: string): void {
    this.#line('warn', fields, message);
  }
  error(fields: LogFields, message: string): void {
    this.#line('error', fields, message);
  }

  /** Entries of the table of reasons. */
  get size(): number {
    return this.#counts.size;
  }

  /** Writes the sums of suppressed lines, and begins a new period. */
  flush(): void {
    const counts = [...this.#counts.values()];
    this.#counts.clear();
    this.#chars = 0;
    for (const { level, event, message, reason, held } of counts) {
      if (held === 0) continue;
      const fields = { event, held, ...(reason === null ? {} : { reason }) };
      this.#sink[level](fields, `${message}: and ${held.toLocaleString('en-US')} more`);
    }
  }

  #line(level: LogLevel, fields: LogFields, message: string): void {
    if (!this.#isWritten(level, fields)) return;
    const count = this.#countOf(level, fields, message.slice(0, MAX_MESSAGE_CHARS));
    const { charsPerPeriod, lineChars } = this.#limits;
    const linesPerReason = level === 'debug' ? Number.POSITIVE_INFINITY : this.#limits.linesPerReason;
    if (count.written >= linesPerReason || this.#chars >= charsPerPeriod) {
      count.held++;
      return;
    }
    const text = asText(fields);
    const isLong = text.length > lineChars;
    count.written++;
    this.#chars += Math.min(text.length, lineChars) + message.length + FRAME_CHARS;
    const { event } = fields;
    const shown: LogFields = isLong
      ? { event, cut: text.slice(0, lineChars) }
      : { ...(JSON.parse(text) as object), event };
    this.#sink[level](shown, message.slice(0, MAX_MESSAGE_CHARS));
  }

  #countOf(level: LogLevel, { event, reason: given }: LogFields, message: string): Count {
    if (this.#counts.size === 0) this.#after(this.#limits.periodMs, () => this.flush());
    const reason = typeof given === 'string' ? given.slice(0, MAX_MESSAGE_CHARS) : null;
    const key = JSON.stringify([event, reason]);
    const known = this.#counts.get(key) ?? (this.#isFull() ? this.#counts.get(OTHER_KEY) : undefined);
    if (known) return known;
    const count: Count = this.#isFull()
      ? { level, ...OTHER_EVENTS, reason: null, written: 0, held: 0 }
      : { level, event, message, reason, written: 0, held: 0 };
    this.#counts.set(this.#isFull() ? OTHER_KEY : key, count);
    return count;
  }

  #isFull(): boolean {
    return this.#counts.size >= this.#limits.reasons;
  }
}

/** Returns fields as JSON with texts and lists truncated. Never throws. */
function asText(fields: LogFields): string {
  try {
    return JSON.stringify(fields, shorten);
  } catch (error) {
    return JSON.stringify({ unprintable: String(error).slice(0, MAX_TEXT_CHARS) });
  }
}

function shorten(_key: string, value: unknown): unknown {
  if (typeof value === 'string') return cut(value, MAX_TEXT_CHARS);
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Error) {
    const { name, message, stack = '', cause } = value;
    // Has no "message": pino would treat it as an error again, of the type Object.
    return { error: `${name}: ${message}`, code: (value as NodeJS.ErrnoException).code, at: stackLines(stack), cause };
  }
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  if (Array.isArray(value) && value.length > MAX_LIST_ENTRIES) {
    return [...value.slice(0, MAX_LIST_ENTRIES), `and ${value.length - MAX_LIST_ENTRIES} more`];
  }
  return value;
}

const stackLines = (stack: string) =>
  stack
    .slice(0, MAX_STACK_CHARS)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('at '));

const cut = (text: string, most: number) => (text.length <= most ? text : `${text.slice(0, most)}…`);
