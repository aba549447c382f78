import type { Logger, MeterRecord, RealClock } from '../../ports.js';
import type { StatementStore } from '../ports.js';
import { NodeUnavailable, SlotFlag, type SlotRead, type TurnKeeper } from '../ports.js';
import { type Answer, findAnswer } from './evidence.js';
import {
  type CaseRead,
  type CaseState,
  CaseUnreadable,
  CaseVerdict,
  type CaseView,
  type DisputeBuilder,
  type DisputeIntent,
  type DisputeKind,
  type DisputeNode,
  type DisputeStore,
  type Place,
  type SlotCase,
} from './ports.js';
import { isOutOfStep } from './sync.js';

/** How long a case may be answered, in windows of the chain's clock [chain §7.7]. */
export const ANSWER_WINDOWS = 96;
const WINDOW_SECONDS = 900;

/** A page is looked at this often. The time for an answer is a day, so a missed look costs nothing. */
export const LOOK_EVERY_MS = 10_000;
/** The same bytes are handed over again this often while their outcome is unknown. */
const RESEND_MS = 500;
const POLL_MS = 50;
/** A blockhash that the node does not know is believed to be gone after this time. */
const PATIENCE_MS = 3_000;
/** Slots of a page that are looked at closely at a time; of more, the others come with the next look. */
export const MAX_SLOTS_AT_A_LOOK = 16;
/** A ledger that had no answer is searched again so often: the statement may have come meanwhile. */
const SEARCH_AGAIN_MS = 60_000;
/** What was sent and did not help is not tried again sooner, and ever more rarely: each try costs a fee. */
const FIRST_PAUSE_MS = 10_000;
const LONGEST_PAUSE_MS = 600_000;

export type { CaseState, CaseView } from './ports.js';

export interface DisputesDeps {
  readonly node: DisputeNode;
  readonly builder: DisputeBuilder;
  readonly store: DisputeStore;
  readonly statements: StatementStore;
  /** Of one page, those that have a slot. */
  readonly meters: (zone: number, page: number) => readonly MeterRecord[];
  readonly realClock: RealClock;
  /** Of disputes alone: the lane's counts other work. Null where there is one attestor. */
  readonly turns?: TurnKeeper | null;
  readonly logger: Logger;
}

/** Something to send for a slot. */
interface Act extends Place {
  readonly kind: DisputeKind;
  /** 0 for `sync`. */
  readonly number: number;
  readonly answer: Answer | null;
  /** Less is sooner. */
  readonly urgency: number;
}

/** Page and state of this oracle's work on it. */
interface Watch {
  /** By slot. */
  readonly cases: Map<number, CaseView>;
  /** By slot: why it could not be judged, or its transaction not be built. */
  readonly failures: Map<number, string>;
  /** By slot: when a ledger without an answer is searched again. */
  readonly searched: Map<number, { number: number; untilMs: number }>;
  /** Slot from which the next look goes on. */
  from: number;
  nextLookMs: number;
  lastSendMs: number;
  unfamiliarSinceMs: number | null;
  readonly pauses: Map<string, { untilMs: number; ms: number }>;
}

/**
 * Watches the pages for disputes and for slots that differ from the registry, and sends what anyone may send: `answer`
 * from this ledger, `conclude_dispute`, `sync_slot`. One transaction at a time for each page, stored before it is sent;
 * what the chain shows decides what is still needed, so a second oracle or a restart repeats nothing.
 */
export class Disputes {
  readonly #deps: DisputesDeps;
  readonly #watches = new Map<string, Watch>();

  constructor(deps: DisputesDeps) {
    this.#deps = deps;
  }

