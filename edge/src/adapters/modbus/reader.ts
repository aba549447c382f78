import { type Clock, type ReadingClock, sleep } from '@gridtokenx/runtime/core';
import type { Bus, ReadOptions } from '../../domain/bus/bus.js';
import type { LeastPeriod } from '../../domain/metering/period.js';
import { type FurtherSample, type MeterReader, type MeterSample, ReadError, ReadFailure } from '../../domain/ports.js';
import { leastPeriod } from '../../planner/period.js';
import type { LineCost } from '../../planner/plan.js';
import { failedChecks } from '../../profiles/probe.js';
import type { Bills, ProbeCheck, RegisterMap } from '../../profiles/profile.js';
import type { Register } from '../../profiles/register.js';
import { type Block, decodeSample, faultOfEnergy, holds, resolutionWh } from '../../profiles/sample.js';
import { furtherPlan, type Planned, planOf } from './poll-plan.js';
import { ReadLimiter } from './read-limiter.js';

export interface ReaderOptions {
  readonly bus: Bus;
  readonly unit: number;
  /** Registers of a parsed profile, or of a device that listed them itself. */
  readonly profile: RegisterMap;
  /** Checks that the values of each sample must hold; default: none. */
  readonly probe?: readonly ProbeCheck[];
  /** Directions that each poll must read. A register that the map lacks and that is not needed counts as 0. */
  readonly needs: Bills;
  readonly readingClock: Pick<ReadingClock, 'nowMs' | 'steadyMs' | 'uncertaintyMs'>;
  readonly clock: Clock;
  readonly periodMs: number;
  /** Cost of a read on this line; its turnaround is the assumed one before the first measurement. */
  readonly cost: LineCost;
}

/** A reader that states the step of its meter and the limits of its line. */
export interface LineReader extends MeterReader {
  /** Returns the smallest step of the energy registers near a reading, Wh. */
  stepWh(nearWh: bigint): bigint;
  /** Returns the shortest poll period of the meter on this line, real ms; null without a limit. */
  leastPeriod(): LeastPeriod | null;
  /** Says what is odd about the meter and does no harm; empty for most. */
  notes(): readonly string[];
}

type SampleTime = Pick<MeterSample, 'timeMs' | 'uncertaintyMs' | 'steadyMs'>;

/** Deviation of the measured turnaround from the planned one, as a part of it, above which the plan is made anew. */
const TURNAROUND_DRIFT = 0.5;

/** Refusals after which a poll plans no further shorter reads: halving 125 registers takes 7. */
const MAX_REFUSALS = 10;

/**
 * Reads one meter by its profile. Reads energy first, in one request where the meter allows it (import and export of
 * one instant). Then reads the values beside it, which may fail without harm. Repeats a failed read once, with another
 * length.
 */
