import { asPublicKeyText, type PublicKeyText, windowEndAtMs } from '@gridtokenx/protocol';
import type { Clock, Logger, Random, ReadingClock } from '@gridtokenx/runtime/core';
import { BalanceWatch } from '../adapters/chain/balance.js';
import { AttestorBuilder, singleAttestor } from '../adapters/chain/builder.js';
import { askOverHttp } from '../adapters/chain/cosign/http.js';
import type { CosignDeps } from '../adapters/chain/cosign/peer.js';
import { postSnapshot } from '../adapters/chain/snapshot.js';
import type { Database, Migration } from '../adapters/sqlite/database.js';
import { SqliteSettlementArchive } from '../adapters/sqlite/settlement-archive.js';
import { chainMigrations as settlementMigrations } from '../adapters/sqlite/settlement-schema.js';
import { SqliteSettlementStore } from '../adapters/sqlite/settlement-store.js';
import type { Settlements } from '../domain/live/ports.js';
import { LeaderSchedule } from '../domain/settlement/cosigning/judge.js';
import type { CosignAnswer } from '../domain/settlement/cosigning/ports.js';
import { SettlementDriver } from '../domain/settlement/driver.js';
import { MovedSlots } from '../domain/settlement/moved.js';
import { PageSettler } from '../domain/settlement/page-settler.js';
import { planWindow } from '../domain/settlement/plan.js';
import type { StatementStore } from '../domain/settlement/statements.js';
import { SettlementViews } from '../domain/settlement/views.js';
import { type ChainLink, connectChain } from './chain-link.js';
import { attestTogether, zoneSchedule } from './cosign.js';
import { disputeMigrations, watchDisputes } from './disputes.js';

export { connectChain };

/** Tables of settlement and of disputes, stored in the ledger's file. */
export const chainMigrations: readonly Migration[] = [...settlementMigrations, ...disputeMigrations];

const REGISTRY_EVERY_MS = 3_000;

/** Dependencies of settlement beside its link to the chain. */
export interface SettlementDeps {
  readonly options: {
    readonly snapshotUrl?: string;
    readonly graceMs: number;
    /** Real ms after which another attestor leads. */
    readonly roundMs?: number;
  };
  /** Already migrated with `chainMigrations`. */
  readonly database: Database;
  readonly statements: StatementStore;
  /** Drives readings, for close_to_mint_ms and grace. */
  readonly readingClock: Pick<ReadingClock, 'realTimeOf'>;
  readonly clock: Clock;
  readonly randomness: Random;
  readonly logger: Logger;
  /** Null where this is the only attestor. */
  readonly cosign: CosignDeps | null;
}

/**
 * Settlement on a chain, and its state for the API. Starting it needs no node: settlement waits for a node that is
 * away.
 */
export interface Chain {
  readonly settlements: Settlements;
  /** Empty until the node has proved that it serves the right chain, and where there is no attestor. */
  readonly attestor: PublicKeyText | '';
  /** Answers another oracle's request for a signature; null where there are no other oracles. Never rejects. */
  readonly cosign: ((body: Uint8Array) => Promise<CosignAnswer>) | null;
  /** Begins to send; called once the ledger serves. */
  start(): void;
  /** Finishes pending work as far as it can and stores the last snapshot; never rejects. */
  stop(): Promise<void>;
}

/** Settles over a link. With `deps.cosign` several oracles attest together. */
export function startSettlement(link: ChainLink, deps: SettlementDeps): Chain {
  const { options, database, statements, clock } = deps;
  const { attestor, registry } = link;
  const moved = new MovedSlots(() => registry.asOf.chainSlot);
  const rounds = options.roundMs === undefined ? {} : { roundMs: options.roundMs };
  const together = deps.cosign
    ? attestTogether({
        ...link,
        ...deps,
        ...rounds,
        networkId: link.options.networkId,
        cosign: deps.cosign,
        moved,
        ask: askOverHttp,
      })
    : null;
  const driver = new SettlementDriver({
    ...{ ...deps, ...link, moved, plan: planWindow, graceMs: options.graceMs },
    builder: builderOf(link, together?.cosigner),
    turns: together?.turns ?? null,
    store: new SqliteSettlementStore(database),
    closedAtMs: (window) => deps.readingClock.realTimeOf(windowEndAtMs(window)),
    disputes: watchDisputes({
      ...{ ...deps, ...link, commitment: link.options.commitment },
      // Disputes have their own rounds: the settler restarts its rounds with each of its works.
      turns: deps.cosign && zoneSchedule(new LeaderSchedule(options.roundMs), attestor.publicKey, link.zoneSet, clock),
    }),
    settlerOf: (...of) => new PageSettler(...of),
    snapshot: snapshotOf(options.snapshotUrl),
    checkNetwork: () => link.checkNetwork(),
  });
  const balance = new BalanceWatch(link.balance, clock);
  void balance.refresh();
  registry.onFetched = () => driver.wake();
  registry.poll(REGISTRY_EVERY_MS);
  return {
    settlements: new SettlementViews({
      archive: new SqliteSettlementArchive(database),
      ...{ registry, driver, statements },
      peers: () => together?.peers.view() ?? [],
      balanceLamports: () => balance.lamports,
    }),
    attestor: asPublicKeyText(attestor.publicKey.toBytes()),
    cosign: together && ((body) => together.answer(body)),
    start: () => driver.start(),
    async stop() {
      balance.stop();
      registry.stop();
      await driver.stop();
    },
  };
}

function builderOf(
  { attestor, latestBlockhash, zoneSet, account }: ChainLink,
  cosigner = singleAttestor(attestor.publicKey, async (zone) => (await zoneSet(zone)).attestors),
): AttestorBuilder {
  const exists = async (address: Parameters<typeof account>[1]) =>
    (await account('reading a token account', address)) !== null;
  return new AttestorBuilder(latestBlockhash, attestor, cosigner, exists);
}

function snapshotOf(url: string | undefined): (() => Promise<number>) | null {
  return url === undefined ? null : () => postSnapshot(url);
}
