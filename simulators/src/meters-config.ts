import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { MODELS } from './models.js';

const port = z.int().min(0).max(65_535);
const wh = z.union([z.int().nonnegative(), z.string().regex(/^\d{1,15}$/)]).transform((value) => BigInt(value));

const meterSchema = z.strictObject({
  home: z.string().min(1),
  model: z.enum(MODELS),
  transport: z.enum(['tcp', 'rtu-over-tcp']),
  host: z.string().min(1).default('127.0.0.1'),
  port,
  unit: z.int().min(1).max(247),
  serial: z.int().min(1).max(0xffff_ffff),
  initial_import_wh: wh,
  initial_export_wh: wh,
});

const schema = z.strictObject({
  clock: z.string().min(1),
  profiles: z.string().min(1),
  meters: z.array(meterSchema).min(1),
  http: z.strictObject({ host: z.string().min(1), port }).optional(),
});

export type MetersConfig = z.output<typeof schema>;
export type MeterConfig = MetersConfig['meters'][number];

/** A configuration that cannot be used; the message is `FILE:LINE: key: what`. */
export class MetersConfigError extends Error {
  override readonly name = 'MetersConfigError';
}

/** Reads the JSON configuration of the simulated meters; throws `MetersConfigError` in one line. */
export function loadMetersConfig(path: string): MetersConfig {
  const text = readFileSync(path, 'utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new MetersConfigError(`${path}:1: file: not JSON (${cause instanceof Error ? cause.message : cause})`);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const keys = issue?.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0] ?? ''] : (issue?.path ?? []);
  const key = keys.map(String).join('.') || 'file';
  throw new MetersConfigError(`${path}:${lineOf(text, keys)}: ${key}: ${issue?.message ?? 'not valid'}`);
}

/** Line of a key in JSON text: each step of the path is looked for after the one before; list items are counted. */
function lineOf(text: string, keys: readonly PropertyKey[]): number {
  let at = 0;
  for (const key of keys) {
    if (typeof key === 'number') {
      for (let n = 0; n <= key; n++) at = Math.max(at, text.indexOf('{', n === 0 ? at : text.indexOf('}', at)));
    } else at = Math.max(at, text.indexOf(JSON.stringify(String(key)), at));
  }
  return text.slice(0, at).split('\n').length;
}