  /** Disputed slots of all pages, as last looked at. */
  cases(): CaseView[] {
    return [...this.#watches.values()].flatMap((watch) => [...watch.cases.values()]);
  }

  /** Slots that cannot be watched, in plain words; the others of their pages are. */
  failures(): string[] {
    return [...this.#watches.values()].flatMap((watch) => [...watch.failures.values()]);
  }

  /** True when no transaction of a page is on its way. */
  isQuiet(zone: number, page: number): boolean {
    return this.#deps.store.open(zone, page) === undefined;
  }

  /** One move for a page; the real time of the next one. Throws `NodeUnavailable`, or what the store throws. */
  async step(zone: number, page: number): Promise<number> {
    const { store, realClock } = this.#deps;
    const watch = this.#watchOf(zone, page);
    const open = store.open(zone, page);
    if (open) return this.#resolve(open, watch);
    if (realClock.now() < watch.nextLookMs) return watch.nextLookMs;
    const acts = await this.#look(zone, page, watch);
    const now = realClock.now();
    watch.nextLookMs = now + LOOK_EVERY_MS;
    const [act] = acts.filter((one) => now >= (watch.pauses.get(pauseKey(one))?.untilMs ?? 0));
    return act ? this.#begin(act, watch) : watch.nextLookMs;
  }

  #watchOf(zone: number, page: number): Watch {
    const key = `${zone}/${page}`;
    const known = this.#watches.get(key);
    if (known) return known;
    const made: Watch = {
      cases: new Map(),
      failures: new Map(),
      searched: new Map(),
      from: 0,
      nextLookMs: 0,
      lastSendMs: Number.NEGATIVE_INFINITY,
      unfamiliarSinceMs: null,
      pauses: new Map(),
    };
    this.#watches.set(key, made);
    return made;
  }

  // ------------------------------------------------------------------ what is to be done

  async #look(zone: number, page: number, watch: Watch): Promise<Act[]> {
    const { node, meters } = this.#deps;
    const read = await node.readPage(zone, page);
    const odd: { place: Place; slot: SlotRead; isDisputed: boolean }[] = [];
    for (const meter of read.page ? meters(zone, page) : []) {
      const slot = meter.slot === null ? undefined : read.page?.slots[meter.slot];
      if (meter.slot === null || !slot) continue;
      const isDisputed = (slot.flags & SlotFlag.disputed) !== 0;
      const place = { zone, page, slot: meter.slot, meterId: meter.meterId };
      if (isDisputed || isOutOfStep(meter, slot)) odd.push({ place, slot, isDisputed });
    }
    this.#forgetOthers(watch, new Set(odd.map(({ place }) => place.slot)));
    const acts: Act[] = [];
    for (const { place, slot, isDisputed } of inTurn(odd, watch)) {
      try {
        acts.push(...(await this.#lookAt(place, slot, isDisputed, watch)));
        watch.failures.delete(place.slot);
      } catch (error) {
        this.#skip(place, watch, error);
      }
    }
    return acts.sort((a, b) => a.urgency - b.urgency || a.slot - b.slot);
  }

  async #lookAt(place: Place, slot: SlotRead, isDisputed: boolean, watch: Watch): Promise<Act[]> {
    const acts: Act[] = [];
    const found = await this.#deps.node.readCase(place.zone, place.page, place.slot, place.meterId);
    if (isDisputed && found.dispute && found.meter) {
      const judged = this.#judge(place, found, found.meter, found.dispute, watch);
      watch.cases.set(place.slot, judged.view);
      if (judged.act) acts.push(judged.act);
    }
    // The cached record is older than the chain's: only a fresh one is worth a fee.
    if (found.meter && isOutOfStep(found.meter, slot)) {
      acts.push({ ...place, kind: 'sync', number: 0, answer: null, urgency: ANSWER_WINDOWS + 1 });
    }
    return acts;
  }

  /** Names a slot that fails and leaves it to the next look. A node that is away is no slot's fault, and is thrown on. */
  #skip({ zone, page, slot, meterId }: Place, watch: Watch, error: unknown): void {
    if (error instanceof NodeUnavailable && !(error instanceof CaseUnreadable)) throw error;
    const detail = error instanceof Error ? error.message : String(error);
    const what = `meter ${meterId}, slot ${zone}/${page}/${slot}: ${detail}`;
    const { logger } = this.#deps;
    if (watch.failures.get(slot) !== what)
      logger.error({ meter: meterId, zone, page, slot, err: detail }, 'a slot is not watched');
    watch.failures.set(slot, what);
  }

