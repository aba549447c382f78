import { pda } from '@gridtokenx/chain-client';
import { ask } from '@gridtokenx/chain-sender/rpc';
import { fromHex } from '@gridtokenx/protocol';
import type { Clock, Logger } from '@gridtokenx/runtime/core';
import { type Commitment, type Connection, type Keypair, SYSVAR_CLOCK_PUBKEY } from '@solana/web3.js';
import type { LatestBlockhash } from '../adapters/chain/builder.js';
import { AttestorDisputeBuilder } from '../adapters/chain/dispute-builder.js';
import { toSlotCase } from '../adapters/chain/dispute-case.js';
import type { Database } from '../adapters/sqlite/database.js';
import { SqliteDisputeStore } from '../adapters/sqlite/dispute-store.js';
import type { Registry } from '../domain/ports.js';
import { Disputes } from '../domain/settlement/disputes/disputes.js';
import type { DisputeNode } from '../domain/settlement/disputes/ports.js';
import type { ChainNode, LeaderTurn } from '../domain/settlement/ports.js';
import type { StatementStore } from '../domain/settlement/statements.js';

export { disputeMigrations } from '../adapters/sqlite/dispute-store.js';

export interface DisputesOnChainDeps {
  readonly connection: Connection;
  readonly commitment: Commitment;
  readonly node: ChainNode;
  readonly latestBlockhash: LatestBlockhash;
  readonly attestor: Keypair;
  /** Turns of disputes alone; null with a single attestor. */
  readonly turns: LeaderTurn | null;
  readonly registry: Registry;
  readonly statements: StatementStore;
  /** Already migrated with `disputeMigrations`. */
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Watches for disputes on a node over RPC. */
export function watchDisputes(deps: DisputesOnChainDeps): Disputes {
  const { connection, commitment, registry } = deps;
  const node: DisputeNode = {
    readPage: (zone, page) => deps.node.readPage(zone, page),
    send: (raw) => deps.node.send(raw),
    outcome: (signature) => deps.node.outcome(signature),
    blockhashState: (intent) => deps.node.blockhashState(intent),
    async readCase(zone, page, slot, meterId) {
      const keys = [pda.meter(zone, fromHex(meterId)), pda.dispute(zone, page, slot), SYSVAR_CLOCK_PUBKEY];
      const [meter, dispute, clock] = await ask(
        'reading a dispute',
        connection.getMultipleAccountsInfo(keys, commitment),
      );
      return toSlotCase(meter, dispute, clock);
    },
  };
  return new Disputes({
    ...deps,
    node,
    builder: new AttestorDisputeBuilder(deps.latestBlockhash, deps.attestor),
    store: new SqliteDisputeStore(deps.database),
    meters: (zone, page) => registry.meters().filter((meter) => meter.zone === zone && meter.page === page),
  });
}
