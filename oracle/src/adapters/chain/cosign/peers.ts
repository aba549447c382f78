import {
  asPublicKeyText,
  base58Decode,
  fromHex,
  type PublicKeyText,
  publicKeyFromBase58,
  signCosignRequest,
} from '@gridtokenx/protocol';
import { type Clock, errorText, type Logger } from '@gridtokenx/runtime/core';
import { type Keypair, PublicKey } from '@solana/web3.js';
import type { PeerView } from '../../../domain/live/ports.js';
import type { CosignGuard } from '../../../domain/settlement/cosigning/guard.js';
import { shownFor, statementAt } from '../../../domain/settlement/cosigning/judge.js';
import type { CosignAnswer } from '../../../domain/settlement/cosigning/ports.js';
import { InsufficientSignatures, ReplanRequired } from '../../../domain/settlement/ports.js';
import type { StatementStore } from '../../../domain/settlement/statements.js';
import type { Cosigner, CosignRequest, LatestBlockhash } from '../builder.js';
import { readProposal } from './message.js';
import type { CosignDeps, Peer } from './peer.js';
import type { ZoneSet } from './zone.js';

/** Carries a request to a peer. Rejects when there is no answer. */
export type AskPeer = (peer: Peer, body: Uint8Array) => Promise<CosignAnswer>;

/** A peer that did not sign is not asked again for this long, unless nobody else is left. */
const SILENT_MS = 10_000;
const REFUSED_MS = 2_000;

interface PeerState {
  /** Plain words. */
  state: string;
  /** It signs, or was not asked yet. */
  isWell: boolean;
  untilMs: number;
  /** Quotes a claim of this peer that no honest oracle makes; stays for a person to read. */
  accusation: string | null;
}

const FRESH: PeerState = {
  ...{ state: 'not asked yet', isWell: true, untilMs: Number.NEGATIVE_INFINITY, accusation: null },
};

/** Tracks how the other attestors answer; the state shows it. */
export class PeerTracker {
  readonly all: readonly Peer[];
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #standings = new Map<PublicKeyText, PeerState>();

  constructor(all: readonly Peer[], clock: Clock, logger: Logger) {
    this.all = all;
    this.#clock = clock;
    this.#logger = logger;
  }

  view(): PeerView[] {
    return this.all.map(({ oracle, attestor }) => {
      const { state, isWell, accusation } = this.#of(oracle);
      const shown = accusation ? `${state}; FALSE: ${accusation}` : state;
      return { oracle, attestor, state: shown, isWell: isWell && !accusation, accusation };
    });
  }

  /** May it be asked now? */
  isTrusted({ oracle }: Peer): boolean {
    return this.#of(oracle).untilMs <= this.#clock.monotonicMs();
  }

  signs({ oracle }: Peer): void {
    this.#standings.set(oracle, {
      ...this.#of(oracle),
      state: 'signs',
      isWell: true,
      untilMs: Number.NEGATIVE_INFINITY,
    });
  }

  problem(peer: Peer, state: string, forMs = REFUSED_MS): void {
    const before = this.#of(peer.oracle);
    if (before.state !== state)
      this.#logger.warn({ event: 'peer_not_signing', oracle: peer.oracle, state }, 'A peer oracle does not co-sign');
    this.#standings.set(peer.oracle, {
      ...before,
      state,
      isWell: false,
      untilMs: this.#clock.monotonicMs() + forMs,
    });
  }

  /**
   * It said what no honest oracle says: named for a person to look at. It is asked again later all the same, because its
   * signature counts only where it agrees with ours.
   */
  accuse(peer: Peer, what: string): void {
    const before = this.#of(peer.oracle);
    if (before.accusation !== what)
      this.#logger.error({ event: 'peer_accused', oracle: peer.oracle, what }, 'A peer oracle signed a false claim');
    const untilMs = this.#clock.monotonicMs() + SILENT_MS;
    this.#standings.set(peer.oracle, { state: 'not asked for now', isWell: false, untilMs, accusation: what });
  }

  #of(oracle: PublicKeyText): PeerState {
    return this.#standings.get(oracle) ?? FRESH;
  }
}

export interface PeerCosignerDeps {
  readonly networkId: Uint8Array;
  readonly attestor: Keypair;
  readonly cosign: CosignDeps;
  readonly peers: PeerTracker;
  readonly ask: AskPeer;
  readonly zoneSet: (zone: number) => Promise<ZoneSet>;
  readonly statements: StatementStore;
  readonly guard: CosignGuard;
  /** Base58 identity of this oracle. */
  readonly identity: PublicKeyText;
  readonly latestBlockhash: LatestBlockhash;
  readonly clock: Clock;
}

/** The leader's side: chooses who signs with us, asks, and checks what comes back. */
export class PeerCosigners implements Cosigner {
  readonly #deps: PeerCosignerDeps;

  constructor(deps: PeerCosignerDeps) {
    this.#deps = deps;
  }

