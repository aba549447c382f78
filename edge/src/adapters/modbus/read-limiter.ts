import type { Clock } from '@gridtokenx/runtime/core';
import type { Bus, ReadOptions } from '../../domain/bus/bus.js';
import { REFUSES_READ } from '../../domain/bus/exceptions.js';
import { RefusedRead } from '../../domain/bus/read-error.js';
import { ReadError, ReadFailure } from '../../domain/ports.js';
import { leastLength, middleLength } from '../../planner/lengths.js';
import type { LineCost, ReadRequest } from '../../planner/plan.js';
import { furtherRegisters, polledRegisters } from '../../planner/wanted.js';
import type { RegisterMap } from '../../profiles/profile.js';
import type { Register } from '../../profiles/register.js';

export interface ReadLimiterOptions {
  readonly bus: Bus;
  readonly unit: number;
  readonly profile: RegisterMap;
  readonly clock: Clock;
  readonly cost: LineCost;
}

/** Time after which a register that the meter lacked is requested again, ms. */
const LACKING_MS = 3_600_000;

/**
 * Decides how long the reads of one meter may be. After exception 2 or 3 for a read that is longer than its single
 * values need, reads become shorter until they are answered; then longer ones are tried, one in each poll. A value that
 * is refused alone is missing in the meter: the poll goes on without it, unless it is energy [gateway §6.11].
 */
export class ReadLimiter {
  readonly #options: ReadLimiterOptions;
  /** Length without which some value cannot be read with its scale factor. */
  readonly #leastLength: number;
  #lacking: { readonly register: Register; readonly untilMs: number }[] = [];
  /** True from a refusal of energy alone until the next answer: reads stay short, since length is not the cause. */
  #isRefusedAlone = false;
  #plannedWith: number | null = null;

  constructor(options: ReadLimiterOptions) {
    this.#options = options;
    const { profile } = options;
    this.#leastLength = leastLength([...polledRegisters(profile), ...furtherRegisters(profile)]);
  }

  get #lengths() {
    return this.#options.bus.lengths(this.#options.unit);
  }

  get #limit(): number {
    const { maxRegisters } = this.#options.profile.limits;
    const limit = this.#lengths.limit;
    return limit === null ? maxRegisters : Math.min(maxRegisters, Math.max(this.#leastLength, limit));
  }

  /** Returns the registers and limits by which the next poll is planned. */
  map(): RegisterMap {
    this.#plannedWith = this.#limit;
    return this.#mapOf(this.#limit);
  }

  #mapOf(maxRegisters: number): RegisterMap {
    const { profile } = this.#options;
    const lacking = this.#lacking.map(({ register }) => register);
    const forbidden = lacking.map(({ function: code, address, length }) => ({
      ...{ function: code, first: address, last: address + length - 1 },
    }));
    return {
      registers: profile.registers.filter((register) => !lacking.includes(register)),
      limits: { ...profile.limits, maxRegisters, forbidden: [...profile.limits.forbidden, ...forbidden] },
    };
  }

  /** Returns true when a poll must be planned anew: another reader of the unit learnt a limit, or a refusal is old. */
  hasChanged(): boolean {
    const now = this.#options.clock.monotonicMs();
    const old = this.#lacking.filter(({ untilMs }) => untilMs <= now);
    this.#lacking = this.#lacking.filter(({ untilMs }) => untilMs > now);
    return old.length > 0 || this.#plannedWith !== this.#limit;
  }

  /** Records a failed request. Returns true when the poll can go on with another plan. */
  refused(error: ReadError, { registers, billing }: ReadRequest): boolean {
    if (!isRefusal(error)) return false;
    if (error.count > this.#leastLength) {
      this.#lengths.refused(error.count);
      this.#options.bus.explained(this.#options.unit);
      return true;
    }
    // Longer reads held this register, so their refusals say nothing about lengths.
    if (billing) {
      this.#isRefusedAlone = true;
      return false;
    }
    const untilMs = this.#options.clock.monotonicMs() + LACKING_MS;
    const values = registers.filter((one) => this.#options.profile.registers.includes(one));
    this.#lacking.push(...values.map((register) => ({ register, untilMs })));
    this.#lengths.forget();
    this.#options.bus.explained(this.#options.unit);
    return true;
  }

  /**
   * Tries one length between the longest answered and the shortest refused, after the poll's own reads. Returns true
   * when the limit has changed. Ignores a failure: no value depends on it.
   */
  async probe(options: ReadOptions): Promise<boolean> {
    const { bus, unit } = this.#options;
    const before = this.#limit;
    if (this.#isRefusedAlone) {
      this.#isRefusedAlone = false;
      this.#lengths.forget();
      return before !== this.#limit;
    }
    const { open } = this.#lengths;
    const variant = open && middleLength(this.#mapOf(open.below - 1), open, this.#options.cost);
    if (!variant) return false;
    try {
      await bus.read(unit, variant.fn, [variant], options);
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
      // Some meters give no answer to a read that is too long. The poll before it was answered.
      const isTooLong = isRefusal(error) || error.failure === ReadFailure.timeout;
      if (!isTooLong) return false;
      this.#lengths.refused(variant.count);
      if (isRefusal(error)) bus.explained(unit);
    }
    return before !== this.#limit;
  }

  /** Says what the meter refuses, for people; empty when it answers every read of its profile. */
  notes(): string[] {
    const { learnt } = this.#lengths;
    const limit = learnt === null || learnt >= this.#options.profile.limits.maxRegisters ? null : learnt;
    const lacks = this.#lacking.map(({ register: { key, address } }) => `${key} (register ${address})`);
    return [
      ...(limit === null ? [] : [`it answers reads of at most ${limit} registers, and its profile states more`]),
      ...(lacks.length === 0 ? [] : [`it has no ${lacks.join(', ')}: the gateway reads it without`]),
    ];
  }
}

/** Returns true when the meter lacks a register, or refuses so many at once. */
const isRefusal = (error: ReadError): error is RefusedRead =>
  error instanceof RefusedRead && REFUSES_READ.includes(error.code);
