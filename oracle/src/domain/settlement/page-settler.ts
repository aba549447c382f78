import { type Next, Sender, type Wait, type Work } from '@gridtokenx/chain-sender';
import type { MeterId, Wh, Window } from '@gridtokenx/protocol';
import type { Clock, Logger } from '@gridtokenx/runtime/core';
import type { MeterRecord } from '../ports.js';
import { Attesting, type AttestPlan } from './attesting.js';
import { Backlog } from './backlog.js';
import { attestOutcome, eventFrom, hasLandedAs } from './landed.js';
import { Minting } from './minting.js';
import type { MovedSlots } from './moved.js';
import { isOpen, type PlanWindow, type SlottedMeter } from './plan.js';
import type {
  AttestedEvent,
  ChainNode,
  Intent,
  LeaderTurn,
  MeterPageRead,
  NewIntent,
  PageRead,
  SettlementStore,
  TransactionBuilder,
} from './ports.js';
import { Rollback } from './rollback.js';
import type { StatementStore } from './statements.js';

/** Reports the outcome of one step. */
export type Step =
  | { readonly kind: 'progress' }
  /** A window of this page has been attested and minted: a snapshot may follow. */
  | { readonly kind: 'settled' }
  | Wait;

export interface SettlerDeps {
  readonly node: ChainNode;
  readonly builder: TransactionBuilder;
  readonly store: SettlementStore;
  readonly statements: StatementStore;
  /** Meters of this page that have a slot. */
  readonly meters: () => readonly MeterRecord[];
  /** Shared by all who judge the same pages. */
  readonly moved: MovedSlots;
  readonly clock: Clock;
  /** Real time at which a window was, or will be, over on the reading clock. */
  readonly closedAtMs: (window: Window) => number;
  readonly graceMs: number;
  /** Chooses what is attested next. */
  readonly plan: PlanWindow;
  /** Newest window of all pages of the zone, as last read: the zone's budget rises with it. */
  readonly zoneWindow: () => Window;
  /** Null where there is one attestor: then it is always our turn. */
  readonly turns: LeaderTurn | null;
  readonly logger: Logger;
}

const POLL_MS = 25;
const IDLE_MS = 5_000;
const SET_UP_MS = 1_000;
/** The registry, read at finalised commitment, comes some seconds after the page. */
const REGISTRY_AGAIN_MS = 1_000;

type Move = Next<NewIntent, Step> | null;

/**
 * Settles one meter page [settlement §2]. Between two transactions what matters most goes first: the current window, then
 * mints, then late windows; nothing that fails or waits holds up what comes after it. The sender sees to it that each is
 * sent with effect at most once.
 */
export class PageSettler {
  readonly zone: number;
  readonly page: number;
  readonly #deps: SettlerDeps;
  readonly #sender: Sender<NewIntent, Intent, AttestedEvent, Step>;
  readonly #attesting: Attesting;
  readonly #minting: Minting;
  readonly #backlog: Backlog;
  readonly #rollback: Rollback;
  #hasAttested = false;
  /** The last read, for those who ask for totals. */
  last: PageRead | null = null;

