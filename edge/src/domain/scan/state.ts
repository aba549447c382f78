import type { Clock } from '@gridtokenx/runtime/core';
import type { MeterProfile } from '../../profiles/profile.js';
import type { SunspecModels } from '../../profiles/sunspec.js';
import type { Line } from '../bus/ports.js';
import type { BusStats } from '../bus/stats.js';
import type { Identity } from './identify.js';
import type { Stage } from './plan.js';
import type { Setting } from './settings.js';

/** A unit that answers. */
export interface Found extends Identity {
  readonly setting: Setting;
  readonly unit: number;
  /** Milliseconds of scanning until it was identified. */
  readonly afterMs: number;
}

/** Where a scan stands: all that it needs to go on. Plain data. */
export interface ScanState {
  /** Index of the stage, and of the unit in it, that come next. */
  stage: number;
  unit: number;
  elapsedMs: number;
  readonly found: Found[];
  /** Faults of the line, in plain words. */
  readonly notes: string[];
}

export const newState = (): ScanState => ({ stage: 0, unit: 0, elapsedMs: 0, found: [], notes: [] });

export interface ScanOptions {
  readonly stages: readonly Stage[];
  readonly profiles: readonly MeterProfile[];
  readonly models: SunspecModels;
  /** Opens the line as it is set. */
  readonly open: (setting: Setting) => Promise<Line>;
  readonly clock: Clock;
  /** From 0 to 65,535: where transaction ids begin. */
  readonly firstId: number;
  /** The scan is over when so many units were found. */
  readonly expect?: number;
  readonly signal: AbortSignal;
  readonly onFound: (found: Found) => void;
  readonly onNote: (text: string) => void;
  /** Called after each question. */
  readonly onProgress: (setting: Setting, unit: number, state: ScanState) => void;
  /** The state is worth to be kept: after each stage and each find. */
  readonly onState: (state: ScanState) => void;
  readonly stats?: BusStats;
}
