import { asPublicKeyText } from '@gridtokenx/protocol';
import type { Clock, Logger } from '@gridtokenx/runtime/core';
import type { Keypair } from '@solana/web3.js';
import type { Cosigner, LatestBlockhash } from '../adapters/chain/builder.js';
import type { CosignDeps } from '../adapters/chain/cosign/peer.js';
import { type AskPeer, PeerCosigners, PeerTracker } from '../adapters/chain/cosign/peers.js';
import { CosignResponder } from '../adapters/chain/cosign/responder.js';
import { type ZoneSet, zoneSchedule } from '../adapters/chain/cosign/zone.js';
import { SqliteCosignRecord } from '../adapters/sqlite/cosign-record.js';
import type { Database } from '../adapters/sqlite/database.js';
import { SqliteSettlementStore } from '../adapters/sqlite/settlement-store.js';
import type { Registry } from '../domain/ports.js';
import { CosignGuard } from '../domain/settlement/cosigning/guard.js';
import { LeaderSchedule } from '../domain/settlement/cosigning/judge.js';
import type { CosignAnswer } from '../domain/settlement/cosigning/ports.js';
import type { MovedSlots } from '../domain/settlement/moved.js';
import type { ChainNode, LeaderTurn } from '../domain/settlement/ports.js';
import type { StatementStore } from '../domain/settlement/statements.js';

export { type ZoneSet, zoneReader, zoneSchedule } from '../adapters/chain/cosign/zone.js';

export interface TogetherDeps {
  readonly networkId: Uint8Array;
  readonly attestor: Keypair;
  readonly cosign: CosignDeps;
  readonly node: Pick<ChainNode, 'readPage' | 'blockhashState'>;
  readonly latestBlockhash: LatestBlockhash;
  readonly zoneSet: (zone: number) => Promise<ZoneSet>;
  readonly registry: Registry;
  readonly statements: StatementStore;
  /** Already migrated with `chainMigrations`. */
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly ask: AskPeer;
  /** Shared with this oracle's own settlers. */
  readonly moved: MovedSlots;
  readonly roundMs?: number;
}

/** Both sides of co-signing, which share the state of the peers and of the signatures given. */
export interface Together {
  readonly cosigner: Cosigner;
  readonly turns: LeaderTurn;
  readonly peers: PeerTracker;
  answer(body: Uint8Array): Promise<CosignAnswer>;
}

export function attestTogether(deps: TogetherDeps): Together {
  const { cosign, node, attestor, zoneSet, clock, logger } = deps;
  const peers = new PeerTracker(cosign.peers, clock, logger);
  const guard = new CosignGuard(new SqliteCosignRecord(deps.database), clock, (of) => node.blockhashState(of));
  const store = new SqliteSettlementStore(deps.database);
  const isCatchingUp = (zone: number, page: number) => store.isCatchingUp(zone, page);
  const shared = { ...deps, peers, guard, isCatchingUp };
  const { signer, verifier, exchange } = cosign;
  const desk = new CosignResponder({ ...shared, identity: signer.publicKey, verifier, exchange });
  return {
    cosigner: new PeerCosigners({
      ...shared,
      identity: asPublicKeyText(signer.publicKey),
      ask: deps.ask,
    }),
    turns: zoneSchedule(new LeaderSchedule(deps.roundMs), attestor.publicKey, zoneSet, clock),
    peers,
    answer: (body) => desk.answer(body),
  };
}
