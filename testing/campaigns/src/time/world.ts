import { windowEndAtMs, windowOf } from '@gridtokenx/protocol';
import { type Clock, sleep } from '@gridtokenx/runtime/core';
import type { Random } from '@gridtokenx/testing-kit/random';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { chronySource } from '#edge/adapters/clock/chrony.js';
import { askOracles } from '#edge/adapters/clock/oracle-time.js';
import { timesyncdReport } from '#edge/adapters/clock/timesyncd.js';
import type { Anchor } from '#edge/domain/time/anchor.js';
import type { TimeSources } from '#edge/domain/time/time-keeper.js';
import type { LifePlan, NtpPlan, OraclePlan, TrialPlan } from './plan.js';

/** True time at the begin of each trial, in the middle of a window. */
export const START_MS = Date.UTC(2027, 0, 1, 12, 7);
/** Time after which a dead oracle has not answered, ms. */
const DEAD_MS = 3_000;

/** The true time, the machine with its wrong clock, and everything that states a time. */
export class TimeWorld {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly #rate: number;
  #bootedAtMs = 0;
  #shutDownAtMs = START_MS;

  constructor(plan: TrialPlan, random: Random) {
    this.#rate = plan.rate;
    this.random = random;
    this.clock = new VirtualClock({ startAtMs: START_MS });
  }

  /** The machine's monotonic clock runs at a wrong rate, so the true time runs at another one. */
  get trueMs(): number {
    return START_MS + this.clock.monotonicMs() / (1 + this.#rate);
  }
  /** True ms since the boot. */
  get upMs(): number {
    return this.trueMs - this.#bootedAtMs;
  }

  /** Sets the machine's clock. */
  set(ms: number): void {
    this.clock.step(ms - this.clock.nowMs());
  }

  boot(boot: TrialPlan['boot']): void {
    this.#bootedAtMs = this.trueMs;
    if (boot.kind === 'epoch') this.set(0);
    else if (boot.kind === 'last shutdown') this.set(this.#shutDownAtMs);
    else this.set(this.trueMs + boot.aheadMs);
  }
  shutDown(): void {
    this.#shutDownAtMs = this.clock.nowMs();
  }

  /** Sets timers for the steps of a life; at a boundary means up to 3 s around it. */
  plan({ steps }: LifePlan, clock: Clock): void {
    for (const { atMs, atBoundary, byMs } of steps) {
      const endMs = windowEndAtMs(windowOf(this.trueMs + atMs)) - this.trueMs + this.random.int(-3_000, 3_000);
      clock.after(atBoundary ? endMs : atMs, () => this.clock.step(byMs));
    }
  }

  /** Returns the sources of a life, whose timers end with `clock`. */
  sources(plan: LifePlan, clock: Clock): TimeSources {
    const daemon = new Daemon(this, plan.ntp, clock);
    const asks = plan.oracles.map((oracle) => () => this.#ask(oracle, clock));
    return {
      ntp: () => daemon.report(),
      oracles: asks.length === 0 ? null : () => askOracles(asks, clock, () => {}),
    };
  }

  async #ask({ wayMs, lieMs, away }: OraclePlan, clock: Clock): Promise<Anchor> {
    const before = clock.monotonicMs();
    if (away.some(({ fromMs, toMs }) => this.upMs >= fromMs && this.upMs < toMs)) {
      await sleep(clock, DEAD_MS);
      throw new Error('no answer');
    }
    await sleep(clock, this.random.int(1, wayMs));
    const timeMs = Math.floor(this.trueMs + lieMs);
    await sleep(clock, this.random.int(1, wayMs));
    const halfMs = (clock.monotonicMs() - before) / 2;
    return { steadyAtMs: before + halfMs, timeMs, errorMs: halfMs + 1 };
  }
}

/** An NTP daemon that sets the machine's clock, honest or by the word of a server that lies. */
class Daemon {
  readonly #world: TimeWorld;
  readonly #plan: NtpPlan;
  readonly #clock: Clock;
  readonly #chrony: TimeSources['ntp'];
  /** The last synchronisation: monotonic, and by the machine's clock. */
  #synced: { readonly steadyMs: number; readonly machineMs: number } | null = null;

  constructor(world: TimeWorld, plan: NtpPlan, clock: Clock) {
    this.#world = world;
    this.#plan = plan;
    this.#clock = clock;
    this.#chrony = chronySource(
      async () => this.#tracking(),
      () => true,
      () => clock.nowMs(),
    );
    if (plan.kind !== 'none') clock.after(plan.firstMs, () => this.#sync());
  }

  #sync(): void {
    const { lieMs, lieForMs, errorMs, everyMs } = this.#plan;
    const { random, trueMs, upMs } = this.#world;
    const wrongMs = (upMs < lieForMs ? lieMs : 0) + random.int(-errorMs, errorMs);
    this.#world.set(trueMs + wrongMs);
    this.#synced = { steadyMs: this.#clock.monotonicMs(), machineMs: this.#clock.nowMs() };
    this.#clock.after(everyMs, () => this.#sync());
  }

  /** Reports as the gateway's adapters do. */
  async report() {
    if (this.#plan.kind === 'none') return null;
    if (this.#plan.kind === 'chrony') return this.#chrony();
    return timesyncdReport(this.#synced?.machineMs ?? null, this.#clock.nowMs());
  }

  /** A line as `chronyc -c -n tracking` prints it; chronyd widens its dispersion by the time since. */
  #tracking(): string {
    const synced = this.#synced;
    if (!synced) return '00000000,,0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,1.0,1.0,0.0,Not synchronised\n';
    const ageMs = this.#clock.monotonicMs() - synced.steadyMs;
    const dispersion = ((this.#plan.errorMs + ageMs * 200e-6) / 1_000).toFixed(9);
    const reference = Math.max(0, synced.machineMs / 1_000).toFixed(9);
    return `C0000201,192.0.2.1,3,${reference},0.0,0.0,0.0,0.0,0.0,0.0,0.0,${dispersion},64.0,Normal\n`;
  }
}
