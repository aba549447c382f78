import type { Logger, MeterRecord, RealClock, StatementStore } from '../../ports.js';
import { compareWithArchive, equal, hasAttested } from './lineage.js';
import { explainSkip, isOpen, MOVED, planMint, planWindow, type SlottedMeter } from './plan.js';
import {
  type AttestedEvent,
  type ChainNode,
  CosignersMissing,
  type Intent,
  type IntentItem,
  LedgerGrew,
  type MeterPageRead,
  type NewIntent,
  type PageRead,
  type SettlementStore,
  type TransactionBuilder,
  type TurnKeeper,
} from './ports.js';

/** What one step came to. `untilMs`: real time at which the next step can do something, unless woken before. */
export type Step =
  | { readonly kind: 'progress' }
  /** A window of this page has been attested and minted: a snapshot may follow. */
  | { readonly kind: 'settled' }
  | { readonly kind: 'wait'; readonly untilMs: number; readonly why: string };

export interface LaneDeps {
  readonly node: ChainNode;
  readonly builder: TransactionBuilder;
  readonly store: SettlementStore;
  readonly statements: StatementStore;
  /** Meters of this page that have a slot. */
  readonly meters: () => readonly MeterRecord[];
  readonly realClock: RealClock;
  /** Real time at which a window was, or will be, over on the reading clock. */
  readonly closedAtMs: (window: number) => number;
  readonly graceMs: number;
  /** Null where there is one attestor: then it is always our turn. */
  readonly turns?: TurnKeeper | null;
  readonly logger: Logger;
}

/** The same bytes are handed over again this often while their outcome is unknown. */
const RESEND_MS = 500;
const POLL_MS = 25;
/** A node that shows less than the archive, or does not know a blockhash, is believed after this time. */
const PATIENCE_MS = 3_000;
const COSIGN_AGAIN_MS = 1_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 30_000;
const IDLE_MS = 5_000;
const SET_UP_MS = 1_000;

/**
 * Settles one meter page (chain: Exactly once from oracle to chain). It never holds two transactions of unknown outcome,
 * stores each before it is sent, sends only the stored bytes again, and builds the next one from a fresh read. Killed at any
 * point, it goes on from the store and the chain.
 */
export class Lane {
  readonly zone: number;
  readonly page: number;
  readonly #deps: LaneDeps;
  #lastSendMs = Number.NEGATIVE_INFINITY;
  #unfamiliarSinceMs: number | null = null;
  #olderSinceMs: number | null = null;
  #pauseMs = 0;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #hasAttested = false;
  /** The last read, for those who ask for totals. */
  last: PageRead | null = null;
  problem: string | null = null;

  constructor(zone: number, page: number, deps: LaneDeps) {
    this.zone = zone;
    this.page = page;
    this.#deps = deps;
  }

