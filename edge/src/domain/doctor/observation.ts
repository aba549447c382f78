import type { Clock } from '@gridtokenx/runtime/core';
import type { ModbusProfile } from '../../profiles/profile.js';
import type { Line } from '../bus/ports.js';
import type { Spoken } from '../scan/prober.js';
import type { Setting } from '../scan/settings.js';

/** One reading of a meter's energy and what it shows beside it. */
export interface Reading {
  readonly atMs: number;
  readonly importWh: bigint | null;
  readonly exportWh: bigint | null;
  readonly powerW: number | null;
  /** The coarsest step of the energy registers, Wh. */
  readonly stepWh: bigint | null;
}

/** What was seen of one meter. */
export interface UnitObservation {
  readonly unit: number;
  readonly meter: string;
  readonly model: string;
  readonly asked: number;
  readonly answered: number;
  readonly damaged: number;
  readonly silent: number;
  /** Codes of the exceptions, in the order they came. */
  readonly exceptions: readonly number[];
  /** From the request's end to the answer's begin, ms; the slowest that came in time. */
  readonly slowestMs: number;
  /** Longest time from a request to an answer that came too late, ms; 0 = none. */
  readonly latestMs: number;
  /** In words, for each check of the profile's probe that does not hold; null: it was not read. */
  readonly against: readonly string[] | null;
  readonly readings: readonly Reading[];
  /** Whether all answers to the same question were the same bytes, of several and over so long a time. */
  readonly sameForMs: number | null;
  /** Another setting at which this unit answers. */
  readonly elsewhere: Setting | null;
}

/** What was seen of one bus. */
export interface LineObservation {
  readonly name: string;
  readonly setting: Setting;
  /** Why it cannot be opened, or was lost, in words; null when neither. */
  readonly problem: string | null;
  readonly spoken: readonly Spoken[];
  /** Bytes that are no frames, heard while nothing was asked. */
  readonly noise: number;
  readonly isEndless: boolean;
  readonly echoes: number;
  readonly waitMs: number;
  readonly units: readonly UnitObservation[];
  /** Units that answer and are not configured. Looked for only where a configured one is silent. */
  readonly strangers: readonly number[];
}

export interface ExaminedMeter {
  readonly name: string;
  readonly unit: number;
  readonly profile: ModbusProfile;
}

export interface ExamineOptions {
  readonly name: string;
  readonly setting: Setting;
  readonly meters: readonly ExaminedMeter[];
  readonly open: (setting: Setting) => Promise<Line>;
  readonly clock: Clock;
  readonly firstId: number;
  /** How long a meter is waited for, ms. */
  readonly waitMs: number;
  /** Where silent units are looked for, in order. */
  readonly settings: readonly Setting[];
  readonly signal: AbortSignal;
}
