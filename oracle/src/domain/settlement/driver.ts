import type { Logger, MeterRecord, Randomness, RealClock, Registry, StatementStore } from '../../ports.js';
import type { Disputes } from './disputes.js';
import { Lane, type LaneDeps } from './lane.js';
import { NodeUnavailable } from './ports.js';

export interface DriverDeps extends Omit<LaneDeps, 'meters'> {
  readonly registry: Registry;
  readonly statements: StatementStore;
  readonly randomness: Randomness;
  readonly disputes?: Pick<Disputes, 'step' | 'cases' | 'isQuiet'> | null;
  /** Takes a snapshot of the chain; null where nobody offers one. Rejects when it fails. */
  readonly snapshot: (() => Promise<number>) | null;
  /** Checks once that node and oracle belong to the same network; words for a mismatch, null when all is well. */
  readonly checkNetwork: () => Promise<string | null>;
  readonly logger: Logger;
  readonly realClock: RealClock;
}

const FIRST_BACKOFF_MS = 200;
const LONGEST_BACKOFF_MS = 10_000;
const IDLE_MS = 5_000;
const SET_UP_MS = 1_000;
/** In a long backlog a snapshot after every window would take longer than the windows. */
const SNAPSHOT_AT_MOST_EVERY_MS = 1_000;

/**
 * Drives the lanes one after another, so that nothing is in flight while a snapshot is taken. A node that is away is waited
 * for with growing pauses; a store that fails stops nothing for good: the same step is tried again.
 */
export class SettlementDriver {
  readonly #deps: DriverDeps;
  readonly #lanes = new Map<string, Lane>();
  #isRunning = false;
  #isStopping = false;
  #isWoken = false;
  #wake: (() => void) | null = null;
  #loop: Promise<void> = Promise.resolve();
  #backoffMs = 0;
  #isNetworkChecked = false;
  #isSnapshotDue = false;
  #lastSnapshotMs = Number.NEGATIVE_INFINITY;
  #state = 'not started';
  #disputeFailure: string | null = null;
  lastSnapshotSlot: number | null = null;

  constructor(deps: DriverDeps) {
    this.#deps = deps;
    deps.statements.onStored(() => this.wake());
  }

  get state(): string {
    return this.#state;
  }

  lanes(): Lane[] {
    return [...this.#lanes.values()];
  }

  /** Disputed slots of our pages, and why they are not watched; null when they are. */
  disputes() {
    return { cases: this.#deps.disputes?.cases() ?? [], failure: this.#disputeFailure };
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
      this.#isWoken = false;
      const untilMs = await this.#round();
      if (!this.#isWoken && !this.#isStopping) await this.#sleepUntil(untilMs);
    }
  }

  async #sleepUntil(untilMs: number): Promise<void> {
    const ms = Math.max(1, untilMs - this.#deps.realClock.now());
    await new Promise<void>((resolve) => {
      const cancel = this.#deps.realClock.after(ms, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
    this.#wake = null;
  }

  /** One pass over all lanes; the real time of the next one. */
  async #round(): Promise<number> {
    try {
      if (!(await this.#isOurNetwork())) return this.#deps.realClock.now() + SET_UP_MS;
      this.#openLanes();
      const disputesUntilMs = await this.#stepDisputes();
      let untilMs = this.#deps.realClock.now() + IDLE_MS;
      let why = this.#lanes.size === 0 ? 'waiting for meters' : 'idle';
      for (const lane of this.#lanes.values()) {
        const step = await this.#advance(lane);
        if (step.untilMs < untilMs) [untilMs, why] = [step.untilMs, step.why];
      }
      this.#backoffMs = 0;
      this.#state = why;
      if (this.#isSnapshotDue) await this.#takeSnapshot();
      return Math.min(untilMs, disputesUntilMs);
    } catch (error) {
      return this.#backOff(error);
    }
  }

  /** One step for each page; the real time of the next one. What fails here does not hold up the lanes. */
  async #stepDisputes(): Promise<number> {
    const { disputes, realClock, logger } = this.#deps;
    let untilMs = realClock.now() + IDLE_MS;
    if (!disputes) return untilMs;
    let failure: string | null = null;
    for (const { zone, page } of this.#lanes.values()) {
      try {
        untilMs = Math.min(untilMs, await disputes.step(zone, page));
      } catch (error) {
        failure = error instanceof Error ? error.message : String(error);
      }
    }
    if (failure !== null && failure !== this.#disputeFailure) logger.warn({ err: failure }, 'disputes are not watched');
    this.#disputeFailure = failure;
    return untilMs;
  }

  /** Steps until the lane has to wait. */
  async #advance(lane: Lane): Promise<{ untilMs: number; why: string }> {
    for (;;) {
      const step = await lane.step();
      if (step.kind === 'wait') return step;
      if (step.kind === 'settled') {
        this.#isSnapshotDue = true;
        const since = this.#deps.realClock.now() - this.#lastSnapshotMs;
        if (since >= SNAPSHOT_AT_MOST_EVERY_MS && this.#isQuiet()) await this.#takeSnapshot();
      }
      if (this.#isStopping) return { untilMs: 0, why: 'stopping' };
    }
  }

  /** True when no transaction is on its way. */
  #isQuiet(): boolean {
    const { store, disputes } = this.#deps;
    return this.lanes().every(({ zone, page }) => !store.open(zone, page) && (disputes?.isQuiet(zone, page) ?? true));
  }

  async #takeSnapshot(): Promise<void> {
    const { snapshot, realClock, logger } = this.#deps;
    if (!snapshot || !this.#isQuiet()) return;
    this.#lastSnapshotMs = realClock.now();
    try {
      this.lastSnapshotSlot = await snapshot();
    } catch (error) {
      logger.warn({ err: String(error) }, 'the chain took no snapshot; tried again after the next window');
    }
    this.#isSnapshotDue = false;
  }

  async #isOurNetwork(): Promise<boolean> {
    if (this.#isNetworkChecked) return true;
    const mismatch = await this.#deps.checkNetwork();
    if (mismatch === null) {
      this.#isNetworkChecked = true;
      return true;
    }
    if (this.#state !== mismatch) this.#deps.logger.error({}, mismatch);
    this.#state = mismatch;
    return false;
  }

  #openLanes(): void {
    const { registry } = this.#deps;
    for (const { zone, page } of registry.meters()) {
      const key = `${zone}/${page}`;
      if (page === null || this.#lanes.has(key)) continue;
      const meters = (): MeterRecord[] =>
        registry.meters().filter((meter) => meter.zone === zone && meter.page === page);
      this.#lanes.set(key, new Lane(zone, page, { ...this.#deps, meters }));
    }
  }

  #backOff(error: unknown): number {
    const { realClock, randomness, logger } = this.#deps;
    this.#backoffMs = Math.min(LONGEST_BACKOFF_MS, Math.max(FIRST_BACKOFF_MS, 2 * this.#backoffMs));
    const isNode = error instanceof NodeUnavailable;
    const detail = error instanceof Error ? error.message : String(error);
    this.#state = isNode ? `waiting for the node: ${detail}` : `settlement failed: ${detail}`;
    const first = this.#backoffMs === FIRST_BACKOFF_MS;
    if (first || !isNode) logger.warn({ err: detail, backoffMs: this.#backoffMs }, this.#state);
    // A wake-up must not turn the pause into a busy loop.
    this.#isWoken = false;
    return realClock.now() + this.#backoffMs * (0.5 + randomness.fraction() / 2);
  }
}
