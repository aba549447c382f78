import type { Clock } from '@gridtokenx/runtime/core';
import type { ModbusProfile } from '../../profiles/profile.js';
import type { Line } from '../bus/ports.js';
import type { Spoken } from '../scan/prober.js';
import type { Setting } from '../scan/settings.js';

/** A reading of a meter's energy, with its power. */
export interface Reading {
  readonly atMs: number;
  readonly importWh: bigint | null;
  readonly exportWh: bigint | null;
  readonly powerW: number | null;
  /** The coarsest step of the energy registers, Wh; null when unknown. */
  readonly stepWh: bigint | null;
}

/** Facts observed of one meter. */
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
  /** Time from the request's end to the answer's begin, ms; the slowest that came in time. */
  readonly slowestMs: number;
  /** Longest time from a request to its late answer, ms; 0 when no answer was late. */
  readonly latestMs: number;
  /** States each check of the profile's probe that fails, in words; null: the probe was not read. */
  readonly against: readonly string[] | null;
  readonly readings: readonly Reading[];
  /** The longest read that it answered and the shortest that it refused, in registers; null where it refused none. */
  readonly lengths: { readonly above: number; readonly below: number } | null;
  /**
   * Time over which all replies to the same request had the same bytes, ms; null when one differed, or too few came.
   */
  readonly sameForMs: number | null;
  /** Another setting at which this unit answers; null when none is known. */
  readonly elsewhere: Setting | null;
}

/** Facts observed of one bus. */
export interface LineObservation {
  readonly name: string;
  readonly setting: Setting;
  /** Says in words why it cannot be opened, or was lost; null when neither. */
  readonly problem: string | null;
  readonly spoken: readonly Spoken[];
  /** Bytes without a frame, heard while no request was in flight. */
  readonly noise: number;
  readonly isEndless: boolean;
  readonly echoes: number;
  readonly waitMs: number;
  readonly units: readonly UnitObservation[];
  /** Units that answer and are not configured. The doctor searches for them only where a configured unit is silent. */
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
  /** Units that answer under another unit. */
  readonly anyUnits?: ReadonlySet<number>;
  /** Wait for a meter's answer, ms. */
  readonly waitMs: number;
  /** Settings at which to search for silent units, in order. */
  readonly settings: readonly Setting[];
  readonly signal: AbortSignal;
  /** Time to listen before the first request, and to ask, ms. Default: as long as a person's patience allows. */
  readonly times?: ExamineTimes;
}

export interface ExamineTimes {
  readonly listenMs: number;
  readonly lookMs: number;
}
