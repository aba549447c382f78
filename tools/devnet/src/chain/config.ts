import { hostSchema, loadConfig, portSchema } from '@gridtokenx/runtime/node';
import { z } from 'zod';

const schema = z.strictObject({
  host: hostSchema,
  rpcPort: portSchema,
  wsPort: portSchema,
  httpPort: portSchema,
  snapshotPath: z.string().min(1),
  /** The network that the data directory was made for, hex; null or absent for a new one. */
  networkId: z.string().nullish(),
  /** Folder to delete for a new start; named in advice. */
  folder: z.string().min(1).optional(),
  /** Base58 key that may upgrade the programs, and therefore initialise them. */
  authority: z.string().min(1),
  /** Wallets whose SOL survives a restart, beside the owners of token accounts. */
  wallets: z.array(z.string().min(1)),
});

/** The embedded chain's settings; written by the launcher. */
export type ChainConfig = Readonly<z.output<typeof schema>>;

/** Reads the settings. Throws `ConfigError`. */
export function readChainConfig(path: string): ChainConfig {
  return loadConfig(path, schema);
}
