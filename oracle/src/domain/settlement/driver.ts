import { Attempts } from '@gridtokenx/chain-sender';
import { asWindow, latestWindow, NO_WINDOW } from '@gridtokenx/protocol';
import { errorText, type Random } from '@gridtokenx/runtime/core';
import type { MeterRecord, Registry } from '../ports.js';
import type { Disputes } from './disputes/disputes.js';
import type { PageSettler, SettlerDeps, Step } from './page-settler.js';
import type { StatementStore } from './statements.js';

export interface DriverDeps extends Omit<SettlerDeps, 'meters' | 'zoneWindow'> {
  readonly registry: Registry;
  readonly statements: StatementStore;
  readonly randomness: Random;
  /** Null where nobody watches them. */
  readonly disputes: Pick<Disputes, 'step' | 'cases' | 'isQuiet' | 'failures'> | null;
  /** Takes a snapshot of the chain; null where nobody offers one. Rejects when it fails. */
  readonly snapshot: (() => Promise<number>) | null;
  /** Checks once that node and oracle belong to the same network; words for a mismatch, null when all is well. */
  readonly checkNetwork: () => Promise<string | null>;
  /** Makes the settler of a page. */
  readonly settlerOf: (zone: number, page: number, deps: SettlerDeps) => PageSettler;
}

const IDLE_MS = 5_000;
const SET_UP_MS = 1_000;
/** In a long backlog a snapshot after every window would take longer than the windows. */
const SNAPSHOT_AT_MOST_EVERY_MS = 1_000;
/** A snapshot that is due for so long begins nothing new on any page until nothing is in flight. */
const SNAPSHOT_WITHIN_MS = 5_000;
const REST_MS = 25;

/** A page with what it waits for. */
interface Turn {
  readonly settler: PageSettler;
  /** Real time of its next step. */
  untilMs: number;
  why: string;
  readonly attempts: Attempts;
}

/**
 * Drives the settlers in turn, one step each, so that a page with a long backlog holds no other up. Nothing is in flight while a
 * snapshot is taken. A page whose step fails (its node, its store) is tried again after growing pauses, the others go on.
 */
export class SettlementDriver {
  readonly #deps: DriverDeps;
  readonly #settlers = new Map<string, Turn>();
  #isRunning = false;
  #isStopping = false;
  #isWoken = false;
  #wake: (() => void) | null = null;
  #loop: Promise<void> = Promise.resolve();
  #isNetworkChecked = false;
  #networkProblem: string | null = null;
  readonly #setUp: Attempts;
  #setUpUntilMs = 0;
  #snapshotDueAtMs: number | null = null;
  #lastSnapshotAtMs = Number.NEGATIVE_INFINITY;
  #state = 'not started';
  #disputeFailure: string | null = null;
  #snapshotFailure: string | null = null;
  lastSnapshotChainSlot: number | null = null;

  constructor(deps: DriverDeps) {
    this.#deps = deps;
    this.#setUp = this.#attempts();
    deps.statements.onStored(() => this.wake());
  }

  get state(): string {
    return this.#state;
  }