  /** Attestable statements that are not on chain, and a transaction under way. */
  pending(): number {
    const slots = this.last?.page?.slots;
    const open = this.#deps.store.open(this.zone, this.page) ? 1 : 0;
    return this.#meters().reduce((sum, meter) => {
      const slot = slots?.[meter.slot];
      return slot && isOpen(slot) && this.#statement(meter, slot.window, 'newest') ? sum + 1 : sum;
    }, open);
  }

  /** One move of the state machine. Throws `NodeUnavailable`, or what the store throws. */
  async step(): Promise<Step> {
    if (this.#deps.realClock.now() < this.#pausedUntilMs) {
      return { kind: 'wait', untilMs: this.#pausedUntilMs, why: this.problem ?? 'pause' };
    }
    const open = this.#deps.store.open(this.zone, this.page);
    if (open) return this.#resolve(open);
    const read = await this.#read();
    if (!read.page) return this.#wait(SET_UP_MS, 'the page does not exist yet');
    const older = this.#reconcile(read.page);
    if (older) return older;
    return (await this.#mint(read)) ?? (await this.#attest(read, read.page));
  }

  async #read(): Promise<PageRead> {
    this.last = await this.#deps.node.readPage(this.zone, this.page);
    return this.last;
  }

  #wait(ms: number, why: string): Step {
    return { kind: 'wait', untilMs: this.#deps.realClock.now() + ms, why };
  }

  #meters(): SlottedMeter[] {
    const has = (meter: MeterRecord): meter is SlottedMeter => meter.slot !== null && meter.page === this.page;
    return this.#deps.meters().filter(has);
  }

  // ------------------------------------------------------------------ outcome of what was sent

  async #resolve(intent: Intent): Promise<Step> {
    const { node, store, realClock } = this.#deps;
    // In this order: a transaction that is still unknown after its blockhash had expired can never land.
    const blockhash = await node.blockhashState(intent);
    const outcome = await node.outcome(intent.signature);
    const now = realClock.now();
    if (outcome.kind === 'landed') return this.#landed(intent, outcome.slot, outcome.event);
    if (outcome.kind === 'failed') {
      store.failed(intent, outcome.slot, outcome.error, now);
      return this.#pause(`${intent.kind} failed: ${outcome.error}`);
    }
    if (outcome.kind === 'seen') return this.#wait(POLL_MS, 'waiting for confirmation');
    if (blockhash === 'valid') {
      this.#unfamiliarSinceMs = null;
      return this.#sendAgain(intent);
    }
    if (blockhash === 'unfamiliar') {
      this.#unfamiliarSinceMs ??= now;
      if (now - this.#unfamiliarSinceMs < PATIENCE_MS) return this.#sendAgain(intent);
    }
    return this.#lapsed(intent);
  }

  async #sendAgain(intent: Intent): Promise<Step> {
    const now = this.#deps.realClock.now();
    if (now - this.#lastSendMs >= RESEND_MS) {
      this.#lastSendMs = now;
      await this.#deps.node.send(intent.raw);
    }
    return this.#wait(POLL_MS, 'waiting for the transaction');
  }

  /** Its blockhash is gone and the node does not know it: the page tells whether it landed. */
  async #lapsed(intent: Intent): Promise<Step> {
    const { store, realClock, logger } = this.#deps;
    this.#unfamiliarSinceMs = null;
    const { page, contextSlot } = await this.#read();
    const isNext = page && intent.expectedHistory && page.version === intent.version + 1n;
    if (page && isNext && equal(page.history, intent.expectedHistory ?? page.history)) {
      return this.#landed(intent, contextSlot, null);
    }
    const shown = { kind: intent.kind, signature: intent.signature };
    if (intent.kind === 'attest' && page && page.version > intent.version) {
      store.superseded(intent, realClock.now());
      logger.warn(shown, 'the page went on without a trace of this transaction');
    } else {
      store.expired(intent, realClock.now());
      logger.info(shown, 'the transaction expired and is built anew if it is still needed');
    }
    return { kind: 'progress' };
  }

  async #landed(intent: Intent, slot: number, event: AttestedEvent | null): Promise<Step> {
    const { store, realClock } = this.#deps;
    this.#pauseMs = 0;
    this.problem = null;
    if (intent.kind !== 'attest') {
      store.minted(intent, slot, realClock.now());
      return this.#settle(await this.#read(), intent.signature);
    }
    const result = event ?? this.#eventFrom(intent, (await this.#read()).page);
    const window = intent.window ?? 0;
    const accepted: IntentItem[] = [];
    const skipped: { item: IntentItem; reason: string }[] = [];
    for (const item of intent.items) {
      if (!result.skipped.has(item.slot)) accepted.push(item);
      else skipped.push({ item, reason: explainSkip(item.before, window, item) });
    }
    const { version, history } = result;
    store.attested(intent, { slot, version, history, accepted, skipped }, realClock.now());
    for (const { item, reason } of skipped) {
      this.#deps.logger.warn({ meter: item.meterId, window, reason }, 'the chain skipped a statement');
      if (reason !== MOVED) store.skip(item.meterId, window, reason, realClock.now());
    }
    this.#hasAttested = true;
    return { kind: 'progress' };
  }

  /** Without the event (the node forgot the transaction) the page itself tells which slots took their total. */
  #eventFrom(intent: Intent, page: MeterPageRead | null): AttestedEvent {
    const took = (item: IntentItem) => {
      const slot = page?.slots[item.slot];
      return slot !== undefined && slot.window >= (intent.window ?? 0) && slot.exportWh >= item.exportWh;
    };
    return {
      version: intent.version + 1n,
      history: intent.expectedHistory ?? new Uint8Array(32),
      window: intent.window ?? 0,
      skipped: new Set(intent.items.filter((item) => !took(item)).map((item) => item.slot)),
    };
  }

  // ------------------------------------------------------------------ a chain that came back older

  #reconcile(page: MeterPageRead): Step | null {
    const { store, realClock, logger } = this.#deps;
    const head = store.head(this.zone, this.page);
    const hasAll = () =>
      this.#meters().every(({ slot, meterId }) =>
        hasAttested(page.slots[slot], store.lastAttested(this.zone, this.page, meterId)),
      );
    const lineage = compareWithArchive(page, head, hasAll);
    if (lineage !== 'rolled back') {
      this.#olderSinceMs = null;
      if (lineage === 'ahead' || page.moves !== head?.moves) store.observed(this.zone, this.page, page);
      return null;
    }
    // A node that lags behind shows the same for a moment; whoever builds on it is refused by the page's version anyway.
    const now = realClock.now();
    this.#olderSinceMs ??= now;
    if (now - this.#olderSinceMs < PATIENCE_MS) return this.#wait(100, 'the chain shows an older page');
    this.#olderSinceMs = null;
    const signatures = store.undoAfter(this.zone, this.page, page, now);
    const shown = { zone: this.zone, page: this.page, version: String(page.version), signatures };
    logger.warn(shown, 'the chain came back older: these transactions are undone');
    return { kind: 'progress' };
  }

  // ------------------------------------------------------------------ what is sent

  async #store(intent: NewIntent): Promise<Step> {
    const { store, realClock } = this.#deps;
    const stored = store.add(intent, realClock.now());
    this.#lastSendMs = Number.NEGATIVE_INFINITY;
    return this.#sendAgain(stored);
  }

  async #mint(read: PageRead): Promise<Step | null> {
    const { page } = read;
    if (!page || !read.ledger) return null;
    const settled = this.#settle(read, null);
    if (settled.kind === 'settled') return settled;
    const plan = planMint(read, this.#meters());
    const { builder, store } = this.#deps;
    if (!plan.pool && plan.wallets.length === 0) return null;
    const notOurs = await this.#notOurTurn(`mint ${page.version}`, page.highestWindow);
    if (notOurs) return notOurs;
    const base = { zone: this.zone, page: this.page, version: page.version, moves: page.moves, history: page.history };
    const mint = { ...base, expectedHistory: null, window: null, items: [] };
    if (plan.pool) {
      return this.#store({
        ...mint,
        kind: 'mint_page',
        ...(await builder.mintPage(this.zone, this.page, store.nonce())),
      });
    }
    const [meter] = plan.wallets;
    if (!meter) return null;
    const signed = await builder.mintMeter(this.zone, this.page, meter.meterId, meter.owner, store.nonce());
    return this.#store({ ...mint, kind: 'mint_meter', ...signed });
  }

  /** Closes the windows whose energy is minted now; opens those again whose mint the chain has lost. */
  #settle(read: PageRead, signature: string | null): Step {
    const { store, realClock, closedAtMs } = this.#deps;
    const minted = new Map<string, bigint>();
    for (const meter of this.#meters()) {
      const slot = read.ledger?.slots[meter.slot];
      if (slot) minted.set(meter.meterId, slot.mintedWh);
    }
    const reopened = store.reopenUnminted(this.zone, this.page, minted);
    if (reopened > 0) this.#deps.logger.warn({ reopened }, 'the chain has lost mints: they are made again');
    const closed = store.settle(this.zone, this.page, minted, signature, realClock.now(), closedAtMs);
    if (closed === 0) return { kind: 'progress' };
    const { pool, wallets } = planMint(read, this.#meters());
    const isLast = this.#hasAttested && !pool && wallets.length === 0;
    if (isLast) this.#hasAttested = false;
    return isLast ? { kind: 'settled' } : { kind: 'progress' };
  }

  #statement(meter: SlottedMeter, after: number, which: 'oldest' | 'newest') {
    const { statements, store } = this.#deps;
    const above = Math.max(after, store.skippedThrough(meter.meterId));
    if (which === 'oldest') return statements.attestable(meter.meterId, above, 1)[0];
    const newest = statements.newest(meter.meterId);
    return newest && newest.window > above ? newest : undefined;
  }

  async #attest(read: PageRead, page: MeterPageRead): Promise<Step> {
    const { store, realClock, closedAtMs, graceMs, builder } = this.#deps;
    const isCatchingUp = store.isCatchingUp(this.zone, this.page);
    const candidates = this.#meters().map((meter) => {
      const slot = page.slots[meter.slot];
      return { meter, next: slot && this.#statement(meter, slot.window, isCatchingUp ? 'newest' : 'oldest') };
    });
    const graceEndsMs = (window: number) => (isCatchingUp ? 0 : closedAtMs(window) + graceMs);
    const { plan, unusable } = planWindow(page.slots, candidates, realClock.now(), graceEndsMs);
    for (const { meterId, window, reason } of unusable) {
      store.skip(meterId, window, reason, realClock.now());
      this.#deps.logger.warn({ meter: meterId, window, reason }, 'a statement cannot be attested');
    }
    if (unusable.length > 0) return { kind: 'progress' };
    if (plan.kind === 'nothing') {
      this.problem = null;
      if (isCatchingUp) store.caughtUp(this.zone, this.page);
      return this.#wait(IDLE_MS, read.ledger ? 'idle' : 'the ledger page does not exist yet');
    }
    if (plan.kind === 'wait') return { kind: 'wait', untilMs: plan.untilMs, why: 'waiting for the other meters' };
    const notOurs = await this.#notOurTurn(`attest ${page.version} ${plan.window}`, plan.window);
    if (notOurs) return notOurs;
    const built = await builder.attest(page, plan.window, plan.entries, store.nonce()).catch((error: unknown) => {
      if (error instanceof LedgerGrew || error instanceof CosignersMissing) return error;
      throw error;
    });
    if (built instanceof LedgerGrew) return this.#wait(POLL_MS, built.message);
    if (built instanceof CosignersMissing) {
      this.problem = built.message;
      return this.#wait(COSIGN_AGAIN_MS, built.message);
    }
    const { taken, expectedHistory, ...signed } = built;
    const items = taken.map(({ payload: _, ...item }) => item);
    const { version, moves, history } = page;
    const base = { zone: this.zone, page: this.page, version, moves, history, expectedHistory, window: plan.window };
    return this.#store({ kind: 'attest', ...base, items, ...signed });
  }

  /** Another attestor leads: what it does shows on the page. */
  async #notOurTurn(what: string, window: number): Promise<Step | null> {
    const ms = (await this.#deps.turns?.wait(this.zone, this.page, what, window)) ?? 0;
    return ms > 0 ? this.#wait(ms, 'another oracle leads') : null;
  }

  #pause(why: string): Step {
    this.#pauseMs = Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, 2 * this.#pauseMs));
    this.problem = why;
    this.#deps.logger.warn({ zone: this.zone, page: this.page, why, pauseMs: this.#pauseMs }, 'settlement pauses');
    this.#pausedUntilMs = this.#deps.realClock.now() + this.#pauseMs;
    return this.#wait(this.#pauseMs, why);
  }
}
