import type { Clock } from '@gridtokenx/runtime/core';
import type { MeterValues } from '../models.js';

/** Plan of the faults inside a meter. Times are real ms from the meter's start. */
export interface UpsetPlan {
  /** Restarts in intervals: the meter is silent for `downMs` and loses the last `losesWh` of each register. */
  readonly restart?: { readonly everyMs: number; readonly downMs: number; readonly losesWh: bigint };
  /** Time from which its registers stand still. */
  readonly frozenAfterMs?: number;
  /** Reading at which the registers roll over to 0. */
  readonly rolloverWh?: bigint;
}

/** Applies faults inside a meter to its values, planned or requested at once. */
export class MeterUpsets {
  readonly #values: () => MeterValues;
  readonly #plan: UpsetPlan;
  readonly #time: Pick<Clock, 'monotonicMs'>;
  readonly #beganAtMs: number;
  #downUntilMs = Number.NEGATIVE_INFINITY;
  #restarts = 0;
  #lostWh = 0n;
  #frozen: MeterValues | null = null;

  constructor(values: () => MeterValues, plan: UpsetPlan, time: Pick<Clock, 'monotonicMs'>) {
    this.#values = values;
    this.#plan = plan;
    this.#time = time;
    this.#beganAtMs = time.monotonicMs();
  }

  /** Silences the meter for `downMs`, and lowers its registers by `losesWh` from then on. */
  restart(downMs: number, losesWh = 0n): void {
    this.#downUntilMs = this.#time.monotonicMs() + downMs;
    this.#lostWh += losesWh;
  }

  /** Stops the registers, or lets them continue. */
  freeze(isFrozen: boolean): void {
    this.#frozen = isFrozen ? this.values() : null;
  }

  /** Returns true while the meter answers nothing. */
  isDown(): boolean {
    const now = this.#time.monotonicMs();
    const { restart } = this.#plan;
    if (restart) {
      const due = Math.floor((now - this.#beganAtMs) / restart.everyMs);
      if (due > this.#restarts) {
        this.#lostWh += restart.losesWh * BigInt(due - this.#restarts);
        this.#restarts = due;
        this.#downUntilMs = Math.max(this.#downUntilMs, this.#beganAtMs + due * restart.everyMs + restart.downMs);
      }
    }
    return now < this.#downUntilMs;
  }

  /** Returns the values that the registers show. */
  values(): MeterValues {
    if (this.#frozen) return this.#frozen;
    this.isDown();
    const values = this.#values();
    const shown = { ...values, importWh: this.#shown(values.importWh), exportWh: this.#shown(values.exportWh) };
    const { frozenAfterMs } = this.#plan;
    if (frozenAfterMs !== undefined && this.#time.monotonicMs() >= this.#beganAtMs + frozenAfterMs)
      this.#frozen = shown;
    return shown;
  }

  #shown(wh: bigint): bigint {
    const { rolloverWh } = this.#plan;
    const left = wh > this.#lostWh ? wh - this.#lostWh : 0n;
    return rolloverWh === undefined ? left : left % rolloverWh;
  }
}
