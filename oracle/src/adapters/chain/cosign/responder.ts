import { pda } from '@gridtokenx/chain-client';
import { NodeUnavailable } from '@gridtokenx/chain-sender';
import {
  base58Decode,
  base58Encode,
  type CosignRequest,
  ed25519Signer,
  equalBytes,
  openCosignRequest,
  toHex,
  type Verifier,
  type Window,
  WireError,
} from '@gridtokenx/protocol';
import { type Clock, errorText, type Logger } from '@gridtokenx/runtime/core';
import { type Keypair, PublicKey } from '@solana/web3.js';
import type { Registry } from '../../../domain/ports.js';
import type { CosignGuard } from '../../../domain/settlement/cosigning/guard.js';
import {
  attestableOf,
  capacityViolation,
  judgeSlots,
  netRises,
  type Refusal,
  type RefusalCode,
} from '../../../domain/settlement/cosigning/judge.js';
import type { CosignAnswer } from '../../../domain/settlement/cosigning/ports.js';
import type { MovedSlots, MoveState } from '../../../domain/settlement/moved.js';
import type { SlottedMeter } from '../../../domain/settlement/plan.js';
import type { AttestEntry, ChainNode, MeterPageRead } from '../../../domain/settlement/ports.js';
import type { StatementStore } from '../../../domain/settlement/statements.js';
import type { LatestBlockhash } from '../builder.js';
import { difference, fitsInto, type Proposal, readProposal } from './message.js';
import type { Peer } from './peer.js';
import type { PeerTracker } from './peers.js';
import type { ZoneSet } from './zone.js';

/** Refuses requests whose date is further away: bounds replays, and the difference between two clocks. Real ms. */
const FRESH_MS = 60_000;

export interface DeskDeps {
  readonly networkId: Uint8Array;
  /** Identity key of this oracle, 32 bytes. */
  readonly identity: Uint8Array;
  readonly attestor: Keypair;
  readonly peers: PeerTracker;
  readonly node: Pick<ChainNode, 'readPage' | 'blockhashState'>;
  readonly latestBlockhash: LatestBlockhash;
  readonly zoneSet: (zone: number) => Promise<ZoneSet>;
  readonly registry: Registry;
  readonly statements: StatementStore;
  /** Verifies and stores messages that a peer showed; returns after the commit. */
  readonly exchange: (from: Uint8Array, messages: readonly Uint8Array[]) => void;
  readonly guard: CosignGuard;
  readonly moved: MovedSlots;
  readonly isCatchingUp: (zone: number, page: number) => boolean;
  readonly verifier: Verifier;
  readonly clock: Clock;
  readonly logger: Logger;
}

class Refused extends Error {
  readonly refusal: Refusal;
  constructor(code: RefusalCode, detail: string, rest: Partial<Refusal> = {}) {
    super(`${code}: ${detail}`);
    this.refusal = { code, detail, ...rest };
  }
}

/** Lists refusals of proposals that no honest oracle makes. */
const FALSE: ReadonlySet<RefusalCode> = new Set(['malformed', 'transaction', 'attestors', 'root', 'totals']);
const STATUS: Partial<Record<RefusalCode, number>> = { stranger: 403, malformed: 400, unavailable: 503 };

/**
 * The co-signer's side: signs another oracle's attest_page only when it is what this oracle would have written itself, from
 * its own ledger and its own read of the page, byte for byte [settlement §8.3].
 */
export class CosignResponder {
  readonly #deps: DeskDeps;

  constructor(deps: DeskDeps) {
    this.#deps = deps;
  }

  /** Answers the body of `POST /cosign`; never rejects. */
  async answer(body: Uint8Array): Promise<CosignAnswer> {
    let peer: Peer | null = null;
    try {
      const opened = this.#open(body);
      peer = opened.peer;
      const signature = await this.#judge(opened.peer, opened.request);
      return { status: 200, body: { signature: base58Encode(signature) } };
    } catch (error) {
      const refusal = this.#refusalOf(error);
      if (peer) this.#note(peer, refusal);
      const { code, detail, statements } = refusal;
      const shown = statements ? { statements: statements.map(toHex) } : {};
      return { status: STATUS[code] ?? 409, body: { refused: code, detail, ...shown } };
    }
  }

