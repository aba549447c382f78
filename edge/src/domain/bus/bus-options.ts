import type { Clock, Logger, Random } from '@gridtokenx/runtime/core';
import type { ReadRequest } from './frames.js';
import type { Framing } from './framing.js';
import type { LineSpeed } from './line.js';
import type { MakeClient, OpenLine } from './ports.js';
import type { ReplyQuarantine } from './reply-quarantine.js';
import type { BusStats } from './stats.js';

/** Holds what a bus needs of its line, and the injected clock and randomness. */
export interface BusOptions {
  readonly name: string;
  readonly open: OpenLine;
  readonly makeClient: MakeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: Random;
  readonly speed: LineSpeed;
  /** Decides which reply shapes may be requested. */
  readonly quarantine: ReplyQuarantine;
  readonly makeFraming: (quarantine: ReplyQuarantine) => Framing;
  /** True on serial lines and converters, where only the reply shape identifies a reply. */
  readonly shapes: boolean;
  /** Time-out of a unit before its first answers, real ms. */
  readonly requestMs: number;
  readonly connectMs: number;
  /** Lower bound of the time-out, ms: no adapter or network has less jitter than this. */
  readonly minTimeoutMs: number;
  /** Time in which a line only listens after it was first opened, ms. Default: the longest quarantine at the start. */
  readonly restMs?: number;
  readonly stats?: BusStats;
  /** Receives each accepted reply, as it stood on the line. */
  readonly onAnswer?: (ask: ReadRequest, frame: Uint8Array) => void;
  /** Called when a port that worked cannot be opened any more: only a new process helps. */
  readonly giveUp?: (reason: string) => void;
}
