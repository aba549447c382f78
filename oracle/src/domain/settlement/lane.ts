import type { Logger, MeterRecord, RealClock } from '../ports.js';
import { Backlog } from './backlog.js';
import { eventFrom, takenBy } from './landed.js';
import { compareWithArchive, equal, hasAttested } from './lineage.js';
import { Minting } from './minting.js';
import { MovedSlots } from './moved.js';
import { isOpen, type Plan, type planWindow, type SlottedMeter } from './plan.js';
import type { StatementStore } from './ports.js';
import {
  type AttestedEvent,
  type ChainNode,
  CosignersMissing,
  type Intent,
  LedgerGrew,
  type MeterPageRead,
  type NewIntent,
  NodeUnavailable,
  type PageRead,
  type SettlementStore,
  TokenAccountMissing,
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
  /** Slot of the chain at which these records were read. */
  readonly registrySlot: () => number;
  /** Shared by all who judge the same pages; one of the lane's own when absent. */
  readonly moved?: MovedSlots;
  readonly realClock: RealClock;
  /** Real time at which a window was, or will be, over on the reading clock. */
  readonly closedAtMs: (window: number) => number;
  readonly graceMs: number;
  /** Chooses what is attested next; a test or a campaign may put another in its place. */
  readonly plan?: typeof planWindow;
  /** Newest window of all pages of the zone, as last read: the zone's budget rises with it. */
  readonly zoneWindow?: () => number;
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
/** The registry, read at finalised commitment, comes some seconds after the page. */
const REGISTRY_AGAIN_MS = 1_000;

type Wait = Extract<Step, { kind: 'wait' }>;
type AttestPlan = Extract<Plan, { kind: 'attest' }>;

/**
 * Settles one meter page [settlement §2]. It never holds two transactions of unknown outcome,
 * stores each before it is sent, sends only the stored bytes again, and builds the next one from a fresh read. Killed at any
 * point, it goes on from the store and the chain. Between two transactions what matters most goes first: the current
 * window, then mints, then late windows; nothing that fails or waits holds up what comes after it.
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

  readonly #mints: Minting;
  readonly #backlog: Backlog;
  readonly #moved: MovedSlots;
  #problem: string | null = null;
  /** The last read, for those who ask for totals. */
  last: PageRead | null = null;

  constructor(zone: number, page: number, deps: LaneDeps) {
    this.zone = zone;
    this.page = page;
    this.#deps = deps;
    const meters = () => this.#meters();
    const { zoneWindow, realClock, logger } = deps;
    this.#moved = deps.moved ?? new MovedSlots(deps.registrySlot);
    this.#backlog = new Backlog(zone, page, meters, deps);
    this.#mints = new Minting({ zone, page, meters, zoneWindow, realClock, logger });
  }

  /** Why the page does not go on, in plain words; null when it does. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Energy that is due and cannot be minted now, in plain words. */
  mintProblems(): string[] {
    return this.#mints.problems();
  }

  /** Everything that does not go on; empty when all is well. */
  problems(): string[] {
    return [...(this.#problem ? [this.#problem] : []), ...this.mintProblems()];
  }

  /** Attestable statements that are not on chain, and a transaction under way. */
  pending(): number {
    const slots = this.last?.page?.slots;
    const open = this.#deps.store.open(this.zone, this.page) ? 1 : 0;
    return this.#meters().reduce((sum, meter) => {
      const slot = slots?.[meter.slot];
      return slot && isOpen(slot) && this.#backlog.isOwed(meter, slot.window) ? sum + 1 : sum;
    }, open);
  }

  /** One move of the state machine. Throws `NodeUnavailable`, or what the store throws. */
  async step(): Promise<Step> {
    const open = this.#deps.store.open(this.zone, this.page);
    if (open) return this.#resolve(open);
    const read = await this.#read();
    if (!read.page) return this.#wait(SET_UP_MS, 'the page does not exist yet');
    const older = this.#reconcile(read.page);
    if (older) return older;
    if (this.#settle(read, null).kind === 'settled') return { kind: 'settled' };
    const standing = this.#moved.look(read.page, read.contextSlot);
    const plan = this.#backlog.plan(read.page, (slot) => standing(slot) !== 'unexplained');
    const waits: Wait[] = [];
    const isCurrent = plan.kind === 'attest' && plan.isCurrent;
    const moves = [
      () => (isCurrent ? this.#attest(read.page as MeterPageRead, plan) : null),
      () => this.#mint(read),
      () => (plan.kind === 'attest' && !isCurrent ? this.#attest(read.page as MeterPageRead, plan) : null),
    ];
    for (const move of moves) {
      const step = await move();
      if (step?.kind === 'wait') waits.push(step);
      if (step && (step.kind !== 'wait' || this.#deps.store.open(this.zone, this.page))) return step;
    }
    const isHeld = this.#meters().some(({ slot }) => standing(slot) === 'unexplained');
    if (isHeld) waits.push(this.#wait(REGISTRY_AGAIN_MS, 'waiting for the registry: a slot moved'));
    else if (plan.kind === 'nothing') this.#idle(read, waits);
    if (plan.kind === 'wait') waits.push({ kind: 'wait', untilMs: plan.untilMs, why: 'waiting for the other meters' });
    return waits.reduce((first, wait) => (wait.untilMs < first.untilMs ? wait : first));
  }

  #idle(read: PageRead, waits: Wait[]): void {
    const { store } = this.#deps;
    if (store.isCatchingUp(this.zone, this.page)) store.caughtUp(this.zone, this.page);
    this.#problem = null;
    waits.push(this.#wait(IDLE_MS, read.ledger ? 'idle' : 'the ledger page does not exist yet'));
  }

  async #read(): Promise<PageRead> {
    this.last = await this.#deps.node.readPage(this.zone, this.page);
    return this.last;
  }

  #wait(ms: number, why: string): Wait {
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
      if (intent.kind === 'attest') return this.#pause(`${intent.kind} failed: ${outcome.error}`);
      this.#mints.failed(intent, outcome.error);
      return { kind: 'progress' };
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
    if (intent.kind !== 'attest') {
      store.minted(intent, slot, realClock.now());
      const read = await this.#read();
      this.#mints.landed(read);
      return this.#settle(read, intent.signature);
    }
    this.#pauseMs = 0;
    this.#problem = null;
    const result = event ?? eventFrom(intent, (await this.#read()).page);
    const taken = takenBy(intent, result);
    const { version, history } = result;
    store.attested(intent, { slot, version, history, ...taken }, realClock.now());
    for (const { item, reason } of taken.skipped) this.#backlog.left(intent.window, item.meterId, reason);
    for (const { meterId } of taken.accepted) this.#backlog.taken(meterId);
    this.#hasAttested = true;
    return { kind: 'progress' };
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
    const slots = new Map(this.#meters().map(({ meterId, slot }) => [meterId, page.slots[slot]]));
    const signatures = store.undoAfter(this.zone, this.page, page, now, (meterId, attested) =>
      hasAttested(slots.get(meterId), attested),
    );
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
    const { builder, store } = this.#deps;
    const task = this.#mints.next(read);
    if (!task) {
      const untilMs = this.#mints.nextMs(read);
      return untilMs === null ? null : { kind: 'wait', untilMs, why: this.#mints.problems()[0] ?? 'a mint waits' };
    }
    const notOurs = await this.#notOurTurn(`mint ${page.version}`, page.highestWindow);
    if (notOurs) return notOurs;
    const { zone } = this;
    const base = { zone, page: this.page, version: page.version, moves: page.moves, history: page.history };
    const { kind, meter } = task;
    const building = meter
      ? builder.mintMeter(zone, this.page, meter.meterId, meter.owner, store.nonce())
      : builder.mintPage(zone, this.page, store.nonce());
    const signed = await building.catch((error: unknown) => {
      if (error instanceof TokenAccountMissing) return error;
      throw error;
    });
    if (signed instanceof TokenAccountMissing) {
      this.#mints.mustWait(task, read, signed.message);
      return { kind: 'progress' };
    }
    this.#mints.begin(task, read);
    return this.#store({ ...base, expectedHistory: null, window: null, items: [], kind, ...signed });
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
    store.settle(this.zone, this.page, minted, signature, realClock.now(), closedAtMs);
    // Energy that cannot be minted now is minted later, and is no reason to go without a snapshot.
    const mustWait = this.#mints.next(read) !== null;
    if (!this.#hasAttested || mustWait) return { kind: 'progress' };
    this.#hasAttested = false;
    return { kind: 'settled' };
  }

  async #attest(page: MeterPageRead, plan: AttestPlan): Promise<Step> {
    const { store, builder, realClock } = this.#deps;
    if (realClock.now() < this.#pausedUntilMs) {
      return { kind: 'wait', untilMs: this.#pausedUntilMs, why: this.#problem ?? 'pause' };
    }
    const what = plan.isCurrent ? String(plan.window) : 'late';
    const turn = plan.isCurrent ? plan.window : page.highestWindow;
    const notOurs = await this.#notOurTurn(`attest ${page.version} ${what}`, turn);
    if (notOurs) return notOurs;
    const built = await builder.attest(page, plan.window, plan.entries, store.nonce()).catch((error: unknown) => {
      if (error instanceof NodeUnavailable && !(error instanceof LedgerGrew || error instanceof CosignersMissing)) {
        throw error;
      }
      return error instanceof Error ? error : new Error(String(error));
    });
    if (built instanceof LedgerGrew) return this.#wait(POLL_MS, built.message);
    if (built instanceof CosignersMissing) {
      this.#problem = built.message;
      return this.#wait(COSIGN_AGAIN_MS, built.message);
    }
    if (built instanceof Error) return this.#pause(`attest cannot be built: ${built.message}`);
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
    this.#problem = why;
    this.#deps.logger.warn({ zone: this.zone, page: this.page, why, pauseMs: this.#pauseMs }, 'settlement pauses');
    this.#pausedUntilMs = this.#deps.realClock.now() + this.#pauseMs;
    return this.#wait(this.#pauseMs, why);
  }
}
