import type { Clock } from '@gridtokenx/runtime/core';
import { systemClock } from '@gridtokenx/runtime/node/system';
import type { MeterValues } from '../models.js';
import { loadMeterMap } from '../profile-map.js';
import { type Chance, seededChance, whole } from './chance.js';
import { AnswerFaults, type FaultRates, type FaultTimes } from './faults.js';
import type { LineMeter, LineSettings } from './meter-line.js';
import { MeterUpsets, type UpsetPlan } from './upsets.js';

/** A meter to be simulated. */
export interface MeterSpec {
  /** Profile that it answers as, by its id. */
  readonly profile: string;
  readonly unit: number;
  /** u32, as on the nameplate; default 10000000 + unit. */
  readonly serial?: number;
  /** What is not said is as the profile says of a new meter. */
  readonly settings?: Partial<LineSettings>;
  /** What it shows; default: a house that stands still at 230 V and 50 Hz. */
  readonly values?: () => MeterValues;
  /** Milliseconds to the answer's first character, or from and to; default 20. */
  readonly turnaroundMs?: number | readonly [number, number];
  readonly rates?: FaultRates;
  readonly times?: Partial<TimeRanges>;
  readonly upsets?: UpsetPlan;
  readonly seed?: number;
  readonly time?: Pick<Clock, 'monotonicMs' | 'after'>;
}

/** Milliseconds of faults. */
export interface TimeRanges {
  /** A late answer begins between these, from the request on. */
  readonly late: readonly [number, number];
  /** The copy of an answer begins within this, from the answer's begin on. */
  readonly copyWithin: number;
}

const TIMES: TimeRanges = { late: [300, 2_000], copyWithin: 300 };
const DEFAULT_TURNAROUND_MS = 20;

/** A simulated meter on a line, with what lets it fail at once. */
export interface SimulatedLineMeter extends LineMeter {
  readonly settings: LineSettings;
  /** `faults.next('late', 800)`: the next answer begins 800 ms after its request. */
  readonly faults: AnswerFaults;
  readonly upsets: MeterUpsets;
  readonly serial: number;
}

const STANDING: MeterValues = { importWh: 1_234_567n, exportWh: 345_678n, powerW: 0, voltageV: 230, frequencyHz: 50 };

/** Faults at times that a person states. */
export function faultTimes({ late, copyWithin }: TimeRanges): FaultTimes {
  return {
    lateMs: (chance) => late[0] + chance.fraction() * (late[1] - late[0]),
    copyUntilMs: (sentAtMs) => sentAtMs + copyWithin,
    glueMs: () => late[1],
  };
}

/** A meter that answers as a profile says. Throws `MeterMapError` for a profile that is not there or cannot be simulated. */
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
