import { type Next, Sender, type Wait } from '@gridtokenx/chain-sender';
import { nextDelayMs } from '@gridtokenx/runtime/core';
import type { AttestedEvent, LeaderTurn } from '../ports.js';
import { type Act, type LookDeps, PageLook } from './look.js';
import type {
  CaseView,
  DisputeBuilder,
  DisputeEnd,
  DisputeIntent,
  DisputeKind,
  DisputeNode,
  DisputeStore,
  NewDisputeIntent,
} from './ports.js';

/** Reads a page this often, real ms. A dispute leaves a day for the answer, so a missed read costs nothing. */
export const LOOK_EVERY_MS = 10_000;
const POLL_MS = 50;
/** Delays the next try of an act that did not help, longer each time: each try costs a fee. */
const PAUSES = { initialMs: 10_000, maxMs: 600_000 };

export interface DisputesDeps extends LookDeps {
  readonly node: DisputeNode;
  readonly builder: DisputeBuilder;
  readonly store: DisputeStore;
  /** Of disputes alone: the settler's counts other work. Null where there is one attestor. */
  readonly turns: LeaderTurn | null;
}

/**
 * Watches the pages for disputes and for slots that differ from the registry, and sends what anyone may send: `answer`
 * from this ledger, `conclude_dispute`, `sync_slot` [settlement §7]. One transaction at a time for each page, stored before it
 * is sent; what the chain shows decides what is still needed, so a second oracle or a restart repeats nothing.
 */
export class Disputes {
  readonly #deps: DisputesDeps;
  readonly #watches = new Map<string, PageWatch>();

  constructor(deps: DisputesDeps) {
    this.#deps = deps;
  }

  /** Disputed slots of all pages, as last looked at. */
  cases(): CaseView[] {
    return [...this.#watches.values()].flatMap((watch) => watch.look.cases());
  }

  /** Slots that cannot be watched, in plain words; the others of their pages are. */
  failures(): string[] {
    return [...this.#watches.values()].flatMap((watch) => watch.look.failures());
  }

  /** True when no transaction of a page is on its way. */
  isQuiet(zone: number, page: number): boolean {
    return this.#deps.store.open(zone, page) === undefined;
  }

  /** One move for a page; the real time of the next one. Throws `NodeUnavailable`, or what the store throws. */
  step(zone: number, page: number): Promise<number> {
    const key = `${zone}/${page}`;
    const watch = this.#watches.get(key) ?? new PageWatch(zone, page, this.#deps);
    this.#watches.set(key, watch);
    return watch.step();
  }
}

/** One page, and the state of this oracle's work on it. */
class PageWatch {
  readonly look: PageLook;
  readonly #deps: DisputesDeps;
  readonly #sender: Sender<NewDisputeIntent, DisputeIntent, AttestedEvent, Wait>;
  readonly #pauses = new Map<string, { slot: number; untilMs: number; ms: number }>();
  #nextCheckAtMs = 0;

  constructor(zone: number, page: number, deps: DisputesDeps) {
    this.#deps = deps;
    this.look = new PageLook(zone, page, deps);
    const { node, store, clock } = deps;
    this.#sender = new Sender({
      node,
      store: {
        nonce: () => store.nonce(),
        open: () => store.open(zone, page),
        add: (intent, nowMs) => store.add(intent, nowMs),
      },
      work: {
        next: (nonce) => this.#next(nonce),
        stored: (intent) => this.#stored(intent),
        landed: async (intent) => this.#end(intent, 'landed', null),
        failed: (intent, _slot, error) => this.#end(intent, 'failed', error),
        lapsed: async (intent) => this.#end(intent, 'expired', null),
      },
      clock: { nowMs: () => clock.nowMs() },
      pollMs: POLL_MS,
    });
  }

  async step(): Promise<number> {
    return (await this.#sender.step()).untilMs;
  }

  /** The real time of the next look, as what a step came to. */
  #wait(untilMs: number): Wait {
    this.#nextCheckAtMs = untilMs;
    return { kind: 'wait', untilMs, why: 'watching' };
  }

  async #next(nonce: () => number): Promise<Next<NewDisputeIntent, Wait>> {
    const { clock } = this.#deps;
    if (clock.nowMs() < this.#nextCheckAtMs) return { step: this.#wait(this.#nextCheckAtMs) };
    const { acts, odd } = await this.look.look();
    for (const [key, { slot }] of this.#pauses) if (!odd.has(slot)) this.#pauses.delete(key);
    const now = clock.nowMs();
    const step = this.#wait(now + LOOK_EVERY_MS);
    const [act] = acts.filter((one) => now >= (this.#pauses.get(pauseKey(one))?.untilMs ?? 0));
    return act ? this.#build(act, nonce) : { step };
  }

  async #build(act: Act, nonce: () => number): Promise<Next<NewDisputeIntent, Wait>> {
    const { turns, clock } = this.#deps;
    const { zone, page, slot, kind, number, meterId } = act;
    // Anyone may send it, also an oracle that is no attestor of the zone any more and has no turn.
    const waitMs = (await turns?.wait(zone, page, `${kind} ${slot} ${number}`, number).catch(() => 0)) ?? 0;
    if (waitMs > 0) return { step: this.#wait(clock.nowMs() + waitMs) };
    const signed = await this.#sign(act, nonce()).catch((error: unknown) => this.look.skip(act, error));
    if (!signed) {
      // The next look takes another slot first.
      this.#pause(act);
      return { step: this.#wait(clock.nowMs() + POLL_MS) };
    }
    return { send: { kind, number, zone, page, slot, meterId, ...signed } };
  }

  async #sign(act: Act, nonce: number) {
    const { builder } = this.#deps;
    if (act.answer) return builder.answer(act, act.answer.key, act.answer.message, nonce);
    return act.kind === 'conclude' ? builder.conclude(act, nonce) : builder.sync(act, nonce);
  }

  #stored(intent: DisputeIntent): void {
    this.#pause(intent);
    const { meterId, zone, page, slot, number, kind } = intent;
    if (kind === 'sync') return;
    const words = kind === 'answer' ? 'a dispute is answered' : 'a dispute is concluded';
    this.#deps.logger.warn({ event: 'dispute_case', meter: meterId, zone, page, slot, case: number }, words);
  }

  #pause(of: Acted): void {
    const before = this.#pauses.get(pauseKey(of))?.ms ?? 0;
    const ms = nextDelayMs(before, PAUSES);
    this.#pauses.set(pauseKey(of), { slot: of.slot, ms, untilMs: this.#deps.clock.nowMs() + ms });
  }

  /** Ends an intent. The next read of the chain shows what remains to be done. */
  #end(intent: DisputeIntent, end: DisputeEnd, error: string | null): Wait {
    const { store, clock, logger } = this.#deps;
    store.end(intent, end, error, clock.nowMs());
    const { kind, meterId, zone, page, slot, number, signature } = intent;
    const shown = { kind, meter: meterId, zone, page, slot, case: number, signature };
    // Another oracle may have been first: that is no fault.
    if (end === 'failed')
      logger.info({ event: 'dispute_act_refused', ...shown, err: error }, 'The chain refused an act of a dispute');
    // An expired act is rebuilt at once; the chain decided one that landed or failed.
    if (end === 'expired') this.#pauses.delete(pauseKey(intent));
    return this.#wait(clock.nowMs());
  }
}

type Acted = { readonly kind: DisputeKind; readonly slot: number; readonly number: number };

function pauseKey({ kind, slot, number }: Acted): string {
  return `${kind}/${slot}/${number}`;
}