  /** What is known of slots that are in order is of no use, and the tables stay as small as the page. */
  #forgetOthers({ cases, failures, searched, pauses }: Watch, odd: ReadonlySet<number>): void {
    for (const slot of failures.keys()) if (!odd.has(slot)) failures.delete(slot);
    for (const slot of cases.keys()) if (!odd.has(slot)) cases.delete(slot);
    for (const slot of searched.keys()) if (!odd.has(slot)) searched.delete(slot);
    for (const key of pauses.keys()) if (!odd.has(Number(key.split('/')[1]))) pauses.delete(key);
  }

  #judge(
    place: Place,
    found: SlotCase,
    meter: MeterRecord,
    dispute: CaseRead,
    watch: Watch,
  ): { view: CaseView; act: Act | null } {
    const { number, verdict } = dispute;
    const passed = Math.floor(found.chainSeconds / WINDOW_SECONDS) - dispute.openedWindow;
    const windowsLeft = verdict === CaseVerdict.open ? Math.max(0, ANSWER_WINDOWS - passed) : 0;
    const view = (state: CaseState): CaseView => ({ ...place, number, verdict, windowsLeft, state });
    const act = (kind: DisputeKind, answer: Answer | null = null): Act => ({
      ...{ ...place, kind, number, answer },
      urgency: windowsLeft,
    });
    if (verdict !== CaseVerdict.open) {
      if (found.acceptedCase !== number) return { view: view('decided'), act: null };
      return { view: view('accepted'), act: act('conclude') };
    }
    if (windowsLeft === 0) return { view: view('overdue'), act: act('conclude') };
    const answer = this.#search(place, meter, dispute, watch);
    if (!answer) return { view: view('no answer here'), act: null };
    return { view: view('answering'), act: act('answer', answer) };
  }

  /** Looks for an answer in the ledger; one that had none is asked again after a while. */
  #search({ slot }: Place, meter: MeterRecord, dispute: CaseRead, { searched }: Watch): Answer | null {
    const { statements, realClock } = this.#deps;
    const before = searched.get(slot);
    if (before?.number === dispute.number && realClock.now() < before.untilMs) return null;
    const answer = findAnswer(meter, dispute, statements);
    if (!answer) searched.set(slot, { number: dispute.number, untilMs: realClock.now() + SEARCH_AGAIN_MS });
    return answer;
  }

  // ------------------------------------------------------------------ what is sent

  async #begin(act: Act, watch: Watch): Promise<number> {
    const { builder, store, turns, realClock, logger } = this.#deps;
    const { zone, page, slot, kind, number, meterId } = act;
    // Anyone may send it, also an oracle that is no attestor of the zone any more and has no turn.
    const waitMs = (await turns?.wait(zone, page, `${kind} ${slot} ${number}`, number).catch(() => 0)) ?? 0;
    if (waitMs > 0) {
      watch.nextLookMs = realClock.now() + waitMs;
      return watch.nextLookMs;
    }
    const nonce = store.nonce();
    const signed = await this.#build(builder, act, nonce).catch((error: unknown) => this.#skip(act, watch, error));
    if (!signed) {
      // The next look takes another slot first.
      this.#pause(watch, act);
      watch.nextLookMs = realClock.now() + POLL_MS;
      return watch.nextLookMs;
    }
    const intent = store.add({ kind, number, zone, page, slot, meterId, ...signed }, realClock.now());
    this.#pause(watch, act);
    const shown = { meter: meterId, zone, page, slot, case: number };
    if (kind !== 'sync') logger.warn(shown, kind === 'answer' ? 'a dispute is answered' : 'a dispute is concluded');
    watch.lastSendMs = Number.NEGATIVE_INFINITY;
    return this.#sendAgain(intent, watch);
  }

  async #build(builder: DisputeBuilder, act: Act, nonce: number) {
    if (act.answer) return builder.answer(act, act.answer.key, act.answer.message, nonce);
    return act.kind === 'conclude' ? builder.conclude(act, nonce) : builder.sync(act, nonce);
  }

  #pause(watch: Watch, act: Act): void {
    const before = watch.pauses.get(pauseKey(act))?.ms ?? 0;
    const ms = Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, 2 * before));
    watch.pauses.set(pauseKey(act), { ms, untilMs: this.#deps.realClock.now() + ms });
  }

  async #sendAgain(intent: DisputeIntent, watch: Watch): Promise<number> {
    const { node, realClock } = this.#deps;
    const now = realClock.now();
    if (now - watch.lastSendMs >= RESEND_MS) {
      watch.lastSendMs = now;
      await node.send(intent.raw);
    }
    return now + POLL_MS;
  }

  async #resolve(intent: DisputeIntent, watch: Watch): Promise<number> {
    const { node, realClock } = this.#deps;
    // In this order: a transaction that is still unknown after its blockhash had expired can never land.
    const blockhash = await node.blockhashState(intent);
    const outcome = await node.outcome(intent.signature);
    const now = realClock.now();
    if (outcome.kind === 'landed') return this.#end(intent, watch, 'landed', null);
    if (outcome.kind === 'failed') return this.#end(intent, watch, 'failed', outcome.error);
    if (outcome.kind === 'seen') return now + POLL_MS;
    if (blockhash === 'valid') {
      watch.unfamiliarSinceMs = null;
      return this.#sendAgain(intent, watch);
    }
    if (blockhash === 'unfamiliar') {
      watch.unfamiliarSinceMs ??= now;
      if (now - watch.unfamiliarSinceMs < PATIENCE_MS) return this.#sendAgain(intent, watch);
    }
    return this.#end(intent, watch, 'expired', null);
  }

  /** Whatever came of it: the next look at the chain says what is still to be done. */
  #end(intent: DisputeIntent, watch: Watch, end: 'landed' | 'failed' | 'expired', error: string | null): number {
    const { store, realClock, logger } = this.#deps;
    watch.unfamiliarSinceMs = null;
    store.end(intent, end, error, realClock.now());
    const { kind, meterId, zone, page, slot, number, signature } = intent;
    const shown = { kind, meter: meterId, zone, page, slot, case: number, signature };
    // Another oracle may have been first: that is no fault.
    if (end === 'failed') logger.info({ ...shown, error }, 'the chain refused it');
    // What never arrived is built anew at once; what landed or failed was decided by the chain.
    if (end === 'expired') watch.pauses.delete(pauseKey(intent));
    watch.nextLookMs = realClock.now();
    return watch.nextLookMs;
  }
}

/** As many as are looked at together, beginning where the last look ended. */
function inTurn<T extends { readonly place: Place }>(all: readonly T[], watch: Watch): T[] {
  const rising = [...all].sort((a, b) => a.place.slot - b.place.slot);
  const later = rising.filter(({ place }) => place.slot >= watch.from);
  const chosen = [...later, ...rising.filter(({ place }) => place.slot < watch.from)].slice(0, MAX_SLOTS_AT_A_LOOK);
  watch.from = (chosen.at(-1)?.place.slot ?? -1) + 1;
  return chosen;
}

function pauseKey({ kind, slot, number }: { kind: DisputeKind; slot: number; number: number }): string {
  return `${kind}/${slot}/${number}`;
}
