import { readFileSync } from 'node:fs';
import { isMap, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { z } from 'zod';
import type { Limits } from './ports.js';

const port = z.int().min(0).max(65_535);
const count = z.int().min(1);

/** Addresses that only this machine reaches. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/i;

const shape = z.strictObject({
  /** Tokens are made for this name. */
  name: z.string().min(1).max(200),
  host: z.string().min(1),
  port,
  keysFile: z.string().min(1),
  tls: z
    .strictObject({
      cert_file: z.string().min(1),
      key_file: z.string().min(1),
      min_version: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.3'),
    })
    .optional(),
  /** Plain MQTT on an address that others reach: for a network that is trusted as a whole, or behind a TLS proxy. */
  allow_plaintext: z.boolean().default(false),
  http: z.strictObject({ host: z.string().min(1), port }),
  limits: z
    .strictObject({
      packetBytes: z.int().min(1024).max(1_048_576),
      messagesPerSecond: count,
      messageBurst: count,
      bytesPerSecond: count,
      byteBurst: count,
      inFlight: count,
      connections: count,
      drainSeconds: count,
      connectSeconds: count,
      connectBytes: z.int().min(1024).max(65_536),
      controlBytes: z.int().min(1024).max(65_536),
      pendingConnections: count,
      pendingPerAddress: count,
      sessionsPerKey: count,
      signInsPerMinute: count,
      subscriptions: count,
      filtersPerMinute: count,
      refusedFilters: count,
      tokensPerKey: count,
      tokens: count,
      statusBytes: z.int().min(64).max(65_536),
      retained: count,
      retainedBytes: count,
      outgoingBytes: z.int().min(65_536),
      oracleOutgoingBytes: z.int().min(65_536),
    } satisfies Record<keyof Limits, z.ZodType<number>>)
    .partial()
    .optional(),
});

const schema = shape.superRefine((config, context) => {
  if (config.tls || config.allow_plaintext || LOOPBACK.test(config.host)) return;
  const message = 'others would reach plain MQTT here: give tls, or say allow_plaintext: true';
  context.addIssue({ code: 'custom', path: ['host'], message });
});

export interface BrokerConfig {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly keysFile: string;
  readonly tls?:
    | { readonly cert_file: string; readonly key_file: string; readonly min_version: 'TLSv1.2' | 'TLSv1.3' }
    | undefined;
  readonly allow_plaintext: boolean;
  readonly http: { readonly host: string; readonly port: number };
  readonly limits: Limits;
}

/** A full backfill packet is 34 kB; a gateway that catches up after a week away needs some dozens a second. */
export const DEFAULT_LIMITS: Limits = {
  packetBytes: 65_536,
  messagesPerSecond: 1_000,
  messageBurst: 2_000,
  bytesPerSecond: 2_000_000,
  byteBurst: 4_000_000,
  inFlight: 256,
  connections: 4_096,
  drainSeconds: 10,
  connectSeconds: 10,
  // A token, a client id and a will with a long list of problems take half of this.
  connectBytes: 16_384,
  // Sixteen filters of 160 characters take two thirds of this.
  controlBytes: 4_096,
  pendingConnections: 512,
  pendingPerAddress: 128,
  sessionsPerKey: 8,
  // A gateway tries again after 0.5 s at the soonest, and waits longer each time.
  signInsPerMinute: 60,
  // A gateway has 4 filters, an oracle 7, an operator some zones.
  subscriptions: 16,
  filtersPerMinute: 240,
  refusedFilters: 64,
  tokensPerKey: 256,
  // About 150 bytes each.
  tokens: 65_536,
  // The longest status that an oracle reads.
  statusBytes: 8_192,
  // One status for each gateway, and one ack for each gateway and oracle.
  retained: 32_768,
  retainedBytes: 67_108_864,
  // Some thousand acks: a gateway that is there takes them at once.
  outgoingBytes: 1_048_576,
  oracleOutgoingBytes: 67_108_864,
};

/** A configuration that cannot be used: one line `FILE:LINE: key: what is wrong`. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** Reads and checks the configuration; relative paths in it are the caller's to resolve. Throws `ConfigError`. */
export function readConfig(path: string): BrokerConfig {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(
      `${path}:1: file: cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`,
    );
  }
  return parseConfig(text, path);
}

/** Checks the text of a configuration in YAML or JSON. `path` is only named in messages. */
export function parseConfig(text: string, path: string): BrokerConfig {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const syntax = document.errors[0];
  if (syntax) {
    throw new ConfigError(`${path}:${lines.linePos(syntax.pos[0]).line}: syntax: ${syntax.message.split('\n')[0]}`);
  }
  const parsed = schema.safeParse(document.toJS() ?? {});
  if (parsed.success) {
    const given = Object.entries(parsed.data.limits ?? {}).filter(([, value]) => value !== undefined);
    return { ...parsed.data, limits: { ...DEFAULT_LIMITS, ...Object.fromEntries(given) } };
  }
  const issue = parsed.error.issues[0];
  const keys = issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
  const where = [...(issue?.path ?? []), ...keys];
  const line = lineOf(document.contents, where, lines);
  throw new ConfigError(`${path}:${line}: ${where.join('.') || 'file'}: ${issue?.message ?? 'not usable'}`);
}

/** Line of the deepest part of `where` that is in the file. */
function lineOf(root: Node | null, where: readonly PropertyKey[], lines: LineCounter): number {
  let node: unknown = root;
  let offset = root?.range?.[0] ?? 0;
  for (const step of where) {
    if (isMap(node)) {
      const pair = node.items.find((item) => String((item.key as { value?: unknown }).value) === String(step));
      if (!pair) break;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof step === 'number') {
      node = node.items[step];
      offset = (node as Node | undefined)?.range?.[0] ?? offset;
    } else break;
  }
  return lines.linePos(offset).line;
}
