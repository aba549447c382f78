import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { OperatorError } from '../../core/operator-error.js';
import { type Fault, parseLocated } from './located.js';

/** A configuration that cannot be used. Its message is one line: `FILE:LINE: key: what is wrong; what to do`. */
export class ConfigError extends OperatorError {
  override readonly name = 'ConfigError';
}

/** Reads a file as text. Throws the system's error. */
export type ReadText = (path: string) => string;

const readText: ReadText = (path) => readFileSync(path, 'utf8');

/**
 * Reads and checks a configuration in YAML or JSON. Paths in it are the caller's to resolve. `cross` finds what one key
 * alone cannot show. Throws `ConfigError` for the first thing that is wrong, in file order.
 */
export function loadConfig<S extends z.ZodType>(
  file: string,
  schema: S,
  cross?: (value: z.output<S>) => readonly Fault[],
  read: ReadText = readText,
): z.output<S> {
  let text: string;
  try {
    text = read(file);
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? String(cause);
    const advice = why === 'ENOENT' ? 'correct its path' : 'let this user read it';
    throw new ConfigError({ code: 'unreadable', file, problem: `cannot be read (${why})`, advice }, { cause });
  }
  return parseConfig(text, file, schema, cross);
}

/** Checks the text of a configuration; `file` is only named. Throws `ConfigError`. */
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
/** What a TLS server shows: PEM files, looked at again while it runs. */
export const tlsSchema = z.strictObject({
  cert_file: z.string().min(1),
  key_file: z.string().min(1),
  min_version: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.3'),
});
/** An address that is listened on. */
export const addressSchema = z.strictObject({ host: z.string().min(1), port: portSchema });

/** Addresses that only this machine reaches. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/i;

/** True for a host that only this machine reaches. */
export function isLoopbackHost(host: string): boolean {
  return LOOPBACK.test(host);
}
