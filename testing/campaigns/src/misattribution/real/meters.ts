import {
  AnswerFaults,
  type FaultRates,
  type LineMeter,
  type LineSettings,
  type ModbusUnit,
} from '@gridtokenx/simulators';
import type { Random } from '@gridtokenx/testing-kit/random';

/**
 * Registers of meters on one line, each with a value in every answer that no other register and no other answer has
 * nearby: a value that belongs elsewhere cannot pass for the right one.
 */
export class TellTaleRegisters {
  #serial = 0;
  /** The data that the newest request's answer must have. */
  truth: Uint8Array = new Uint8Array(0);

  unit(unit: number): ModbusUnit {
    return {
      read: (_fn, address, count) => {
        this.#serial++;
        const words = Uint16Array.from(
          { length: count },
          (_, i) => (address + i) * 40_503 + this.#serial * 7_919 + unit * 257,
        );
        const data = new Uint8Array(2 * count);
        for (const [i, word] of words.entries()) data.set([word >> 8, word & 0xff], 2 * i);
        this.truth = data;
        return words;
      },
    };
  }

  /** Whether these are the registers that were asked for last. */
  isTruth(data: Uint8Array): boolean {
    return data.length === this.truth.length && data.every((byte, i) => byte === this.truth[i]);
  }
}

/** How answers are disturbed, in terms of the time-out that is in force. */
export interface Disturbance {
  readonly random: Random;
  readonly rates: FaultRates;
  /** The whole wait that is in force for the request at hand, ms from the request on. */
  readonly waitMs: () => number;
  /** Late answers begin within so many of them. */
  readonly lateTimeouts: number;
  /** Copies of good answers begin within so many of them after the answer. */
  readonly copyTimeouts: number;
}

/** So much of the time in which a copy may come is left free: what is written later is read later still. Milliseconds. */
const SLACK_MS = 8;
const TURNAROUND_MS = [1, 4] as const;

/** A meter with tell-tale registers whose answers are disturbed. */
export function disturbedMeter(
  unit: number,
  registers: ModbusUnit,
  settings: LineSettings | null,
  { random, rates, waitMs, lateTimeouts, copyTimeouts }: Disturbance,
): LineMeter & { readonly faults: AnswerFaults } {
  const maxMs = () => waitMs() * lateTimeouts - SLACK_MS;
  return {
    unit,
    registers,
    settings,
    turnaroundMs: () => random.int(...TURNAROUND_MS),
    isDown: () => false,
    faults: new AnswerFaults({
      chance: random,
      rates,
      times: {
        lateMs: () => waitMs() * (0.9 + random.fraction() * (lateTimeouts - 0.9)) - SLACK_MS,
        lateUntilMs: maxMs,
        copyUntilMs: (sentAtMs, isLate) => (isLate ? maxMs() : sentAtMs + waitMs() * copyTimeouts - SLACK_MS),
        glueMs: () => waitMs() * (lateTimeouts - 1),
      },
    }),
  };
}

/** What register `address` of a meter holds for good, where a meter cannot say what it said last. */
export const constantWord = (unit: number, address: number): number => (address * 40_503 + unit * 257) & 0xffff;

/** Whether these are the registers from `first` on: of constants, another register's is seen, an older one's is not. */
export const isConstant = (unit: number, first: number, data: Uint8Array): boolean =>
  data.length > 0 &&
  data.every(
    (byte, i) =>
      byte === (i % 2 === 0 ? constantWord(unit, first + i / 2) >> 8 : constantWord(unit, first + (i - 1) / 2) & 0xff),
  );

/** A meter's registers that never change. */
export const constantRegisters = (unit: number): ModbusUnit => ({
  read: (_fn, address, count) => Uint16Array.from({ length: count }, (_, i) => constantWord(unit, address + i)),
});
