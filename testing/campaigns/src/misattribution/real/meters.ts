import {
  AnswerFaults,
  type FaultRates,
  type LineMeter,
  type LineSettings,
  type ModbusUnit,
} from '@gridtokenx/simulators';
import type { Random } from '@gridtokenx/testing-kit/random';

/**
 * Registers of meters on one line. No other register and no other answer nearby has a register's value. So a value from
 * elsewhere never equals the right value.
 */
export class TellTaleRegisters {
  #serial = 0;
  /** The data that the newest request's answer must contain. */
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

  /** Returns true when these are the registers of the last request. */
  isTruth(data: Uint8Array): boolean {
    return data.length === this.truth.length && data.every((byte, i) => byte === this.truth[i]);
  }
}

/** Disturbances of answers, in terms of the time-out in force. */
export interface Disturbance {
  readonly random: Random;
  readonly rates: FaultRates;
  /** Returns the whole wait in force for the present request, ms from the request on. */
  readonly waitMs: () => number;
  /** Late answers begin within so many waits. */
  readonly lateTimeouts: number;
  /** Copies of good answers begin within so many waits after the answer. */
  readonly copyTimeouts: number;
}

/** Leaves this part of the time for copies free, in ms: a later write is read later still. */
const SLACK_MS = 8;
const TURNAROUND_MS = [1, 4] as const;

/** Returns a meter with tell-tale registers whose answers are disturbed. */
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

/** Returns the constant value of register `address`, for meters that cannot state their last answer. */
export const constantWord = (unit: number, address: number): number => (address * 40_503 + unit * 257) & 0xffff;

/** Returns true for the registers from `first` on. Constants reveal another register's value, but not an older one. */
export const isConstant = (unit: number, first: number, data: Uint8Array): boolean =>
  data.length > 0 &&
  data.every(
    (byte, i) =>
      byte === (i % 2 === 0 ? constantWord(unit, first + i / 2) >> 8 : constantWord(unit, first + (i - 1) / 2) & 0xff),
  );

/** Returns registers of a meter that never change. */
export const constantRegisters = (unit: number): ModbusUnit => ({
  read: (_fn, address, count) => Uint16Array.from({ length: count }, (_, i) => constantWord(unit, address + i)),
});
