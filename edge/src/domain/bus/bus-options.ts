import type { Clock, Logger, Random } from '@gridtokenx/runtime/core';
import type { ReadRequest } from './frames.js';
import type { Framing } from './framing.js';
import type { LineSpeed } from './line.js';
import type { MakeClient, OpenLine } from './ports.js';
import type { ReplyQuarantine } from './reply-quarantine.js';
import type { BusStats } from './stats.js';

/** Holds what a bus needs of its line and of the world. */
export interface BusOptions {
  readonly name: string;
  readonly open: OpenLine;
  readonly makeClient: MakeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: Random;
  readonly speed: LineSpeed;
  /** Decides which shapes may be asked for. */
  readonly quarantine: ReplyQuarantine;
  readonly makeFraming: (quarantine: ReplyQuarantine) => Framing;
  /** Whether answers are told apart by their shape only: serial lines, converters. */
  readonly shapes: boolean;
  /** Real milliseconds that a unit is waited for before anything is known of it. */
  readonly requestMs: number;
  readonly connectMs: number;
  /** Least time-out, ms: no adapter or network is steadier than this. */
  readonly minTimeoutMs: number;
  /** How long a line is only listened to after it was first opened, ms; default: the longest quarantine at the start. */
  readonly restMs?: number;
  readonly stats?: BusStats;
  /** Is given every answer that was accepted, as it stood on the line. */
  readonly onAnswer?: (ask: ReadRequest, frame: Uint8Array) => void;
  /** A port that worked cannot be opened any more: only a new process helps. */
  readonly giveUp?: (reason: string) => void;
}