  async attestors(zone: number): Promise<{ others: PublicKey[]; bitmap: number }> {
    const { attestor, cosign, peers, zoneSet } = this.#deps;
    const set = await zoneSet(zone);
    const place = (key: PublicKey) => set.attestors.findIndex((one) => one.equals(key));
    const own = place(attestor.publicKey);
    if (own < 0) throw new InsufficientSignatures(`${attestor.publicKey.toBase58()} is no attestor of zone ${zone}`);
    const wanted = Math.max(set.threshold, cosign.threshold) - 1;
    const { length } = set.attestors;
    const known = peers.all
      .map((peer) => ({ peer, key: new PublicKey(peer.attestor) }))
      .filter(({ key }) => place(key) >= 0)
      // From the place after ours on, so that the work is spread.
      .sort((a, b) => ((place(a.key) - own + length) % length) - ((place(b.key) - own + length) % length));
    const chosen = known.filter(({ peer }) => peers.isTrusted(peer)).slice(0, wanted);
    if (chosen.length < wanted) {
      const states = peers.view().map(({ oracle, state }) => `${oracle.slice(0, 8)} ${state}`);
      throw new InsufficientSignatures(`${chosen.length} of ${wanted} co-signers can be asked (${states.join('; ')})`);
    }
    const others = chosen.map(({ key }) => key);
    return { others, bitmap: [attestor.publicKey, ...others].reduce((bits, key) => bits | (1 << place(key)), 0) };
  }

  async sign(request: CosignRequest): Promise<ReadonlyMap<PublicKeyText, Uint8Array>> {
    const { peers, attestor } = this.#deps;
    const names = new Set(readProposal(request.message).attestors.map((key) => asPublicKeyText(key.toBytes())));
    names.delete(asPublicKeyText(attestor.publicKey.toBytes()));
    const asked = peers.all.filter((peer) => names.has(peer.attestor));
    const signatures = new Map<PublicKeyText, Uint8Array>();
    const grew = await Promise.all(
      asked.map(async (peer) => {
        const answer = await this.#ask(peer, request);
        if (answer instanceof Uint8Array) signatures.set(peer.attestor, answer);
        return answer === 'grew';
      }),
    );
    if (grew.includes(true)) throw new ReplanRequired('statements came from another oracle');
    if (signatures.size < names.size) {
      throw new InsufficientSignatures(`${signatures.size} of ${names.size} co-signers signed`);
    }
    await this.#commit(request);
    return signatures;
  }

  /**
   * Our own signature is one like any other: stored before it is given, and never under two things at once. It comes last:
   * until then nobody else can complete the transaction, and a proposal that was refused binds nobody here.
   */
  async #commit({ message, zone, page }: CosignRequest): Promise<void> {
    const { guard, identity, latestBlockhash } = this.#deps;
    const { version, digest, blockhash } = readProposal(message);
    const { lastValidBlockHeight: lastValidHeight } = await latestBlockhash();
    if (await guard.commit({ zone, page, version, digest, blockhash, lastValidHeight, leader: identity })) return;
    throw new InsufficientSignatures(
      `another attest_page for page ${zone}/${page}, version ${version}, may still land`,
    );
  }

  /** The signature; 'grew' when the peer showed statements that are new here; null otherwise. */
  async #ask(peer: Peer, request: CosignRequest): Promise<Uint8Array | 'grew' | null> {
    const { peers, ask, cosign } = this.#deps;
    let answer: CosignAnswer;
    try {
      answer = await ask(peer, this.#body(peer, request));
    } catch (error) {
      peers.problem(peer, `silent: ${errorText(error)}`, SILENT_MS);
      return null;
    }
    const { signature, refused, detail, statements } = fields(answer.body);
    if (signature === null) {
      if (refused === 'left out' && statements.length > 0 && this.#adopt(peer, request, statements)) return 'grew';
      peers.problem(peer, `refuses: ${refused}: ${detail}`);
      return null;
    }
    if (!cosign.verifier.verify(signature, request.message, publicKeyFromBase58(peer.attestor))) {
      peers.accuse(peer, 'a signature that is not its own over what it was asked to sign');
      return null;
    }
    peers.signs(peer);
    return signature;
  }

  #body(peer: Peer, { message, entries, window }: CosignRequest): Uint8Array {
    const { networkId, clock, cosign, statements } = this.#deps;
    const taken = entries.flatMap(({ meterId }) => statementAt(statements, meterId, window) ?? []);
    const messages = shownFor(statements, taken);
    const to = base58Decode(peer.oracle);
    const timeMs = clock.nowMs();
    return signCosignRequest({ networkId, timeMs, to, transaction: message, statements: messages }, cosign.signer);
  }

  /** Stores what the peer has and we may not have; true when there is more to attest now. */
  #adopt(peer: Peer, { window, entries }: CosignRequest, messages: readonly Uint8Array[]): boolean {
    const { cosign, statements } = this.#deps;
    let isNew = false;
    const stop = statements.onStored(() => {
      isNew = true;
    });
    try {
      cosign.exchange(base58Decode(peer.oracle), messages);
    } finally {
      stop();
    }
    // Were one of ours no longer acceptable, the transaction could not be built again either.
    return isNew || entries.some(({ meterId }) => !statementAt(statements, meterId, window));
  }
}

const MAX_SHOWN = 256;

/** Picks the known fields of an answer; an answer of another form has none. */
function fields(body: unknown): {
  signature: Uint8Array | null;
  refused: string;
  detail: string;
  statements: Uint8Array[];
} {
  const of = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const text = (value: unknown) => (typeof value === 'string' ? value.slice(0, 300) : '');
  const statements = Array.isArray(of.statements) ? of.statements.slice(0, MAX_SHOWN) : [];
  return {
    signature: signatureOf(of.signature),
    refused: text(of.refused) || 'without a reason',
    detail: text(of.detail),
    statements: statements
      .filter((one): one is string => typeof one === 'string' && /^[0-9a-f]{342}$/.test(one))
      .map((one) => fromHex(one)),
  };
}

/** Returns the bytes of the text, or null where there is no text; zeros for a text that is not base58 verify nowhere. */
function signatureOf(value: unknown): Uint8Array | null {
  if (typeof value !== 'string') return null;
  try {
    return base58Decode(value);
  } catch {
    return new Uint8Array(64);
  }
}
