import type { Clock } from '@gridtokenx/runtime/core';
import { UndatedReadings } from '#edge/domain/signing/undated.js';
import { DisciplinedClock, type DisciplineOptions } from '#edge/domain/time/disciplined-clock.js';

/** Rules that a control switches off; all are on otherwise. */
export const rules = {
  /** Readings carry the corrected time. */
  offset: true,
  /** Only a known time raises the floor. */
  floor: true,
};

/** A disciplined clock for controls: it may show the machine's clock, or raise the floor by it. */
class BrokenClock extends DisciplinedClock {
  readonly #machine: Clock;

  constructor(machine: Clock, options: DisciplineOptions) {
    super(machine, options);
    this.#machine = machine;
  }

  override nowMs(): number {
    return rules.offset ? super.nowMs() : Math.floor(this.#machine.nowMs());
  }
  override get earliestMs(): number | null {
    return rules.floor ? super.earliestMs : this.#machine.nowMs();
  }
}

/** Returns the clock of a gateway, with the rules that hold. */
export function clockOf(machine: Clock, options: DisciplineOptions): DisciplinedClock {
  return rules.offset && rules.floor ? new DisciplinedClock(machine, options) : new BrokenClock(machine, options);
}

/** Switches a rule off; returns what switches it on. */
export const without = (rule: keyof typeof rules) => () => {
  rules[rule] = false;
  return () => {
    rules[rule] = true;
  };
};

/** Lets every reading choose its window, whatever is known of its time. */
export function datesAll(): () => void {
  const rule = UndatedReadings.prototype.isUndated;
  UndatedReadings.prototype.isUndated = () => false;
  return () => {
    UndatedReadings.prototype.isUndated = rule;
  };
}
