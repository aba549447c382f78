import { join } from 'node:path';
import { MetersFile } from '../adapters/files/meters.js';
import { type Database, type Migration, openDatabase } from '../adapters/sqlite/database.js';
import { influxMigrations } from '../adapters/sqlite/feed-record.js';
import { ledgerMigrations } from '../adapters/sqlite/schema.js';
import { knownMeters } from '../adapters/sqlite/views.js';
import type { Registry } from '../domain/ports.js';
import type { StatementStore } from '../domain/settlement/statements.js';
import type { Chain } from './chain.js';
import type { Config } from './config.js';
import type { Environment } from './environment.js';
import { securePeers } from './secure.js';

const METERS_FILE_EVERY_MS = 2_000;
const GRACE_MS = 3_000;

/** Verifies and stores messages that another oracle (32 bytes) sent; returns after the commit. */
export type Exchange = (from: Uint8Array, messages: readonly Uint8Array[]) => void;

/** The source of enrolled meters, and the settlement of their statements once the ledger is open. */
export interface Settling {
  readonly database: Database;
  readonly registry: Registry;
  settle(statements: StatementStore, exchange: Exchange): Chain;
}

/** Opens the ledger's file and the registry: the chain's registry, or a file of meters where there is no chain. */
export async function openSettling(around: Environment): Promise<Settling> {
  const { config } = around;
  // Loaded only with a chain, because web3.js is large.
  const chain = config.rpc_url === undefined ? null : await import('./chain.js');
  const database = openLedgerFile(around, chain?.chainMigrations ?? []);
  try {
    return chain ? onChain(around, database, chain) : withoutChain(around, database);
  } catch (error) {
    database.sqlite.close();
    throw error;
  }
}

function openLedgerFile({ config, path }: Environment, chainMigrations: readonly Migration[]): Database {
  const file = join(path(config.data_dir), 'ledger.sqlite');
  return openDatabase(file, [...ledgerMigrations, ...influxMigrations, ...chainMigrations]);
}

function onChain(around: Environment, database: Database, chain: typeof import('./chain.js')): Settling {
  const { config, path, networkId, signer, verifier } = around;
  const { attest = {} as NonNullable<Config['attest']> } = config;
  const link = chain.connectChain({
    ...around,
    options: {
      ...{ networkId, rpcUrl: config.rpc_url ?? '', commitment: attest.commitment ?? 'confirmed' },
      attestorKeyFile: path(config.attestor_key_file ?? ''),
    },
    knownMeters: knownMeters(database.sqlite),
  });
  const peers = config.peers && securePeers(config.peers, path);
  return {
    database,
    registry: link.registry,
    settle: (statements, exchange) =>
      chain.startSettlement(link, {
        ...{ ...around, database, statements },
        options: {
          graceMs: attest.grace_ms ?? GRACE_MS,
          ...(config.chain?.snapshot_url ? { snapshotUrl: config.chain.snapshot_url } : {}),
          ...(attest.round_ms === undefined ? {} : { roundMs: attest.round_ms }),
        },
        cosign: peers ? { peers, threshold: config.threshold ?? 1, signer, verifier, exchange } : null,
      }),
  };
}

/** Reads meters from a file, which is read again at intervals; settles nothing. */
function withoutChain({ config, path, clock }: Environment, database: Database): Settling {
  const registry = new MetersFile(path(config.meters_file ?? ''), clock);
  let cancel = () => {};
  const again = () => {
    registry.refresh().catch(() => undefined);
    cancel = clock.after(METERS_FILE_EVERY_MS, again);
  };
  return {
    database,
    registry,
    settle: () => ({
      settlements: {
        after: () => [],
        totalsOf: () => undefined,
        chainState: () => ({ pending: 0, sender: 'no chain: verifying only', lastSnapshotChainSlot: null }),
        chainHealth: () => null,
      },
      ...{ attestor: '', cosign: null, start: again, stop: async () => cancel() },
    }),
  };
}
