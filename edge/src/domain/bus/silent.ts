import type { Clock } from '@gridtokenx/runtime/core';
import type { BusQueue } from './queue.js';
import type { ReplyQuarantine } from './reply-quarantine.js';
import type { UnitHealth } from './unit.js';

/** Least time between two probes of a unit, and longest time between two checks for a due probe, ms. */
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
 * Probes unresponsive units in the background, only while the bus is idle. A probe waits no longer than the slowest
 * responsive unit, so a dead unit cannot stall the bus. A slower unit is heard too late; its next probe then waits for
 * the unit's own time-out [gateway §6.7].
 */
export class SilentUnits {
  readonly #options: SilentUnitsOptions;
  readonly #probes = new Map<number, () => void>();
  #closed = false;

  constructor(options: SilentUnitsOptions) {
    this.#options = options;
  }

  /**
   * Probes a silent unit with `read`, which takes `lineMs` beside the wait, until it answers. Schedules each unit once.
   */
  probe(health: UnitHealth, lineMs: number, read: () => Promise<unknown>): void {
    const { unit } = health;
    if (this.#probes.has(unit) || this.#closed) return;
    this.#wait({ health, lineMs, read }, MIN_PROBE_MS);
  }

  #wait(probe: Probe, leastMs: number): void {
    const { clock } = this.#options;
    const { health } = probe;
    const dueAtMs = this.#isHeard(health) ? 0 : health.nextProbeAtMs - clock.monotonicMs();
    // A probe that was not sent (no connection, all shapes in quarantine) changes no due time: try again later, too.
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

  /** Returns the time-out of a unit, silent or not, ms. */
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

  /** Returns true when a silent unit answered, too late, after its last failed request. */
  #isHeard({ unit, lastFailedAtMs }: UnitHealth): boolean {
    return this.#options.quarantine.lastLateAtMs(unit) > lastFailedAtMs;
  }

  close(): void {
    this.#closed = true;
    for (const cancel of this.#probes.values()) cancel();
    this.#probes.clear();
  }
}