export class ProfileReader implements LineReader {
  readonly #options: ReaderOptions;
  readonly #readOptions: ReadOptions;
  #turnaroundUs: number;
  #plan: readonly Planned[] = [];
  /** True while the poll may still repeat one request beside those of the energy. */
  #mayRepeat = true;
  /** Step of the last sample, where the meter's own scale factor decides it; null before. */
  #stepWh: bigint | null = null;
  readonly #limiter: ReadLimiter;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#limiter = new ReadLimiter(options);
    const { periodMs, profile } = options;
    const { quarantineMs, timeoutMinMs } = profile.limits;
    this.#readOptions = { periodMs, limits: { quarantineMs, timeoutMinMs } };
    this.#turnaroundUs = options.cost.turnaroundUs;
    this.#replan();
  }

  async read(): Promise<MeterSample> {
    const { readingClock, clock } = this.#options;
    this.#measure();
    const endAtMs = clock.monotonicMs() + this.#options.periodMs;
    this.#mayRepeat = true;
    const blocks: Block[] = [];
    const frames: Uint8Array[] = [];
    let time: SampleTime | null = null;
    let left = [...this.#plan];
    for (let isFirst = true, refusals = 0; left.length > 0; isFirst = false) {
      const [planned, ...others] = left as [Planned, ...Planned[]];
      left = others;
      if (!isFirst) await this.#rest();
      if (!isFirst && planned.request.billing) await this.#untilFree(planned, endAtMs);
      try {
        const { address, data, frame } = await this.#ask(planned, endAtMs);
        blocks.push({ function: planned.request.function, address, data });
        frames.push(frame);
        if (planned.request.billing)
          time = {
            timeMs: readingClock.nowMs(),
            uncertaintyMs: readingClock.uncertaintyMs(),
            steadyMs: readingClock.steadyMs(),
          };
      } catch (error) {
        if (!(error instanceof ReadError)) throw error;
        if (refusals++ < MAX_REFUSALS && this.#limiter.refused(error, planned.request)) {
          this.#replan();
          left = this.#plan.filter(({ request }) => request.registers.some((one) => !isHeld(blocks, one)));
        } else if (planned.request.billing || error.failure === ReadFailure.secondMaster) throw error;
      }
    }
    if (await this.#limiter.probe(this.#readOptions)) this.#replan();
    return this.#sampleOf(blocks, time, frames);
  }

  #sampleOf(blocks: readonly Block[], time: SampleTime | null, frames: readonly Uint8Array[]): MeterSample {
    const { profile, needs } = this.#options;
    const sample = decodeSample(profile, blocks);
    const fault = faultOfEnergy(sample);
    const has = (key: 'import' | 'export') => profile.registers.some((register) => register.key === key);
    const importWh = !needs.import && !has('import') ? 0n : sample.importWh;
    const exportWh = !needs.export && !has('export') ? 0n : sample.exportWh;
    if (fault !== null && fault.what !== 'not-read') throw new ReadError(ReadFailure.noValue, fault.text);
    if (!time || fault !== null || importWh === null || exportWh === null)
      throw new ReadError(ReadFailure.badReply, fault?.text ?? 'the meter gives no energy');
    this.#stepWh = sample.resolutionWh;
    const resolutionWh = sample.resolutionWh ?? 1n;
    const against = failedChecks(this.#options.probe ?? [], sample);
    const { powerW, voltageDv, frequencyChz, rolloverWh } = sample;
    const raw = Buffer.concat(frames);
    return { ...time, importWh, exportWh, powerW, voltageDv, frequencyChz, raw, rolloverWh, resolutionWh, against };
  }

  /**
   * Reads the values that are never billed, without repetition. Null where the profile names none, and where the meter
   * has none of them. Rejects with `ReadError` when nothing was read.
   */
  async further(): Promise<FurtherSample | null> {
    const { bus, unit, cost, profile, readingClock } = this.#options;
    const plan = () => furtherPlan(this.#limiter.map(), { ...cost, turnaroundUs: this.#turnaroundUs });
    const blocks: Block[] = [];
    let failed: ReadError | null = null;
    let left = plan();
    for (let refusals = 0; left.length > 0; ) {
      const [{ request, variants }, ...others] = left as [Planned, ...Planned[]];
      left = others;
      await this.#rest();
      try {
        const { address, data } = await bus.read(unit, request.function, variants, this.#readOptions);
        blocks.push({ function: request.function, address, data });
      } catch (error) {
        if (!(error instanceof ReadError)) throw error;
        if (refusals++ < MAX_REFUSALS && this.#limiter.refused(error, request))
          left = plan().filter((one) => one.request.registers.some((register) => !isHeld(blocks, register)));
        else failed = error;
      }
    }
    if (blocks.length === 0 && failed) throw failed;
    const values = blocks.length === 0 ? [] : decodeSample(profile, blocks).more;
    if (values.length === 0) return null;
    return { timeMs: readingClock.nowMs(), uncertaintyMs: readingClock.uncertaintyMs(), values };
  }

  /** Reads with one repetition for energy; repeats other reads only where the poll's time allows it. */
  async #ask({ request, variants }: Planned, endAtMs: number) {
    const { bus, unit, clock } = this.#options;
    const read = () => bus.read(unit, request.function, variants, this.#readOptions);
    try {
      return await read();
    } catch (error) {
      const isWorth = error instanceof ReadError && error.failure === ReadFailure.timeout;
      const health = bus.units.get(unit);
      if (!isWorth || !health || health.silenceBeganAtMs !== null) throw error;
      const leftMs = endAtMs - clock.monotonicMs() - (bus.polls.get(unit)?.lineMs ?? 0);
      if (!request.billing && (!this.#mayRepeat || leftMs < health.estimate.timeoutMs())) throw error;
      this.#mayRepeat = false;
      await this.#rest();
      return read();
    }
  }

  /**
   * Waits within the poll until the second half of the energy may be requested: without it the first half is worth
   * nothing.
   */
  async #untilFree({ request, variants }: Planned, endAtMs: number): Promise<void> {
    const { bus, unit, clock } = this.#options;
    if (!bus.isShared) return;
    for (;;) {
      const now = clock.monotonicMs();
      const times = variants.map(({ count }) => bus.quarantine.freeAt(unit, request.function, 2 * count, now));
      const freeAtMs = Math.min(...times);
      if (freeAtMs <= now || freeAtMs >= endAtMs) return;
      await sleep(clock, Math.ceil(freeAtMs - now));
    }
  }

  /** Waits for the rest that the meter needs between two requests. */
  async #rest(): Promise<void> {
    const { clock, profile } = this.#options;
    const { pauseMs } = profile.limits;
    if (pauseMs > 0) await sleep(clock, pauseMs);
  }

  stepWh(nearWh: bigint): bigint {
    const energy = this.#options.profile.registers.filter(({ key }) => key === 'import' || key === 'export');
    // Only a sample reveals a scale factor.
    const steps = energy.map((register) =>
      register.scaleFactor === null ? resolutionWh(register, nearWh) : (this.#stepWh ?? 1n),
    );
    return largest(steps);
  }

  notes(): readonly string[] {
    return this.#limiter.notes();
  }

  leastPeriod(): LeastPeriod | null {
    const { bus, unit } = this.#options;
    const own = bus.polls.get(unit);
    const health = bus.units.get(unit);
    const energy = this.#plan.filter(({ request }) => request.billing);
    // A meter with its own connection delays no other meter, and its replies carry a transaction id.
    if (!bus.isShared || !own || !health || energy.length === 0) return null;
    return leastPeriod({
      lineMs: [...bus.polls.values()].reduce((sum, { lineMs }) => sum + lineMs, 0),
      longestMs: own.longestMs,
      timeoutMs: health.estimate.timeoutMs(),
      quarantineMs: bus.quarantine.quarantineMs(unit),
      lengths: Math.min(...energy.map(({ variants }) => variants.length)),
    });
  }

  /** Plans again with the turnaround that this meter shows. */
  #measure(): void {
    const { bus, unit } = this.#options;
    if (this.#limiter.hasChanged()) this.#replan();
    const measured = bus.units.get(unit)?.estimate.turnaroundMs;
    if (measured === undefined || measured === null) return;
    const turnaroundUs = Math.max(1, 1_000 * measured);
    if (Math.abs(turnaroundUs - this.#turnaroundUs) <= TURNAROUND_DRIFT * this.#turnaroundUs) return;
    this.#turnaroundUs = turnaroundUs;
    this.#replan();
  }

  #replan(): void {
    const { bus, unit, cost } = this.#options;
    this.#plan = planOf(this.#limiter.map(), { ...cost, turnaroundUs: this.#turnaroundUs });
    const costsMs = this.#plan.map(({ request }) => request.costUs / 1_000);
    bus.polls.set(unit, { lineMs: costsMs.reduce((sum, ms) => sum + ms, 0), longestMs: Math.max(0, ...costsMs) });
  }
}

const isHeld = (blocks: readonly Block[], register: Register) => blocks.some((block) => holds(block, register));

function largest(steps: readonly bigint[]): bigint {
  let most = 1n;
  for (const step of steps) if (step > most) most = step;
  return most;
}
