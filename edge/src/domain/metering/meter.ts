import { EventCode, type MeterId, windowEndAtMs } from '@gridtokenx/protocol';
import { type Clock, type Logger, type ReadingClock, sleep } from '@gridtokenx/runtime/core';
import { type Counters, type MeterReader, type MeterSample, ReadError, ReadFailure } from '../ports.js';
import { DiscontinuityReason } from '../signing/discontinuity.js';
import type { MeterJournal } from '../signing/meter-journal.js';
import type { RecoveredMeter } from '../signing/recovery.js';
import type { ClosedWindow } from '../signing/windows.js';

import { DoubtLog, doubtOf, registersProblem } from './doubt-log.js';
import { FrozenWatch } from './frozen.js';
import { MeterReport } from './meter-report.js';
import { meterView } from './meter-view.js';
import { MoreValues } from './more-values.js';
import { Nameplate } from './nameplate.js';
import { type LeastPeriod, planFor, slowPollMessage } from './period.js';
import { pairText, RegisterJudge, type RegisterJudgeOptions } from './register-judge.js';
import { RegisterReads } from './register-reads.js';
import { minus, type RegisterLimits } from './registers.js';
import { nextPollAtMs, type PollPlan } from './schedule.js';
import { aheadProblem } from './window-ahead.js';

/** `detail` of event 8, the fault that the gateway found in a meter. Stable numbers. */
const SelfTest = { frozenRegisters: 1 } as const;