  constructor(zone: number, page: number, deps: SettlerDeps) {
    this.zone = zone;
    this.page = page;
    this.#deps = deps;
    const meters = () => this.#meters();
    const { node, store, clock } = deps;
    const place = { zone, page, meters };
    this.#attesting = new Attesting({ ...deps, ...place });
    this.#backlog = new Backlog(zone, page, meters, deps);
    this.#minting = new Minting({ ...deps, ...place });
    this.#rollback = new Rollback({ ...deps, ...place });
    this.#sender = new Sender({
      node,
      store: {
        nonce: () => store.nonce(),
        open: () => store.open(zone, page),
        add: (intent, nowMs) => store.add(intent, nowMs),
      },
      work: this.#work(),
      clock: { nowMs: () => clock.nowMs() },
      pollMs: POLL_MS,
    });
  }

  /** Why the page does not go on, in plain words; null when it does. */
  get problem(): string | null {
    return this.#attesting.problem;
  }

  /** True when no transaction is on its way. */
  get isQuiet(): boolean {
    return this.#sender.isQuiet;
  }

  /** Energy that is due and cannot be minted now, in plain words. */
  mintProblems(): string[] {
    return this.#minting.problems();
  }

  /** Everything that does not go on; empty when all is well. */
  problems(): string[] {
    return [...(this.problem ? [this.problem] : []), ...this.mintProblems()];
  }

  /** Attestable statements that are not on chain, and a transaction under way. */
  pending(): number {
    const slots = this.last?.page?.slots;
    return this.#meters().reduce(
      (sum, meter) => {
        const slot = slots?.[meter.slot];
        return slot && isOpen(slot) && this.#backlog.isOwed(meter, slot.window) ? sum + 1 : sum;
      },
      this.isQuiet ? 0 : 1,
    );
  }

  /** One move of the state machine. Throws `NodeUnavailable`, or what the store throws. */
  step(): Promise<Step> {
    return this.#sender.step();
  }

  #work(): Work<NewIntent, Intent, AttestedEvent, Step> {
    return {
      next: (nonce) => this.#next(nonce),
      stored: () => {},
      landed: (intent, slot, event) =>
        intent.kind === 'attest' ? this.#attested(intent, slot, event) : this.#minted(intent, slot),
      failed: (intent, slot, error) => this.#failed(intent, slot, error),
      lapsed: (intent) => this.#lapsed(intent),
    };
  }

  async #next(nonce: () => number): Promise<Next<NewIntent, Step>> {
    const { store, moved } = this.#deps;
    const read = await this.#read();
    const { page } = read;
    if (!page) return { step: this.#wait(SET_UP_MS, 'the page does not exist yet') };
    const older = this.#rollback.reconcile(page);
    if (older) return { step: older };
    if (this.#settle(read, null).kind === 'settled') return { step: { kind: 'settled' } };
    const standing = moved.observe(page, read.chainSlot);
    const plan = this.#backlog.plan(page, (slot) => standing(slot) !== 'unexplained');
    const waits: Wait[] = [];
    const isCurrent = plan.kind === 'attest' && plan.isCurrent;
    const moves: (() => Promise<Move> | null)[] = [
      () => (isCurrent ? this.#attest(page, plan, nonce) : null),
      () => this.#mint(read, nonce),
      () => (plan.kind === 'attest' && !isCurrent ? this.#attest(page, plan, nonce) : null),
    ];
    for (const move of moves) {
      const found = await move();
      if (!found) continue;
      if ('send' in found || found.step.kind !== 'wait') return found;
      waits.push(found.step);
    }
    const isHeld = this.#meters().some(({ slot }) => standing(slot) === 'unexplained');
    if (isHeld) waits.push(this.#wait(REGISTRY_AGAIN_MS, 'waiting for the registry: a slot moved'));
    else if (plan.kind === 'nothing') {
      if (store.isCatchingUp(this.zone, this.page)) store.caughtUp(this.zone, this.page);
      this.#attesting.idle();
      waits.push(this.#wait(IDLE_MS, read.ledger ? 'idle' : 'the ledger page does not exist yet'));
    }
    if (plan.kind === 'wait') waits.push({ kind: 'wait', untilMs: plan.untilMs, why: 'waiting for the other meters' });
    return { step: waits.reduce((first, wait) => (wait.untilMs < first.untilMs ? wait : first)) };
  }

  async #read(): Promise<PageRead> {
    this.last = await this.#deps.node.readPage(this.zone, this.page);
    return this.last;
  }

  #wait(ms: number, why: string): Wait {
    return { kind: 'wait', untilMs: this.#deps.clock.nowMs() + ms, why };
  }

  #meters(): SlottedMeter[] {
    const has = (meter: MeterRecord): meter is SlottedMeter => meter.slot !== null && meter.page === this.page;
    return this.#deps.meters().filter(has);
  }

  async #attest(page: MeterPageRead, plan: AttestPlan, nonce: () => number): Promise<Move> {
    const { remainingPause } = this.#attesting;
    if (remainingPause) return { step: remainingPause };
    const what = plan.isCurrent ? String(plan.window) : 'late';
    const turn = plan.isCurrent ? plan.window : page.highestWindow;
    const notOurs = await this.#notOurTurn(`attest ${page.version} ${what}`, turn);
    return notOurs ?? this.#attesting.build(page, plan, nonce());
  }

  async #mint(read: PageRead, nonce: () => number): Promise<Move> {
    const { page } = read;
    if (!page || !read.ledger) return null;
    const task = this.#minting.next(read);
    if (!task) {
      const untilMs = this.#minting.nextAttemptAtMs(read);
      return untilMs === null
        ? null
        : { step: { kind: 'wait', untilMs, why: this.#minting.problems()[0] ?? 'a mint waits' } };
    }
    const notOurs = await this.#notOurTurn(`mint ${page.version}`, page.highestWindow);
    return notOurs ?? this.#minting.build(task, read, page, nonce());
  }

  /** Another attestor leads: what it does shows on the page. */
  async #notOurTurn(what: string, window: Window): Promise<Move> {
    const ms = (await this.#deps.turns?.wait(this.zone, this.page, what, window)) ?? 0;
    return ms > 0 ? { step: this.#wait(ms, 'another oracle leads') } : null;
  }

  // ------------------------------------------------------------------ outcome of what was sent

  async #attested(intent: Intent, slot: number, event: AttestedEvent | null): Promise<Step> {
    const { store, clock } = this.#deps;
    this.#attesting.landed();
    const result = event ?? eventFrom(intent, (await this.#read()).page);
    const taken = attestOutcome(intent, result);
    const { version, history } = result;
    store.attested(intent, { slot, version, history, ...taken }, clock.nowMs());
    for (const { item, reason } of taken.skipped) this.#backlog.left(intent.window, item.meterId, reason);
    for (const { meterId } of taken.accepted) this.#backlog.taken(meterId);
    this.#hasAttested = true;
    return { kind: 'progress' };
  }

  async #minted(intent: Intent, slot: number): Promise<Step> {
    const { store, clock } = this.#deps;
    store.minted(intent, slot, clock.nowMs());
    const read = await this.#read();
    this.#minting.landed(read);
    return this.#settle(read, intent.signature);
  }

  #failed(intent: Intent, slot: number, error: string): Step {
    const { store, clock } = this.#deps;
    store.failed(intent, slot, error, clock.nowMs());
    if (intent.kind === 'attest') return this.#attesting.failed(error);
    this.#minting.failed(intent, error);
    return { kind: 'progress' };
  }

  /** Its blockhash is gone and the node does not know it: the page tells whether it landed. */
  async #lapsed(intent: Intent): Promise<Step> {
    const { store, clock, logger } = this.#deps;
    const { page, chainSlot } = await this.#read();
    if (hasLandedAs(intent, page)) return this.#attested(intent, chainSlot, null);
    const shown = { kind: intent.kind, signature: intent.signature };
    if (intent.kind === 'attest' && page && page.version > intent.version) {
      store.superseded(intent, clock.nowMs());
      logger.warn(
        { event: 'transaction_untraceable', ...shown },
        'The page advanced without a trace of this transaction',
      );
    } else {
      store.expired(intent, clock.nowMs());
      logger.info(
        { event: 'transaction_expired', ...shown },
        'A transaction expired: the oracle rebuilds it if it is still needed',
      );
    }
    return { kind: 'progress' };
  }

  /** Closes the windows whose energy is minted now; opens those again whose mint the chain has lost. */
  #settle(read: PageRead, signature: string | null): Step {
    const { store, clock, closedAtMs, logger } = this.#deps;
    const minted = new Map<MeterId, Wh>();
    for (const meter of this.#meters()) {
      const slot = read.ledger?.slots[meter.slot];
      if (slot) minted.set(meter.meterId, slot.mintedWh);
    }
    const reopened = store.reopenUnminted(this.zone, this.page, minted);
    if (reopened > 0)
      logger.warn({ event: 'mints_reopened', reopened }, 'The chain lost mints: the oracle sends them again');
    store.settle(this.zone, this.page, minted, signature, clock.nowMs(), closedAtMs);
    // Energy that cannot be minted now is minted later, and is no reason to go without a snapshot.
    const mustWait = this.#minting.next(read) !== null;
    if (!this.#hasAttested || mustWait) return { kind: 'progress' };
    this.#hasAttested = false;
    return { kind: 'settled' };
  }
}
