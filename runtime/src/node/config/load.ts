import { z } from 'zod';
import { OperatorError } from '../../core/operator-error.js';
import { readRegularFile } from '../regular-file.js';
import { type Fault, MAX_CHARS, NO_UTF8, parseLocated } from './located.js';

/** A configuration with a fault. Its message is one line: `FILE:LINE: key: problem; advice`. */
export class ConfigError extends OperatorError {
  override readonly name = 'ConfigError';
}

/** Reads a file as text. Throws the system's error, or an error that states the file's type. */
export type ReadText = (path: string) => string;

/** A character takes at most four bytes. */
const MAX_BYTES = 4 * MAX_CHARS;

const readText: ReadText = (path) => new TextDecoder('utf-8', { fatal: true }).decode(readRegularFile(path, MAX_BYTES));

/** Advice for a file that cannot be read, by the code of the error. */
const ADVICE: Readonly<Record<string, string>> = {
  ENOENT: 'correct its path',
  ENOTDIR: 'correct its path',
  ENAMETOOLONG: 'correct its path',
  EISDIR: 'name a file',
  ELOOP: 'its links lead in a circle: name a file',
  EIO: 'is it a file on a disk that works?',
};

/**
 * Reads and checks a configuration in YAML or JSON. The caller resolves paths in it. `cross` finds faults that involve several
 * keys. Throws `ConfigError` for the first fault, in file order.
 */
export function loadConfig<S extends z.ZodType>(
  file: string,
  schema: S,
  cross?: (value: z.output<S>) => readonly Fault[],
): z.output<S> {
  return loadConfigBy(readText, file, schema, cross);
}

/** Reads and checks a configuration as `loadConfig` does, with the text from `read`. */
export function loadConfigBy<S extends z.ZodType>(
  read: ReadText,
  file: string,
  schema: S,
  cross?: (value: z.output<S>) => readonly Fault[],
): z.output<S> {
  let text: string;
  try {
    text = read(file);
  } catch (cause) {
    if (cause instanceof OperatorError) {
      const { code, problem, advice } = cause;
      throw new ConfigError({ code, file, problem, advice }, { cause });
    }
    const why = (cause as NodeJS.ErrnoException).code ?? String(cause);
    if (why === 'ERR_ENCODING_INVALID_ENCODED_DATA') throw new ConfigError({ ...NO_UTF8, file }, { cause });
    const advice = ADVICE[why] ?? 'let this user read it';
    throw new ConfigError({ code: 'unreadable', file, problem: `cannot be read (${why})`, advice }, { cause });
  }
  return parseConfig(text, file, schema, cross);
}

/** Checks the text of a configuration. `file` only appears in messages. Throws `ConfigError`. */
export function parseConfig<S extends z.ZodType>(
  text: string,
  file: string,
  schema: S,
  cross?: (value: z.output<S>) => readonly Fault[],
): z.output<S> {
  const parsed = parseLocated(text, schema, cross);
  if (parsed.ok) return parsed.value;
  const { code, line, key, message, advice } = parsed.fault;
  throw new ConfigError({ code, file, line, key, problem: message, advice });
}

/** A TCP port; 0 lets the system choose. */
export const portSchema = z.int().min(0).max(65_535);
/** Returns true for a URL without a user and without a password: log lines show it. */
export function hasNoPassword(url: string): boolean {
  // Another check reports a text that is no URL.
  if (!URL.canParse(url)) return true;
  const { username, password } = new URL(url);
  return username === '' && password === '';
}
/** The broker's address. Sign-in is by key, so a password in it would only be exposed. */
export const brokerUrlSchema = z
  .url({
    protocol: /^mqtts?$/,
    hostname: /./,
    error: 'expected a URL such as mqtt://127.0.0.1:18803',
  })
  .refine(hasNoPassword, 'no user or password here: sign-in is by key');
/** PEM files of a TLS server, checked for renewal while it runs. */
export const tlsSchema = z.strictObject({
  cert_file: z.string().min(1),
  key_file: z.string().min(1),
  min_version: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.3'),
});
/** A host name or an address. The system refuses a blank or control character in it, with a stack. */
export const hostSchema = z.string().regex(/^[^\s\p{C}]+$/u, 'expected a host name or an address');
/** An address to listen on. */
export const addressSchema = z.strictObject({ host: hostSchema, port: portSchema });

/** Addresses that only this machine reaches. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/i;

/** True for a host that only this machine reaches. */
export function isLoopbackHost(host: string): boolean {
  return LOOPBACK.test(host);
}