/** Delay of the next poll after a failed poll close to a boundary, real ms. */
const RETRY_MS = 100;
/** Bounds the time between two looks at the clock, real ms: a correction may bring the next poll closer by years. */
const LOOK_MS = 250;
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
  /** Reads the probe's registers that no poll reads; see `RegisterReads`. */
  readonly readProbe?: (() => Promise<readonly string[]>) | undefined;
  /** Windows for which a fall lasts before it is a discontinuity; default 2. */
  readonly fallWindows?: number | undefined;
  /** Builds the judge of its registers; default: `RegisterJudge`. */
  readonly makeJudge?: (options: RegisterJudgeOptions) => RegisterJudge;
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
  /** Steady time of the last reading: the time that readings carry may be corrected since. */
  #lastReadSteadyMs: number | null = null;
  #lastSample: MeterSample | null = null;
  #lastClosed: ClosedWindow | null = null;
  #problem: string | null = null;
  #uncommitted = 0;
  #hasSecondMaster = false;
  readonly #nameplate: Nameplate;
  readonly #frozen: FrozenWatch;
  readonly #judge: RegisterJudge;
  readonly #reads: RegisterReads;
  readonly #doubts: DoubtLog;
  readonly #report: MeterReport;
  readonly more: MoreValues;

  constructor(options: MeterOptions) {
    this.#options = options;
    this.name = options.name;
    this.journal = options.journal;
    this.id = options.journal.id;
    this.recovered = options.recovered;
    this.enrolled = options.recovered.enrolment !== null;
    const { journal, limits, logger, counters, clock } = options;
    this.#frozen = new FrozenWatch(limits.stepWh);
    this.#nameplate = new Nameplate({
      read: options.readSerial,
      known: () => journal.state.serial,
      store: (serial) => journal.identified(serial),
      configured: options.serial,
      clock,
    });
    const makeJudge = options.makeJudge ?? ((of: RegisterJudgeOptions) => new RegisterJudge(of));
    this.#judge = makeJudge({
      limits,
      last: options.recovered.lastGood,
      isBroken: journal.registers.inDiscontinuity,
      doubt: doubtOf(journal.state.doubt),
      pollMs: options.plan.pollMs,
      fallWindows: options.fallWindows,
    });
    if (journal.state.discontinuityReason === DiscontinuityReason.anotherMeter) this.#judge.foreign(true);
    this.#reads = new RegisterReads({ ...options, judge: this.#judge, identify: () => this.#identify() });
    const failed = (error: unknown) => this.#disk(error);
    const { name, keepFrames } = options;
    this.#report = new MeterReport(name, logger, clock);
    this.more = new MoreValues({ ...options, failed });
    this.#doubts = new DoubtLog({ name, journal, judge: this.#judge, keepFrames, failed, clock, logger, counters });
  }

  problems(): string[] {
    if (!this.enrolled) return [`meter ${this.name} is not enrolled: run "enrol"`];
    const { plan, leastPeriod, readingClock } = this.#options;
    const problems = [
      this.#problem,
      this.#frozen.problem,
      slowPollMessage(plan, leastPeriod?.() ?? null),
      this.#nameplate.problem,
      registersProblem(this.#judge),
      aheadProblem(this.journal.windows.closedThrough, readingClock),
    ];
    return problems.flatMap((problem) => (problem ? [`meter ${this.name}: ${problem}`] : []));
  }

  /** Describes the meter for people; 64-bit numbers as text. */
  view(): Record<string, unknown> {
    const { role = 'point', profileName } = this.#options;
    return meterView(this, { role, profileName, sample: this.#lastSample, closed: this.#lastClosed });
  }

  /** Polls and closes windows until aborted. `canClose`: returns true while clock and contact allow statements. */
  async run(canClose: () => boolean, signal: AbortSignal): Promise<void> {
    const { readingClock, clock } = this.#options;
    if (!this.enrolled) return;
    let due = this.#nextPoll(readingClock.nowMs());
    while (!signal.aborted) {
      if (canClose() && this.#judge.doubt === null && this.#hasOver(readingClock.nowMs()))
        await this.#close(readingClock.nowMs());
      const now = readingClock.nowMs();
      // A due poll stays due; a time that is corrected back can only bring it closer.
      due = Math.min(due, Math.max(now, this.#nextPoll(now)));
      const [oldest] = this.journal.windows.open;
      const end = oldest && canClose() ? windowEndAtMs(oldest.window) : Number.POSITIVE_INFINITY;
      if (now < due) {
        // The next poll tries again a window that is over and that the disk did not let close.
        const waitMs = readingClock.realDelayUntil(end > now ? Math.min(due, end) : due);
        await sleep(clock, Math.min(LOOK_MS, Math.max(1, Math.ceil(waitMs))), signal);
        continue;
      }
      const good = this.#uncommitted < MAX_UNCOMMITTED && (await this.#poll());
      if (!good) await sleep(clock, RETRY_MS, signal);
      due = this.#nextPoll(readingClock.nowMs());
    }
  }

  /** Returns the configured plan, or a slower plan where the meter's line needs it. */
  get #plan(): PollPlan {
    return planFor(this.#options.plan, this.#options.leastPeriod?.() ?? null);
  }

  /** Returns true when a window is over, or readings wait for the time that is known now. */
  #hasOver(nowMs: number): boolean {
    const { open, undated } = this.journal.windows;
    return undated > 0 || (open[0] !== undefined && nowMs >= windowEndAtMs(open[0].window));
  }

  #nextPoll(nowMs: number): number {
    const last = this.#lastReadSteadyMs;
    const agoMs = last === null ? null : this.#options.readingClock.steadyMs() - last;
    return nextPollAtMs(nowMs, agoMs === null ? null : nowMs - agoMs, this.#plan);
  }

  /** Polls once; returns true when the poll gave a reading. */
  async #poll(): Promise<boolean> {
    const { counters } = this.#options;
    counters.add('polls', { meter: this.id });
    try {
      const { sample, verdict } = await this.#reads.next();
      this.#hasSecondMaster = false;
      this.#report.read();
      this.#doubts.follow(sample);
      this.#problem = verdict.kind === 'unproven' ? verdict.words : null;
      if (sample && verdict.kind === 'broken') return this.#sign(sample, false);
      if (sample && verdict.kind === 'good') {
        const { importWh, exportWh } = verdict;
        return this.#sign({ ...sample, importWh, exportWh }, true);
      }
      counters.add('poll_errors', { meter: this.id, reason: this.#judge.doubt?.reason ?? verdict.kind });
      return false;
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
      counters.add('poll_errors', { meter: this.id, reason: `read ${error.failure}` });
      this.#problem = error.message;
      this.#report.unreadable(error);
      this.#reportSecondMaster(error);
      if (error.failure === ReadFailure.timeout || error.failure === ReadFailure.connection) {
        this.#nameplate.silent();
        this.#judge.silent();
      }
      // The poll grid continues; close to a boundary the schedule polls again at once.
      return false;
    }
  }

  /** Checks that the meter that answers is the one whose key signs. */
  async #identify(): Promise<void> {
    const judge = this.#judge;
    // A disk that does not take the first serial number must not end the process: it is stored at a later poll.
    const other = (await this.#nameplate.other().catch((error) => this.#disk(error))) ?? null;
    if (other !== null && !judge.isForeign) {
      const fields = { event: 'foreign_meter_answered', meter: this.name, serial: other };
      this.#options.logger.error(fields, 'Another meter answers: no more statements are signed');
      judge.foreign(true);
    } else if (judge.isForeign && this.#nameplate.isSame) judge.foreign(false);
  }

  /** Signs a reading; returns true. `good`: its registers go on from the last good ones. */
  #sign(sample: MeterSample, good: boolean): true {
    this.#report.taken(sample, good);
    this.#lastReadSteadyMs = sample.steadyMs;
    this.#lastSample = sample;
    if (this.#frozen.add(sample)) this.#selfTestFailed(SelfTest.frozenRegisters);
    this.#uncommitted++;
    // Not awaited: a slow card must not delay the bus. The journal keeps the order.
    this.journal
      .reading(sample, good)
      .then(
        () => this.#report.stored(),
        (error) => this.#disk(error),
      )
      .finally(() => {
        this.#uncommitted--;
      });
    if (good) void this.more.follow();
    return true;
  }

  /** True while `accept` would refuse only because the meter must be read first. */
  get mustBeRead(): boolean {
    return this.#judge.isUnread;
  }

  /**
   * Accepts registers that do not go on, because a person says so; the meter counts on from its last good registers.
   * Returns words where nothing was accepted, null when it is stored. Rejects with the disk's error.
   */
  async accept(reason: string): Promise<string | null> {
    if (registersProblem(this.#judge) === null && this.journal.registers.hasAccepted(reason)) return null;
    const { offsets } = this.journal.state;
    const accepted = this.#judge.accept();
    if (typeof accepted === 'string') return accepted;
    const { change, counted } = accepted;
    const signed = this.#judge.last ?? counted;
    const raw = minus(counted, offsets);
    const timeMs = this.#options.readingClock.nowMs();
    const { shown: serial } = this.#nameplate;
    await this.journal.registers.accept({ change, raw, signed }, { timeMs, reason, serial });
    this.#options.logger.warn(
      { event: 'registers_accepted', meter: this.name, raw: pairText(raw), signed: pairText(signed), reason },
      'A person accepted the registers: the count goes on from the last good ones',
    );
    return null;
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
        this.#report.closed(closed);
      }
    } catch (error) {
      this.#disk(error);
    }
  }

  #disk(error: unknown): void {
    this.#problem = `the gateway signed nothing, because it could not store the state: ${this.#report.unstored(error)}`;
  }
}
