import type { Clock } from '@gridtokenx/runtime/core';
import { systemClock } from '@gridtokenx/runtime/node/system';
import type { MeterValues } from '../models.js';
import { loadMeterMap } from '../profile-map.js';
import { type Chance, seededChance, whole } from './chance.js';
import { AnswerFaults, type FaultRates, type FaultTimes } from './faults.js';
import type { LineMeter, LineSettings } from './meter-line.js';
import { MeterUpsets, type UpsetPlan } from './upsets.js';

/** Describes a meter to simulate. */
export interface MeterSpec {
  /** Id of the profile that it answers by. */
  readonly profile: string;
  readonly unit: number;
  /** Serial number, u32, as on the nameplate; default 10000000 + unit. */
  readonly serial?: number;
  /** Settings that differ from the profile's new meter. */
  readonly settings?: Partial<LineSettings>;
  /** Values that it shows; default: a house with constant registers at 230 V and 50 Hz. */
  readonly values?: () => MeterValues;
  /** Time to the answer's first character, ms, or its range; default 20. */
  readonly turnaroundMs?: number | readonly [number, number];
  readonly rates?: FaultRates;
  readonly times?: Partial<TimeRanges>;
  readonly upsets?: UpsetPlan;
  readonly seed?: number;
  readonly time?: Pick<Clock, 'monotonicMs' | 'after'>;
}

/** Ranges of the faults' times, ms. */
export interface TimeRanges {
  /** Begin of a late answer, from the request on. */
  readonly late: readonly [number, number];
  /** Latest begin of an answer's copy, from the answer's begin on. */
  readonly copyWithin: number;
}

const TIMES: TimeRanges = { late: [300, 2_000], copyWithin: 300 };
const DEFAULT_TURNAROUND_MS = 20;

/** A simulated meter on a line whose faults can be requested at once. */
export interface SimulatedLineMeter extends LineMeter {
  readonly settings: LineSettings;
  /** `faults.next('late', 800)`: the next answer begins 800 ms after its request. */
  readonly faults: AnswerFaults;
  readonly upsets: MeterUpsets;
  readonly serial: number;
}

const STANDING: MeterValues = { importWh: 1_234_567n, exportWh: 345_678n, powerW: 0, voltageV: 230, frequencyHz: 50 };

/** Converts time ranges that a person states into the times of faults. */
export function faultTimes({ late, copyWithin }: TimeRanges): FaultTimes {
  return {
    lateMs: (chance) => late[0] + chance.fraction() * (late[1] - late[0]),
    copyUntilMs: (sentAtMs) => sentAtMs + copyWithin,
    glueMs: () => late[1],
  };
}

/**
 * Builds a meter that answers by a profile. Throws `MeterMapError` for a profile that is absent or cannot be simulated.
 */
export function simulateMeter(spec: MeterSpec): SimulatedLineMeter {
  const {
    unit,
    serial = 10_000_000 + unit,
    rates = {},
    time = systemClock,
    turnaroundMs = DEFAULT_TURNAROUND_MS,
  } = spec;
  const map = loadMeterMap(spec.profile);
  const chance: Chance = seededChance(spec.seed ?? unit);
  const upsets = new MeterUpsets(spec.values ?? (() => STANDING), spec.upsets ?? {}, time);
  return {
    unit,
    serial,
    settings: { ...map.settings, ...spec.settings },
    registers: map.unit(serial, () => upsets.values()),
    turnaroundMs: () => (typeof turnaroundMs === 'number' ? turnaroundMs : whole(chance, ...turnaroundMs)),
    faults: new AnswerFaults({ chance, rates, times: faultTimes({ ...TIMES, ...spec.times }) }),
    upsets,
    isDown: () => upsets.isDown(),
  };
}
