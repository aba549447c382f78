import { EventCode, formatKwh, type MeterId, windowEndAtMs } from '@gridtokenx/protocol';
import { type Clock, type Logger, type ReadingClock, sleep, sleepUntil } from '@gridtokenx/runtime/core';
import { type Counters, type MeterReader, type MeterSample, ReadError, ReadFailure } from '../ports.js';
import type { MeterJournal } from '../signing/meter-journal.js';
import { DiscontinuityReason } from '../signing/meter-payloads.js';
import type { RecoveredMeter } from '../signing/recovery.js';
import type { ClosedWindow } from '../signing/windows.js';

import { FrozenWatch } from './frozen.js';
import { Nameplate } from './nameplate.js';
import { type LeastPeriod, planFor, slowPollMessage } from './period.js';
import {
  judgeRegisters,
  LOWER_READS,
  type RegisterLimits,
  type Registers,
  type RegisterVerdict,
  unrolled,
} from './registers.js';
import { nextPollAtMs, type PollPlan } from './schedule.js';

/** `detail` of event 8, the fault that the gateway found in a meter. Stable numbers. */
const SelfTest = { frozenRegisters: 1 } as const;

/** Delay of the next poll after a failed poll close to a boundary, real ms. */
const RETRY_MS = 100;
/** Bound of the readings that wait for a disk. Beyond it the meter is not polled until the disk accepts writes. */
const MAX_UNCOMMITTED = 500;

export interface MeterOptions {
  readonly name: string;
  readonly profileName: string;
  /** Role in the configuration; default: a connection point. */
  readonly role?: string;
  readonly journal: MeterJournal;
  readonly recovered: RecoveredMeter;
  readonly reader: MeterReader;
  /** See `Nameplate`; absent: the meter shows no serial number. */
  readonly readSerial?: (() => Promise<string | null>) | undefined;
  /** The serial number in the configuration. */
  readonly serial: string;
  readonly limits: RegisterLimits;
  readonly plan: PollPlan;
  /** Returns the shortest period that the meter's line allows; null without a limit. */
  readonly leastPeriod?: () => LeastPeriod | null;
  /** Keeps the meter's last frames for the inquiry into a discontinuity. Never rejects. */
  readonly keepFrames?: () => Promise<void>;
  readonly readingClock: ReadingClock;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly counters: Counters;
}

/** Runs one meter: decides when to read it, whether to believe its registers, and when to close its windows. */
export class Meter {
  readonly name: string;
  readonly id: MeterId;
  readonly journal: MeterJournal;
  readonly recovered: RecoveredMeter;
  /** False without an enrolment: then nothing may be signed for the meter. */
  readonly enrolled: boolean;
  readonly #options: MeterOptions;
  #lastGood: Registers | null;
  #lastReadingAtMs: number | null = null;
  #lastSample: MeterSample | null = null;
  #lastClosed: ClosedWindow | null = null;
  #problem: string | null = null;
  #uncommitted = 0;
  #hasSecondMaster = false;
  readonly #nameplate: Nameplate;
  readonly #frozen: FrozenWatch;

