import { MAX_PACKET_BYTES } from '@gridtokenx/protocol';
import {
  addressSchema,
  type Fault,
  hostSchema,
  isLoopbackHost,
  loadConfig,
  parseConfig,
  portSchema,
  tlsSchema,
} from '@gridtokenx/runtime/node';
import { z } from 'zod';
import type { Limits } from './ports.js';

const count = z.int().min(1);

const schema = z.strictObject({
  /** The audience of sign-in tokens. */
  name: z.string().min(1).max(200),
  host: hostSchema,
  port: portSchema,
  keysFile: z.string().min(1),
  tls: tlsSchema.optional(),
  /** Allows plain MQTT on an address that others reach: for a network that is trusted as a whole, or behind a TLS proxy. */
  allow_plaintext: z.boolean().default(false),
  http: addressSchema,
  limits: z
    .strictObject({
      // A longer packet would end the session of its reader.
      packetBytes: z.int().min(1024).max(MAX_PACKET_BYTES),
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

export type BrokerConfig = Omit<z.output<typeof schema>, 'limits'> & { readonly limits: Limits };

/** A full backfill packet is 34 kB. A gateway that catches up after a week needs some dozens a second. */
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

/** Reads and checks the configuration; relative paths in it are the caller's to resolve. Throws `ConfigError`. */
export function readConfig(path: string): BrokerConfig {
  return withDefaults(loadConfig(path, schema, crossFaults));
}

/** Checks the text of a configuration in YAML or JSON. `path` is only named in messages. Throws `ConfigError`. */
export function parseBrokerConfig(text: string, path: string): BrokerConfig {
  return withDefaults(parseConfig(text, path, schema, crossFaults));
}

/** Finds faults that involve several keys. */
function crossFaults({ tls, allow_plaintext, host }: z.output<typeof schema>): Fault[] {
  if (tls || allow_plaintext || isLoopbackHost(host)) return [];
  const advice = 'give tls, or say allow_plaintext: true';
  return [{ path: ['host'], message: 'others would reach plain MQTT here', advice }];
}

function withDefaults(config: z.output<typeof schema>): BrokerConfig {
  const given = Object.entries(config.limits ?? {}).filter(([, value]) => value !== undefined);
  return { ...config, limits: { ...DEFAULT_LIMITS, ...Object.fromEntries(given) } };
}
