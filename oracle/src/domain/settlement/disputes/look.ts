import { NodeUnavailable } from '@gridtokenx/chain-sender';
import { type Clock, errorText, type Logger } from '@gridtokenx/runtime/core';
import type { MeterRecord } from '../../ports.js';
import { SlotFlag, type SlotRead } from '../ports.js';
import type { StatementStore } from '../statements.js';
import { type Answer, findAnswer } from './evidence.js';
import {
  type CaseRead,
  type CaseState,
  CaseUnreadable,
  CaseVerdict,
  type CaseView,
  type DisputeKind,
  type DisputeNode,
  type Place,
  type SlotCase,
} from './ports.js';
import { isOutOfStep } from './sync.js';

/** How long a case may be answered, in windows of the chain's clock (oracle program: DAY_WINDOWS). */
export const ANSWER_WINDOWS = 96;
const WINDOW_SECONDS = 900;
/** Bounds the slots of a page whose cases one look reads; the next look reads the others. */
export const MAX_SLOTS_AT_A_LOOK = 16;
/** A ledger that had no answer is searched again so often: the statement may have come meanwhile. */
const SEARCH_AGAIN_MS = 60_000;

export interface LookDeps {
  readonly node: Pick<DisputeNode, 'readPage' | 'readCase'>;
  readonly statements: Pick<StatementStore, 'saying' | 'signedBy'>;
  /** Of one page, those that have a slot. */
  readonly meters: (zone: number, page: number) => readonly MeterRecord[];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Something to send for a slot. */
export interface Act extends Place {
  readonly kind: DisputeKind;
  /** 0 for `sync`. */
  readonly number: number;
  readonly answer: Answer | null;
  /** Less is sooner. */
  readonly urgency: number;
}

/** A slot that is disputed or differs from the registry. */
interface OddSlot {
  readonly place: Place;
  readonly slot: SlotRead;
  readonly isDisputed: boolean;
}

/** Remembers a page's odd slots and the acts that are due for them; its memory is bounded by the page. */
export class PageLook {
  readonly #zone: number;
  readonly #page: number;
  readonly #deps: LookDeps;
  readonly #cases = new Map<number, CaseView>();
  /** By slot: why it could not be judged, or its transaction not be built. */
  readonly #failures = new Map<number, string>();
  /** By slot: when a ledger without an answer is searched again. */
  readonly #searched = new Map<number, { number: number; untilMs: number }>();
  /** Slot from which the next look goes on. */
  #from = 0;

  constructor(zone: number, page: number, deps: LookDeps) {
    this.#zone = zone;
    this.#page = page;
    this.#deps = deps;
  }

  /** Disputed slots, as last looked at. */
  cases(): CaseView[] {
    return [...this.#cases.values()];
  }

  /** Slots that cannot be watched, in plain words; the others of the page are. */
  failures(): string[] {
    return [...this.#failures.values()];
  }

  /** Looks at the page; what is to be done, most urgent first, and the slots that are odd. Throws `NodeUnavailable`. */
  async look(): Promise<{ acts: Act[]; odd: ReadonlySet<number> }> {
    const odd = await this.#oddSlots();
    const slots = new Set(odd.map(({ place }) => place.slot));
    for (const known of [this.#failures, this.#cases, this.#searched]) {
      for (const slot of known.keys()) if (!slots.has(slot)) known.delete(slot);
    }
    const acts: Act[] = [];
    for (const one of this.#inTurn(odd)) {
      try {
        acts.push(...(await this.#lookAt(one)));
        this.#failures.delete(one.place.slot);
      } catch (error) {
        this.skip(one.place, error);
      }
    }
    return { acts: acts.sort((a, b) => a.urgency - b.urgency || a.slot - b.slot), odd: slots };
  }

  async #oddSlots(): Promise<OddSlot[]> {
    const { node, meters } = this.#deps;
    const [zone, page] = [this.#zone, this.#page];
    const read = await node.readPage(zone, page);
    const odd: OddSlot[] = [];
    for (const meter of read.page ? meters(zone, page) : []) {
      const slot = meter.slot === null ? undefined : read.page?.slots[meter.slot];
      if (meter.slot === null || !slot) continue;
      const isDisputed = (slot.flags & SlotFlag.disputed) !== 0;
      const place = { zone, page, slot: meter.slot, meterId: meter.meterId };
      if (isDisputed || isOutOfStep(meter, slot)) odd.push({ place, slot, isDisputed });
    }
    return odd;
  }

  async #lookAt({ place, slot, isDisputed }: OddSlot): Promise<Act[]> {
    const acts: Act[] = [];
    const found = await this.#deps.node.readCase(place.zone, place.page, place.slot, place.meterId);
    if (isDisputed && found.dispute && found.meter) {
      const judged = this.#judge(place, found, found.meter, found.dispute);
      this.#cases.set(place.slot, judged.view);
      if (judged.act) acts.push(judged.act);
    }
    // The cached record is older than the chain's: only a fresh one is worth a fee.
    if (found.meter && isOutOfStep(found.meter, slot)) {
      acts.push({ ...place, kind: 'sync', number: 0, answer: null, urgency: ANSWER_WINDOWS + 1 });
    }
    return acts;
  }

  /** Names a slot that fails and leaves it to the next look. A node that is away is no slot's fault, and is thrown on. */
  skip({ zone, page, slot, meterId }: Place, error: unknown): void {
    if (error instanceof NodeUnavailable && !(error instanceof CaseUnreadable)) throw error;
    const detail = errorText(error);
    const what = `meter ${meterId}, slot ${zone}/${page}/${slot}: ${detail}`;
    if (this.#failures.get(slot) !== what) {
      this.#deps.logger.error(
        { event: 'slot_not_watched', meter: meterId, zone, page, slot, err: detail },
        'Cannot watch a meter slot for disputes',
      );
    }
    this.#failures.set(slot, what);
  }

  #judge(place: Place, found: SlotCase, meter: MeterRecord, dispute: CaseRead): { view: CaseView; act: Act | null } {
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
    const answer = this.#search(place, meter, dispute);
    if (!answer) return { view: view('no answer here'), act: null };
    return { view: view('answering'), act: act('answer', answer) };
  }

  /** Looks for an answer in the ledger; one that had none is asked again after a while. */
  #search({ slot }: Place, meter: MeterRecord, dispute: CaseRead): Answer | null {
    const { statements, clock } = this.#deps;
    const before = this.#searched.get(slot);
    if (before?.number === dispute.number && clock.nowMs() < before.untilMs) return null;
    const answer = findAnswer(meter, dispute, statements);
    if (!answer) this.#searched.set(slot, { number: dispute.number, untilMs: clock.nowMs() + SEARCH_AGAIN_MS });
    return answer;
  }

  /** Returns the slots of one look, beginning where the last look ended. */
  #inTurn(all: readonly OddSlot[]): OddSlot[] {
    const rising = [...all].sort((a, b) => a.place.slot - b.place.slot);
    const later = rising.filter(({ place }) => place.slot >= this.#from);
    const chosen = [...later, ...rising.filter(({ place }) => place.slot < this.#from)].slice(0, MAX_SLOTS_AT_A_LOOK);
    this.#from = (chosen.at(-1)?.place.slot ?? -1) + 1;
    return chosen;
  }
}
