import { readFileSync, statSync } from 'node:fs';
import { decodeConfig, pda } from '@gridtokenx/chain-client';
import { ask } from '@gridtokenx/chain-sender/rpc';
import { equalBytes, toHex } from '@gridtokenx/protocol';
import { Connection, Keypair, type PublicKey } from '@solana/web3.js';
import { made } from '../adapters/chain/accounts.js';
import { BalanceWatch } from '../adapters/chain/balance.js';
import { AttestorBuilder, singleAttestor } from '../adapters/chain/builder.js';
import type { CosignDeps } from '../adapters/chain/cosign/peer.js';
import { RpcNode } from '../adapters/chain/node.js';
import { RpcRegistry } from '../adapters/chain/registry.js';
import type { Database, Migration } from '../adapters/sqlite/database.js';
import { SqliteSettlementArchive } from '../adapters/sqlite/settlement-archive.js';
import { chainMigrations as settlementMigrations } from '../adapters/sqlite/settlement-schema.js';
import { SqliteSettlementStore } from '../adapters/sqlite/settlement-store.js';
import type { Settlements } from '../domain/live/ports.js';
import type { Clock, Logger, Randomness, RealClock, Registry } from '../domain/ports.js';
import { Turns } from '../domain/settlement/cosigning/judge.js';
import type { CosignAnswer } from '../domain/settlement/cosigning/ports.js';
import { SettlementDriver } from '../domain/settlement/driver.js';
import { MovedSlots } from '../domain/settlement/moved.js';
import { planWindow } from '../domain/settlement/plan.js';
import type { StatementStore } from '../domain/settlement/ports.js';
import { SettlementViews } from '../domain/settlement/views.js';
import { attestTogether, zoneReader, zoneTurns } from './cosign.js';
import { disputeMigrations, watchDisputes } from './disputes.js';

/** What the chain side is given. */
export interface ChainDeps {
  readonly options: {
    /** 8 bytes; compared with the registry's Config at start. */
    readonly networkId: Uint8Array;
    readonly rpcUrl: string;
    /** Solana JSON array of 64 bytes. */
    readonly attestorKeyFile: string;
    readonly snapshotUrl?: string;
    readonly graceMs: number;
    readonly commitment: 'confirmed' | 'finalized';
    /** Real ms after which another attestor leads. */
    readonly roundMs?: number;
  };
  /** Already migrated with `chainMigrations`. */
  readonly database: Database;
  readonly statements: StatementStore;
  /** Meters that the ledger has heard of, hex: a registry that lacks one of them is an older or another one. */
  readonly knownMeters?: readonly string[];
  /** Real time at which the reading clock reached (or will reach) an instant; for close_to_mint_ms and grace. */
  readonly realTimeOf: (readingMs: number) => number;
  readonly clock: Clock;
  readonly realClock: RealClock;
  readonly randomness: Randomness;
  readonly logger: Logger;
  /** Absent where this is the only attestor. */
  readonly cosign?: CosignDeps;
}

/**
 * The chain side. `oracle/src/wiring/chain.ts` exports `chainMigrations: readonly Migration[]` and
 * `startSettlement(deps: ChainDeps): Promise<Chain>`. Resolving needs no node: a node that is away is waited for.
 */
export interface Chain {
  readonly registry: Registry;
  readonly settlements: Settlements;
  /** Base58 public key of the attestor. */
  readonly attestor: string;
  /** Answers another oracle that asks for a signature; absent where there are no others. Never rejects. */
  readonly cosign?: ((body: Uint8Array) => Promise<CosignAnswer>) | null;
  /** Begins to send; called once the ledger serves. */
  start(): void;
  /** Finishes what is in flight as far as it can, takes the last snapshot; never rejects. */
  stop(): Promise<void>;
}

/** Tables of settlement and of disputes, in the ledger's file. */
export const chainMigrations: readonly Migration[] = [...settlementMigrations, ...disputeMigrations];

const REGISTRY_EVERY_MS = 3_000;
const SNAPSHOT_TIMEOUT_MS = 30_000;

/**
 * The attestor's key pair from a Solana JSON array of 64 bytes, which its owner alone may read. Throws an `Error` that
 * names the file and says what to do.
 */
