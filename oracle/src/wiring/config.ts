import { publicKeyFromBase58 } from '@gridtokenx/protocol';
import {
  brokerUrlSchema,
  hasNoPassword,
  hostSchema,
  loadConfig,
  parseConfig,
  portSchema as port,
  tlsSchema as tls,
} from '@gridtokenx/runtime/node';
import { z } from 'zod';

const connections = z.number().int().min(1).max(16_384);

/**
 * An address to listen on, with its own connection budget: connections that fill one listener leave the others free.
 */
const listener = {
  port,
  tls: tls.optional(),
  /** Maximum number of simultaneous connections. */
  connections: connections.default(256),
  /** Maximum of them from one address; raise it where many clients share a proxy. */
  connections_per_address: connections.default(32),
};

const publicKey = z.string().refine((text) => {
  try {
    return publicKeyFromBase58(text).length === 32;
  } catch {
    return false;
  }
}, 'must be a public key in base58');

const schema = z
  .strictObject({
    /** 8 bytes in hex; the oracle refuses messages signed for another deployment. */
    network_id: z.string().regex(/^[0-9a-f]{16}$/, 'must be 16 digits of lower-case hex'),
    data_dir: z.string().min(1),
    /**
     * Threads that check signatures; 0: none beside the main thread. The default is one for each core but one, at most
     * 4.
     */
    verify_threads: z.number().int().min(0).max(64).optional(),
    /** 32 bytes in hex, mode 0600; made by `init`. */
    key_file: z.string().min(1),
    /** The chain's node. Without it (and with meters_file) the oracle verifies and acknowledges but settles nothing. */
    rpc_url: z.url().optional(),
    /** Solana JSON array of 64 bytes. */
    attestor_key_file: z.string().min(1).optional(),
    /** Enrolled meters as JSON, for an oracle without a chain. */
    meters_file: z.string().min(1).optional(),
    broker: z.strictObject({
      url: brokerUrlSchema,
      name: z.string().min(1),
      /** PEM: the authorities trusted for mqtts://; read at each connect. */
      ca_file: z.string().min(1).optional(),
      /** The name in the broker's certificate, where it differs from the name in `url`. */
      server_name: z.string().min(1).max(253).optional(),
    }),
    http: z.undefined('is two listeners now: page (page, API, metrics) and service (time, co-signing)').optional(),
    /** Serves gateways and other oracles: signed time and co-signing. Without it the oracle serves neither. */
    service: z.strictObject({ host: hostSchema, ...listener }).optional(),
    /** Serves people and collectors: status page, API, health, metrics. */
    page: z.strictObject({ host: hostSchema.default('127.0.0.1'), ...listener }),
    clock: z
      .strictObject({
        /** File of the simulated clock that drives readings and windows. */
        simulated: z.string().min(1).optional(),
        /** Shifts the times on the status page, for people only. */
        utc_offset_minutes: z.number().int().min(-840).max(840).default(0),
      })
      .optional(),
    /** InfluxDB 2.x instead of the embedded time series. */
    influx: z
      .strictObject({
        url: z.url({ protocol: /^https?$/ }).refine(hasNoPassword, 'no user or password here: give token_file'),
        org: z.string().min(1),
        bucket: z.string().min(1),
        /** Mode 0600; read again when the file changes. */
        token_file: z.string().min(1),
      })
      .optional(),
    /** The other attestors of the zones; each signs only what it would attest itself. */
    peers: z
      .array(
        z.strictObject({
          oracle: publicKey,
          attestor: publicKey,
          url: z.url({ protocol: /^https?$/ }).refine(hasNoPassword, 'no user or password here: requests are signed'),
          /** PEM: the authorities trusted for https://; read at each connect. */
          ca_file: z.string().min(1).optional(),
          /** The name in its certificate, where it differs from the name in `url`. */
          server_name: z.string().min(1).max(253).optional(),
        }),
      )
      .min(1)
      .max(6)
      .optional(),
    /** Minimum number of signatures, ours included; the zone's own threshold on chain holds too. */
    threshold: z.number().int().min(1).max(7).optional(),
    chain: z.strictObject({ snapshot_url: z.url().optional() }).optional(),
    attest: z
      .strictObject({
        /** Real ms after a window's end before the oracle attests without the missing homes. */
        grace_ms: z.number().int().min(0).max(3_600_000).default(3_000),
        commitment: z.enum(['confirmed', 'finalized']).default('confirmed'),
        /** Real ms after which another attestor leads, when a page has not moved. */
        round_ms: z.number().int().min(500).max(600_000).optional(),
      })
      .optional(),
  })
  .superRefine((config, context) => {
    for (const key of ['ca_file', 'server_name'] as const) {
      if (config.broker[key] === undefined || config.broker.url.startsWith('mqtts:')) continue;
      const message = 'means nothing without TLS: write the url with mqtts://';
      context.addIssue({ code: 'custom', path: ['broker', key], message });
    }
    for (const [place, peer] of (config.peers ?? []).entries()) {
      for (const key of ['ca_file', 'server_name'] as const) {
        if (peer[key] === undefined || peer.url.startsWith('https:')) continue;
        const message = 'means nothing without TLS: write the url with https://';
        context.addIssue({ code: 'custom', path: ['peers', place, key], message });
      }
    }
    const hasChain = config.rpc_url !== undefined;
    if (hasChain === (config.meters_file !== undefined)) {
      context.addIssue({ code: 'custom', path: ['rpc_url'], message: 'give either rpc_url or meters_file' });
    }
    if (config.peers && !config.service) {
      context.addIssue({ code: 'custom', path: ['peers'], message: 'ask this oracle too: give service' });
    }
    if (!hasChain && config.peers) {
      context.addIssue({ code: 'custom', path: ['peers'], message: 'attest together only with rpc_url' });
    }
    if ((config.threshold ?? 1) > 1 + (config.peers?.length ?? 0)) {
      context.addIssue({ code: 'custom', path: ['threshold'], message: 'is more than this oracle and its peers' });
    }
    if (hasChain && config.attestor_key_file === undefined) {
      context.addIssue({ code: 'custom', path: ['attestor_key_file'], message: 'is needed with rpc_url' });
    }
  });

export type Config = z.infer<typeof schema>;
export type ListenerConfig = Config['page'];

/** Reads and checks a YAML or JSON file; throws `ConfigError`. */
export function readConfig(file: string): Config {
  return loadConfig(file, schema);
}

/** Checks the text of a configuration; `file` is named in errors. Throws `ConfigError`. */
export function parseText(text: string, file: string): Config {
  return parseConfig(text, file, schema);
}
