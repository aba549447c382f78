import type { Clock } from '@gridtokenx/runtime/core';
import type { BusQueue } from './queue.js';
import type { ReplyQuarantine } from './reply-quarantine.js';
import type { UnitHealth } from './unit.js';

/** Probes of one unit follow one another at most this fast, and are looked at this often, ms. */
const MIN_PROBE_MS = 500;
const LOOK_MS = 1_000;

export interface SilentUnitsOptions {
  readonly clock: Clock;
  readonly queue: BusQueue;
  readonly quarantine: ReplyQuarantine;
  /** All units of the bus. */
  readonly units: ReadonlyMap<number, UnitHealth>;
  readonly minTimeoutMs: number;
}

interface Probe {
  readonly health: UnitHealth;
  readonly lineMs: number;
  readonly read: () => Promise<unknown>;
}

/**
 * Units that do not answer are asked from time to time, by themselves and when nobody else wants the bus. They are waited
 * for no longer than the slowest of those that answer: one that is slower still is heard too late, is then known to be
 * there, and is waited for in full [gateway §6.7].
 */
export class SilentUnits {
  readonly #options: SilentUnitsOptions;
  readonly #probes = new Map<number, () => void>();
  #closed = false;

  constructor(options: SilentUnitsOptions) {
    this.#options = options;
  }

  /** Asks a silent unit by `read`, which takes `lineMs` beside the wait, until it answers. Scheduled once for each unit. */
  probe(health: UnitHealth, lineMs: number, read: () => Promise<unknown>): void {
    const { unit } = health;
    if (this.#probes.has(unit) || this.#closed) return;
    this.#wait({ health, lineMs, read }, MIN_PROBE_MS);
  }

  #wait(probe: Probe, leastMs: number): void {
    const { clock } = this.#options;
    const { health } = probe;
    const dueAtMs = this.#isHeard(health) ? 0 : health.nextProbeAtMs - clock.monotonicMs();
    // A probe that could not be sent (no connection, all shapes held back) moves nothing: it is tried again later too.
    const delay = Math.max(leastMs, Math.min(LOOK_MS, dueAtMs));
    this.#probes.set(
      health.unit,
      clock.after(delay, () => {
        if (health.silenceBeganAtMs === null) this.#probes.delete(health.unit);
        else if (this.#isHeard(health) || clock.monotonicMs() >= health.nextProbeAtMs) this.#ask(probe);
        else this.#wait(probe, 0);
      }),
    );
  }

  #ask(probe: Probe): void {
    const { health, lineMs, read } = probe;
    this.#options.queue
      .runInGap(this.timeoutMs(health) + lineMs, read)
      .catch(() => {})
      .finally(() => {
        if (this.#closed || health.silenceBeganAtMs === null) this.#probes.delete(health.unit);
        else this.#wait(probe, MIN_PROBE_MS);
      });
  }

  /** How long a unit is waited for, silent or not, ms. */
  timeoutMs(health: UnitHealth): number {
    const own = health.estimate.timeoutMs();
    if (health.silenceBeganAtMs === null || this.#isHeard(health)) return own;
    let slowest = 0;
    for (const { silenceBeganAtMs, estimate } of this.#options.units.values()) {
      if (silenceBeganAtMs === null && estimate.turnaroundMs !== null)
        slowest = Math.max(slowest, estimate.timeoutMs());
    }
    return slowest === 0 ? own : Math.min(own, Math.max(this.#options.minTimeoutMs, slowest));
  }

  /** Whether a silent unit has answered after all, too late, since it was asked last. */
  #isHeard({ unit, lastFailedAtMs }: UnitHealth): boolean {
    return this.#options.quarantine.lastLateAtMs(unit) > lastFailedAtMs;
  }

  close(): void {
    this.#closed = true;
    for (const cancel of this.#probes.values()) cancel();
    this.#probes.clear();
  }
}