  #refusalOf(error: unknown): Refusal {
    if (error instanceof Refused) return error.refusal;
    const detail = errorText(error);
    if (error instanceof NodeUnavailable) return { code: 'unavailable', detail };
    this.#deps.logger.error({ event: 'cosign_request_failed', err: error }, 'Failed to judge a co-sign request');
    return { code: 'unavailable', detail: 'see the log' };
  }

  #note(peer: Peer, { code, detail }: Refusal): void {
    const what = `proposed what is refused here: ${code}: ${detail}`;
    if (FALSE.has(code)) this.#deps.peers.accuse(peer, what);
    else if (code === 'implausible') this.#deps.peers.problem(peer, what);
  }

  #open(body: Uint8Array): { peer: Peer; request: CosignRequest } {
    const { peers, verifier, identity, networkId, clock } = this.#deps;
    let why = 'no configured oracle signed this';
    for (const peer of peers.all) {
      try {
        const request = openCosignRequest(body, base58Decode(peer.oracle), verifier);
        const age = clock.nowMs() - request.timeMs;
        if (!equalBytes(request.to, identity)) throw new Refused('stranger', 'meant for another oracle');
        if (!equalBytes(request.networkId, networkId)) throw new Refused('stranger', 'of another network');
        if (Math.abs(age) > FRESH_MS) throw new Refused('stale', `dated ${age} ms before this clock`);
        return { peer, request };
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        why = error.message;
      }
    }
    throw new Refused('stranger', why);
  }

  async #judge(peer: Peer, request: CosignRequest): Promise<Uint8Array> {
    const { attestor, guard, exchange } = this.#deps;
    const proposal = this.#proposal(request.transaction);
    const { zone, page } = this.#page(proposal);
    const set = await this.#deps.zoneSet(zone);
    this.#checkAttestors(peer, proposal, set);
    // First what the other has and this ledger may not have; it is verified like whatever arrives.
    exchange(base58Decode(peer.oracle), request.statements);
    const { page: read, chainSlot } = await this.#deps.node.readPage(zone, page);
    if (!read) throw new Refused('page differs', 'the page does not exist here');
    // Records and the slot at which they were read belong together: no await comes between.
    const standing = this.#deps.moved.observe(read, chainSlot);
    const meters = this.#metersOf(zone, page);
    const entries = this.#entries(proposal, read, meters, standing);
    const unlike = difference(proposal, read, entries);
    if (unlike) throw new Refused(unlike, `page ${zone}/${page}, window ${proposal.window}: not what is written here`);
    this.#checkCapacity(set, read, entries, proposal.window);
    const lastValidHeight = await this.#checkBlockhash(proposal.blockhash);
    const { version, digest, blockhash } = proposal;
    const may = await guard.commit({ zone, page, version, digest, blockhash, lastValidHeight, leader: peer.oracle });
    if (!may) throw new Refused('held', `another attest_page for version ${version} may still land`);
    return ed25519Signer(attestor.secretKey.slice(0, 32)).sign(proposal.bytes);
  }

  #proposal(bytes: Uint8Array): Proposal {
    try {
      return readProposal(bytes);
    } catch (error) {
      if (error instanceof RangeError) throw new Refused('transaction', error.message);
      throw error;
    }
  }

  #slotted(): SlottedMeter[] {
    const { registry } = this.#deps;
    return registry.meters().filter((meter): meter is SlottedMeter => meter.page !== null && meter.slot !== null);
  }

  #metersOf(zone: number, page: number): SlottedMeter[] {
    return this.#slotted().filter((meter) => meter.zone === zone && meter.page === page);
  }

  #page({ page: address }: Proposal): { zone: number; page: number } {
    const seen = new Set<string>();
    for (const { zone, page } of this.#slotted()) {
      if (seen.has(`${zone}/${page}`)) continue;
      seen.add(`${zone}/${page}`);
      if (pda.meterPage(zone, page).equals(address)) return { zone, page };
    }
    throw new Refused('unknown page', address.toBase58());
  }

  #checkAttestors(peer: Peer, { payer, attestors }: Proposal, set: ZoneSet): void {
    const names = attestors.map((key) => key.toBase58());
    const known = new Set(set.attestors.map((key) => key.toBase58()));
    const isOdd = new Set(names).size !== names.length || names.some((name) => !known.has(name));
    if (isOdd) throw new Refused('attestors', "not distinct attestors of the zone's set");
    if (!names.includes(this.#deps.attestor.publicKey.toBase58())) throw new Refused('attestors', 'not ours');
    if (names.length < set.threshold) throw new Refused('attestors', `${names.length} of ${set.threshold}`);
    const isPeers = payer.equals(new PublicKey(peer.attestor)) && names.includes(peer.attestor);
    if (!isPeers) throw new Refused('transaction', 'not paid and signed by the oracle that asks');
  }

  #entries(
    proposal: Proposal,
    read: MeterPageRead,
    meters: readonly SlottedMeter[],
    standing: (slot: number) => MoveState,
  ): AttestEntry[] {
    const { version, moves, window, slots } = proposal;
    if (version !== read.version || moves !== read.moves) {
      const here = `version ${read.version}, moves ${read.moves} here`;
      throw new Refused('page differs', `built on version ${version}, moves ${moves}; ${here}`);
    }
    const { statements } = this.#deps;
    const isCatchingUp = this.#deps.isCatchingUp(read.zone, read.page);
    const fits = fitsInto(proposal, read);
    const judged = judgeSlots({ read, meters, statements, window, slots, standing, isCatchingUp, fits });
    if ('refused' in judged) {
      const { code, detail, ...rest } = judged.refused;
      throw new Refused(code, detail, rest);
    }
    return judged.entries;
  }

  #checkCapacity(set: ZoneSet, read: MeterPageRead, entries: AttestEntry[], window: Window): void {
    const { registry, statements } = this.#deps;
    const others = attestableOf(read.zone, registry.meters(), read);
    const rises = netRises(entries, others, statements, window);
    const steps = others.reduce((sum, meter) => sum + BigInt(meter.registerStepWh), 0n);
    const why = capacityViolation(set.capacityW, rises, steps);
    if (why) throw new Refused('implausible', why);
  }

  /** The height until which it can land, as our own node sees it: never below the sender's. */
  async #checkBlockhash(blockhash: string): Promise<number> {
    const { lastValidBlockHeight } = await this.#deps.latestBlockhash();
    const state = await this.#deps.node.blockhashState({ blockhash, lastValidHeight: lastValidBlockHeight });
    if (state !== 'valid') throw new Refused('blockhash', `${blockhash} is ${state} here`);
    return lastValidBlockHeight;
  }
}