  /** Why settlement has not moved for half a minute, plain words; null when all is well. */
  get stalled(): string | null {
    const all = this.#turns().map(({ settler, attempts }) => ({
      attempts,
      what: `page ${settler.zone}/${settler.page}`,
    }));
    for (const { attempts, what } of [{ attempts: this.#setUp, what: 'all pages' }, ...all]) {
      const ms = attempts.stalledMs;
      if (ms !== null)
        return `settlement of ${what} has not moved for ${Math.round(ms / 1_000)} s: ${attempts.failure}`;
    }
    return null;
  }

  settlers(): PageSettler[] {
    return this.#turns().map(({ settler }) => settler);
  }

  #turns(): Turn[] {
    return [...this.#settlers.values()];
  }

  /** Why nothing can be sent at all, in plain words; null when it can. */
  get failure(): string | null {
    return this.#networkProblem ?? this.#setUp.failure ?? this.#failing ?? null;
  }

  get #failing(): string | undefined {
    return this.#turns().flatMap(({ attempts }) => attempts.failure ?? [])[0];
  }

  /** Why the chain takes no snapshot, in plain words; null when it does. */
  get snapshotFailure(): string | null {
    return this.#snapshotFailure;
  }

  /** Disputed slots of our pages, and why they are not watched; null when they are. */
  disputes() {
    const { disputes } = this.#deps;
    const ofSlots = disputes?.failures() ?? [];
    return { cases: disputes?.cases() ?? [], failure: this.#disputeFailure ?? ofSlots[0] ?? null };
  }

  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#loop = this.#run();
  }

  /** Finishes the step under way, resolves what is open as far as the node answers, and takes the last snapshot. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.wake();
    await this.#loop;
    if (this.#isRunning && this.#isNetworkChecked) await this.#takeSnapshot();
    this.#state = 'stopped';
  }

  wake(): void {
    this.#isWoken = true;
    this.#wake?.();
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      if (this.#isWoken) for (const turn of this.#turns()) if (turn.attempts.failure === null) turn.untilMs = 0;
      this.#isWoken = false;
      const untilMs = await this.#round();
      const isIdle = untilMs > this.#deps.clock.nowMs();
      if (isIdle && !this.#isWoken && !this.#isStopping) await this.#sleepUntil(untilMs);
    }
  }

  async #sleepUntil(untilMs: number): Promise<void> {
    const ms = Math.max(1, untilMs - this.#deps.clock.nowMs());
    await new Promise<void>((resolve) => {
      const cancel = this.#deps.clock.after(ms, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
    this.#wake = null;
  }

  /** One step of each settler that can do something; the real time of the next round. */
  async #round(): Promise<number> {
    const { clock } = this.#deps;
    if (this.#setUpUntilMs > clock.nowMs()) return this.#setUpUntilMs;
    try {
      if (!(await this.#isOurNetwork())) return clock.nowMs() + SET_UP_MS;
      this.#setUp.succeeded();
    } catch (error) {
      this.#setUpUntilMs = this.#backOff(this.#setUp, error);
      return this.#setUpUntilMs;
    }
    this.#openSettlers();
    const disputesUntilMs = await this.#stepDisputes();
    let isMoving = false;
    for (const turn of this.#settlers.values()) {
      if (this.#isStopping || turn.untilMs > clock.nowMs()) continue;
      if (this.#mustRest(turn)) turn.untilMs = clock.nowMs() + REST_MS;
      else if (await this.#advance(turn)) isMoving = true;
    }
    if (this.#snapshotDueAtMs !== null) {
      const isSpaced = clock.nowMs() - this.#lastSnapshotAtMs >= SNAPSHOT_AT_MOST_EVERY_MS;
      if (isSpaced || !isMoving) await this.#takeSnapshot();
    }
    if (isMoving) return clock.nowMs();
    // Other work gets its time between two rounds, however soon the next round is due.
    return Math.max(clock.nowMs() + 1, Math.min(this.#summary(), disputesUntilMs));
  }

  /** One step for each page; the real time of the next one. What fails here does not hold up the settlers. */
  async #stepDisputes(): Promise<number> {
    const { disputes, clock, logger } = this.#deps;
    let untilMs = clock.nowMs() + IDLE_MS;
    if (!disputes) return untilMs;
    let failure: string | null = null;
    for (const { zone, page } of this.settlers()) {
      try {
        untilMs = Math.min(untilMs, await disputes.step(zone, page));
      } catch (error) {
        failure = errorText(error);
      }
    }
    if (failure !== null && failure !== this.#disputeFailure)
      logger.warn({ event: 'disputes_not_watched', err: failure }, 'Cannot watch disputes');
    this.#disputeFailure = failure;
    return untilMs;
  }

  /** One step of a settler; true when it can do more at once. */
  async #advance(turn: Turn): Promise<boolean> {
    let step: Step;
    try {
      step = await turn.settler.step();
    } catch (error) {
      turn.untilMs = this.#backOff(turn.attempts, error);
      return false;
    }
    turn.attempts.succeeded();
    if (step.kind === 'settled') this.#snapshotDueAtMs ??= this.#deps.clock.nowMs();
    if (step.kind !== 'wait') return true;
    ({ untilMs: turn.untilMs, why: turn.why } = step);
    return false;
  }

  /** A snapshot was due for long: only what is in flight goes on. */
  #mustRest({ settler }: Turn): boolean {
    const due = this.#snapshotDueAtMs;
    const isLate = due !== null && this.#deps.clock.nowMs() - due >= SNAPSHOT_WITHIN_MS;
    return isLate && this.#deps.snapshot !== null && settler.isQuiet;
  }

  #summary(): number {
    const first = [...this.#settlers.values()].reduce<Turn | null>(
      (soonest, turn) => (soonest && soonest.untilMs <= turn.untilMs ? soonest : turn),
      null,
    );
    this.#state = this.#failing ?? first?.why ?? 'waiting for meters';
    const idleMs = this.#deps.clock.nowMs() + IDLE_MS;
    return Math.min(idleMs, first?.untilMs ?? idleMs);
  }

  /** True when no transaction is on its way. */
  #isQuiet(): boolean {
    const { disputes } = this.#deps;
    return this.settlers().every(({ zone, page, isQuiet }) => isQuiet && (disputes?.isQuiet(zone, page) ?? true));
  }

  async #takeSnapshot(): Promise<void> {
    const { snapshot, clock, logger } = this.#deps;
    if (!snapshot || !this.#isQuiet()) return;
    this.#lastSnapshotAtMs = clock.nowMs();
    try {
      this.lastSnapshotChainSlot = await snapshot();
      this.#snapshotFailure = null;
    } catch (error) {
      this.#snapshotFailure = errorText(error);
      const fields = { event: 'snapshot_failed', err: String(error) };
      logger.warn(fields, 'The chain took no snapshot: trying again after the next window');
    }
    this.#snapshotDueAtMs = null;
  }

  async #isOurNetwork(): Promise<boolean> {
    if (this.#isNetworkChecked) return true;
    const mismatch = await this.#deps.checkNetwork();
    if (mismatch === null) {
      this.#isNetworkChecked = true;
      this.#networkProblem = null;
      return true;
    }
    if (this.#state !== mismatch) this.#deps.logger.error({ event: 'chain_mismatch' }, mismatch);
    this.#state = mismatch;
    this.#networkProblem = mismatch;
    return false;
  }

  #openSettlers(): void {
    const { registry } = this.#deps;
    for (const { zone, page } of registry.meters()) {
      const key = `${zone}/${page}`;
      if (page === null || this.#settlers.has(key)) continue;
      const meters = (): MeterRecord[] =>
        registry.meters().filter((meter) => meter.zone === zone && meter.page === page);
      const ofZone = () => this.settlers().filter((settler) => settler.zone === zone);
      const zoneWindow = () =>
        latestWindow(asWindow(0), ...ofZone().map(({ last }) => last?.page?.highestWindow ?? NO_WINDOW));
      const settler = this.#deps.settlerOf(zone, page, { ...this.#deps, meters, zoneWindow });
      this.#settlers.set(key, { settler, untilMs: 0, why: 'not read yet', attempts: this.#attempts() });
    }
  }

  #attempts(): Attempts {
    const { clock, randomness, logger } = this.#deps;
    return new Attempts({ clock, random: randomness, logger, what: 'settlement' });
  }

  /** The real time of the next try. */
  #backOff(attempts: Attempts, error: unknown): number {
    const untilMs = attempts.failed(error);
    this.#state = attempts.failure ?? this.#state;
    return untilMs;
  }
}