  constructor(options: MeterOptions) {
    this.#options = options;
    this.name = options.name;
    this.journal = options.journal;
    this.id = options.journal.id;
    this.recovered = options.recovered;
    this.enrolled = options.recovered.enrolment !== null;
    const fall = options.journal.state.discontinuity;
    this.#frozen = new FrozenWatch(options.limits.stepWh);
    this.#nameplate = new Nameplate({
      read: options.readSerial,
      known: () => options.journal.state.serial,
      store: (serial) => options.journal.identified(serial),
      configured: options.serial,
      clock: options.clock,
    });
    this.#lastGood = fall ? { timeMs: 0, ...fall } : options.recovered.lastGood;
  }

  problems(): string[] {
    if (!this.enrolled) return [`meter ${this.name} is not enrolled: run "enrol"`];
    const list = this.#problem ? [`meter ${this.name}: ${this.#problem}`] : [];
    if (this.#frozen.problem) list.push(`meter ${this.name}: ${this.#frozen.problem}`);
    const slow = slowPollMessage(this.#options.plan, this.#options.leastPeriod?.() ?? null);
    if (slow) list.push(`meter ${this.name}: ${slow}`);
    if (this.#nameplate.problem) list.push(`meter ${this.name}: ${this.#nameplate.problem}`);
    if (this.journal.inDiscontinuity)
      list.push(
        `meter ${this.name}: its registers fell, or another meter answers: if somebody exchanged the meter, run "replace-meter"`,
      );
    return list;
  }

  /** Describes the meter for people; 64-bit numbers as text. */
  view(): Record<string, unknown> {
    const sample = this.#lastSample;
    const closed = this.#lastClosed;
    return {
      name: this.name,
      meter_id: this.id,
      role: this.#options.role ?? 'point',
      profile: this.#options.profileName,
      enrolled: this.enrolled,
      signer: 'gateway',
      next_seq: this.journal.nextSeq.toString(),
      reading: sample && {
        time_ms: sample.timeMs,
        import_wh: sample.importWh.toString(),
        export_wh: sample.exportWh.toString(),
        power_w: sample.powerW,
        raw_bytes: sample.raw.length,
      },
      statement: closed && {
        window: closed.window,
        import_wh: closed.importWh.toString(),
        export_wh: closed.exportWh.toString(),
        quality: closed.quality,
      },
      open_windows: this.journal.windows.open.map(({ window }) => window),
      problems: this.problems(),
    };
  }

  /** Polls and closes windows until aborted. `canClose`: returns true while clock and contact allow statements. */
  async run(canClose: () => boolean, signal: AbortSignal): Promise<void> {
    const { readingClock, clock } = this.#options;
    if (!this.enrolled) return;
    let due = nextPollAtMs(readingClock.nowMs(), this.#lastReadingAtMs, this.#plan);
    while (!signal.aborted) {
      if (canClose()) await this.#close(readingClock.nowMs());
      const now = readingClock.nowMs();
      // A due poll stays due; a clock that is stepped back can only bring it closer.
      due = Math.min(due, Math.max(now, nextPollAtMs(now, this.#lastReadingAtMs, this.#plan)));
      const [oldest] = this.journal.windows.open;
      const end = oldest && canClose() ? windowEndAtMs(oldest.window) : Number.POSITIVE_INFINITY;
      if (now < due) {
        // The next poll tries again a window that is over and that the disk did not let close.
        await sleepUntil(readingClock, clock, end > now ? Math.min(due, end) : due, signal);
        continue;
      }
      const good = this.#uncommitted < MAX_UNCOMMITTED && (await this.#poll());
      if (!good) await sleep(clock, RETRY_MS, signal);
      due = nextPollAtMs(readingClock.nowMs(), this.#lastReadingAtMs, this.#plan);
    }
  }

  /** Returns the configured plan, or a slower plan where the meter's line needs it. */
  get #plan(): PollPlan {
    return planFor(this.#options.plan, this.#options.leastPeriod?.() ?? null);
  }

  /** Polls once; returns true when the poll gave a reading. */
  async #poll(): Promise<boolean> {
    const { counters } = this.#options;
    counters.add('polls', { meter: this.id });
    try {
      const { sample, verdict } = await this.#readJudged();
      const other = this.journal.inDiscontinuity ? null : await this.#nameplate.other();
      if (other !== null) {
        this.#options.logger.error(
          { event: 'foreign_meter_answered', meter: this.name, serial: other },
          'Another meter answers: no more statements are signed',
        );
        await this.#sign(sample, DiscontinuityReason.anotherMeter);
        return true;
      }
      if (verdict === 'above-limit') {
        counters.add('poll_errors', { meter: this.id, reason: 'above limit' });
        this.#problem = `registers rose faster than the connection allows (${text(this.#lastGood)} to ${text(sample)}): the gateway does not use them`;
        return false;
      }
      this.#problem = null;
      this.#hasSecondMaster = false;
      await this.#sign(sample, verdict === 'good' ? null : DiscontinuityReason.fell);
      return true;
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
      counters.add('poll_errors', { meter: this.id, reason: `read ${error.failure}` });
      this.#problem = error.message;
      this.#reportSecondMaster(error);
      if (error.failure === ReadFailure.timeout || error.failure === ReadFailure.connection) this.#nameplate.silent();
      // The poll grid continues; close to a boundary the schedule polls again at once.
      return false;
    }
  }

  /** Reads again while a register falls; returns the last of three lower reads as `lower`. */
  async #readJudged(): Promise<{ sample: MeterSample; verdict: RegisterVerdict }> {
    const { reader, limits } = this.#options;
    for (let lower = 1; ; lower++) {
      const shown = await reader.read();
      const sample = this.journal.inDiscontinuity ? shown : unrolled(this.#lastGood, shown, limits);
      this.#reportRollover(shown, sample);
      const verdict = this.journal.inDiscontinuity ? 'lower' : judgeRegisters(this.#lastGood, sample, limits);
      if (verdict !== 'lower' || lower === LOWER_READS || this.journal.inDiscontinuity) return { sample, verdict };
    }
  }

  /** Reports each roll-over of a register once: from then on the signed value is above the meter's display. */
  #reportRollover(shown: MeterSample, sample: MeterSample): void {
    if (shown === sample) return;
    for (const key of ['importWh', 'exportWh'] as const) {
      const rollover = sample.rolloverWh?.[key];
      const turns = (wh: bigint) => (rollover ? wh / rollover : 0n);
      if (turns(sample[key]) === turns(this.#lastGood?.[key] ?? sample[key])) continue;
      const counted = { meter: this.name, register: key, shows: `${shown[key]}`, counted: `${sample[key]}` };
      this.#options.logger.info(
        { event: 'register_rolled_over', ...counted },
        'A register rolled over: the count continues',
      );
    }
  }

  /** Signs a reading. `broken`: why its registers do not continue the last good ones; null when they do. */
  async #sign(sample: MeterSample, broken: DiscontinuityReason | null): Promise<void> {
    const { logger } = this.#options;
    const good = broken === null;
    if (broken !== null && !this.journal.inDiscontinuity) {
      const lastGood = this.#lastGood ?? sample;
      logger.error(
        { event: 'statements_stopped', meter: this.name, from: text(lastGood), to: text(sample), reason: broken },
        'Stopped signing statements',
      );
      void this.#options.keepFrames?.();
      await this.journal.discontinuity(lastGood, sample, broken).catch((error) => this.#disk(error));
    }
    if (good) this.#lastGood = { timeMs: sample.timeMs, importWh: sample.importWh, exportWh: sample.exportWh };
    logger.debug(
      { event: 'register_read', meter: this.name, import_wh: sample.importWh, export_wh: sample.exportWh, good },
      'Read the registers',
    );
    this.#lastReadingAtMs = sample.timeMs;
    this.#lastSample = sample;
    if (this.#frozen.add(sample)) this.#selfTestFailed(SelfTest.frozenRegisters);
    this.#uncommitted++;
    // Not awaited: a slow card must not delay the bus. The journal keeps the order.
    this.journal
      .reading(sample, good)
      .catch((error) => this.#disk(error))
      .finally(() => {
        this.#uncommitted--;
      });
  }

  /** Signs an event when a second master appears on the line, once for each appearance. */
  #reportSecondMaster(error: ReadError): void {
    const isForeign = error.failure === ReadFailure.secondMaster;
    if (isForeign && !this.#hasSecondMaster)
      this.journal.event(EventCode.secondMaster).catch((disk) => this.#disk(disk));
    this.#hasSecondMaster = isForeign;
  }

  #selfTestFailed(which: number): void {
    const { counters } = this.#options;
    counters.add('poll_errors', { meter: this.id, reason: 'frozen registers' });
    this.journal.event(EventCode.selfTestFailed, { detail: which }).catch((disk) => this.#disk(disk));
  }

  async #close(nowMs: number): Promise<void> {
    try {
      for (const closed of await this.journal.closeDue(nowMs)) {
        this.#lastClosed = closed;
        const { window, importWh, exportWh, quality } = closed;
        this.#options.logger.info(
          {
            event: 'window_closed',
            meter: this.name,
            window,
            import_wh: `${importWh}`,
            export_wh: `${exportWh}`,
            quality,
          },
          'Closed a window',
        );
      }
    } catch (error) {
      this.#disk(error);
    }
  }

  #disk(error: unknown): void {
    this.#problem = `the gateway signed nothing, because it could not store the state: ${error instanceof Error ? error.message : error}`;
  }
}

const text = (registers: { importWh: bigint; exportWh: bigint } | null) =>
  registers ? `${formatKwh(registers.importWh)}/${formatKwh(registers.exportWh)} kWh` : 'none';