export function readKeypair(path: string): Keypair {
  try {
    const mode = statSync(path).mode & 0o777;
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      const shown = mode.toString(8).padStart(4, '0');
      throw new Error(`others may read it (mode ${shown}): chmod 600 ${path}, and think about who may have copied it`);
    }
    const bytes: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (!Array.isArray(bytes) || bytes.length !== 64) throw new Error('not a JSON array of 64 bytes');
    return Keypair.fromSecretKey(Uint8Array.from(bytes));
  } catch (cause) {
    throw new Error(`${path}: attestor key: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

async function postSnapshot(url: string): Promise<number> {
  const response = await fetch(url, { method: 'POST', signal: AbortSignal.timeout(SNAPSHOT_TIMEOUT_MS) });
  const answer = (await response.json()) as { slot?: unknown; error?: unknown };
  if (!response.ok || typeof answer.slot !== 'number') throw new Error(String(answer.error ?? response.status));
  return answer.slot;
}

/**
 * The chain side: registry, settlement, and what the api shows of them. Resolving needs no node; a node that is away is
 * waited for. With `deps.cosign` several oracles attest together. Throws when the attestor's key cannot be read.
 */
export async function startSettlement(deps: ChainDeps): Promise<Chain> {
  const { options, database, statements, realClock, randomness, logger } = deps;
  const { commitment, graceMs } = options;
  const attestor = readKeypair(options.attestorKeyFile);
  const connection = new Connection(options.rpcUrl, { commitment, disableRetryOnRateLimit: true });
  const registry = new RpcRegistry(connection, realClock, logger, deps.knownMeters, attestor.publicKey);
  const account = async (what: string, key: PublicKey) =>
    made(await ask(what, connection.getAccountInfo(key, commitment)));
  const zoneSet = zoneReader((key) => account('reading the zone', key));
  const latestBlockhash = () => ask('asking for a blockhash', connection.getLatestBlockhash(commitment));
  const node = new RpcNode(connection, commitment);
  const moved = new MovedSlots(() => registry.asOf.slot);
  const together = deps.cosign
    ? attestTogether({
        ...{ networkId: options.networkId, attestor, cosign: deps.cosign, node, latestBlockhash, zoneSet, registry },
        ...{ statements, database, realClock, logger, moved },
        ...(options.roundMs === undefined ? {} : { roundMs: options.roundMs }),
      })
    : null;
  const alone = () => singleAttestor(attestor.publicKey, async (zone) => (await zoneSet(zone)).attestors);
  const checkNetwork = async (): Promise<string | null> => {
    const found = await account('reading the registry', pda.config());
    if (!found) return 'waiting for the registry to be initialised';
    const { networkId } = decodeConfig(found);
    if (equalBytes(networkId, options.networkId)) return null;
    return `the chain is network ${toHex(networkId)}, this oracle is of ${toHex(options.networkId)}: nothing is sent`;
  };
  const { snapshotUrl } = options;
  // Rounds of their own: the lane's begin anew with each of its works.
  const disputeTurns = deps.cosign && zoneTurns(new Turns(options.roundMs), attestor.publicKey, zoneSet, realClock);
  const disputes = watchDisputes({
    ...{ connection, commitment, node, latestBlockhash, attestor, registry, statements, database, realClock, logger },
    turns: disputeTurns ?? null,
  });
  const driver = new SettlementDriver({
    node,
    builder: new AttestorBuilder(
      latestBlockhash,
      attestor,
      together?.cosigner ?? alone(),
      async (address) => (await account('reading a token account', address)) !== null,
    ),
    turns: together?.turns ?? null,
    store: new SqliteSettlementStore(database),
    statements,
    registry,
    moved,
    plan: planWindow,
    realClock,
    randomness,
    logger,
    graceMs,
    closedAtMs: (window) => deps.realTimeOf((window + 1) * 900_000),
    disputes,
    snapshot: snapshotUrl === undefined ? null : () => postSnapshot(snapshotUrl),
    checkNetwork,
  });
  const balance = new BalanceWatch(
    () => ask("reading the attestor's balance", connection.getBalance(attestor.publicKey, commitment)),
    realClock,
  );
  void balance.look();
  const views = new SettlementViews({
    archive: new SqliteSettlementArchive(database),
    ...{ registry, driver, statements },
    peers: () => together?.peers.view() ?? [],
    balanceLamports: () => balance.lamports,
  });
  registry.onFetched = () => driver.wake();
  registry.poll(REGISTRY_EVERY_MS);
  return {
    registry,
    settlements: views,
    attestor: attestor.publicKey.toBase58(),
    cosign: together && ((body) => together.answer(body)),
    start: () => driver.start(),
    async stop() {
      balance.stop();
      registry.stop();
      await driver.stop();
    },
  };
}
