import { type Clock, type ReadingClock, sleep } from '@gridtokenx/runtime/core';
import type { Bus, ReadOptions, ReadVariant } from '../../domain/bus/bus.js';
import type { LeastPeriod } from '../../domain/metering/period.js';
import { type MeterReader, type MeterSample, ReadError, ReadFailure } from '../../domain/ports.js';
import { leastPeriod } from '../../planner/period.js';
import { type LineCost, planReads, type ReadRequest } from '../../planner/plan.js';
import { variantsOf } from '../../planner/variants.js';
import { billingRegisters, polledRegisters } from '../../planner/wanted.js';
import type { Bills, RegisterMap } from '../../profiles/profile.js';
import { type Block, billingFault, decodeSample, resolutionWh } from '../../profiles/sample.js';

export interface ReaderOptions {
  readonly bus: Bus;
  readonly unit: number;
  /** Registers of a parsed profile, or of a device that listed them itself. */
  readonly profile: RegisterMap;
  /** What must come of each poll. A register that need not come, and that the map does not have, counts as 0. */
  readonly needs: Bills;
  readonly readingClock: ReadingClock;
  readonly clock: Clock;
  readonly periodMs: number;
  /** What a read costs on this line, turnaround as it is before it was measured. */
  readonly cost: LineCost;
}

/** A reader that knows what its meter and its line can do. */
export interface LineReader extends MeterReader {
  /** Smallest step of the energy registers near a reading, Wh. */
  stepWh(nearWh: bigint): bigint;
  /** The shortest period at which the meter can be polled here, real ms; null where nothing limits it. */
  leastPeriod(): LeastPeriod | null;
}

interface Planned {
  readonly request: ReadRequest;
  /** The request, and other lengths that can stand in for it. */
  readonly variants: readonly ReadVariant[];
}

/** A plan is made anew when the measured turnaround is away from the planned one by more than this part of it. */
const TURNAROUND_DRIFT = 0.5;

/**
 * Reads one meter by its profile: energy first, in one request where the meter allows it (import and export of one
 * instant), then the values beside it, which may fail without harm. What does not come is asked for once more, with
 * another length.
 */
export class ProfileReader implements LineReader {
  readonly #options: ReaderOptions;
  readonly #readOptions: ReadOptions;
  #turnaroundUs: number;
  #plan: readonly Planned[] = [];
  /** One request of a poll may be repeated beside the energy's. */
  #mayRepeat = true;
  /** Step of the last sample, where a scale factor of the meter's own decides it. */
  #stepWh: bigint | null = null;

  constructor(options: ReaderOptions) {
    this.#options = options;
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
    let time: { timeMs: number; uncertaintyMs: number | null } | null = null;
    for (const [i, planned] of this.#plan.entries()) {
      if (i > 0) await this.#rest();
      if (i > 0 && planned.request.billing) await this.#untilFree(planned, endAtMs);
      try {
        const { address, data, frame } = await this.#ask(planned, endAtMs);
        blocks.push({ function: planned.request.function, address, data });
        frames.push(frame);
        if (planned.request.billing)
          time = { timeMs: readingClock.nowMs(), uncertaintyMs: readingClock.uncertaintyMs() };
      } catch (error) {
        if (!(error instanceof ReadError) || planned.request.billing) throw error;
        if (error.failure === ReadFailure.secondMaster) throw error;
      }
    }
    return this.#sampleOf(blocks, time, frames);
  }

  #sampleOf(
    blocks: readonly Block[],
    time: { timeMs: number; uncertaintyMs: number | null } | null,
    frames: readonly Uint8Array[],
  ): MeterSample {
    const { profile, needs } = this.#options;
    const sample = decodeSample(profile, blocks);
    const fault = billingFault(sample);
    const has = (key: 'import' | 'export') => profile.registers.some((register) => register.key === key);
    const importWh = !needs.import && !has('import') ? 0n : sample.importWh;
    const exportWh = !needs.export && !has('export') ? 0n : sample.exportWh;
    if (!time || fault !== null || importWh === null || exportWh === null)
      throw new ReadError(ReadFailure.badReply, fault ?? 'the meter gives no energy');
    this.#stepWh = sample.resolutionWh;
    const { powerW, voltageDv, frequencyChz, rolloverWh } = sample;
    const raw = Buffer.concat(frames);
    return { ...time, importWh, exportWh, powerW, voltageDv, frequencyChz, raw, rolloverWh };
  }

  /** Asks for energy once more when it does not come in time; for other values so only where the poll's time allows it. */
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

  /** The second half of the energy is waited for within the poll: without it the first half is worth nothing. */
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

  /** The rest that the meter needs between two requests. */
  async #rest(): Promise<void> {
    const { clock, profile } = this.#options;
    const { pauseMs } = profile.limits;
    if (pauseMs > 0) await sleep(clock, pauseMs);
  }

  stepWh(nearWh: bigint): bigint {
    const energy = this.#options.profile.registers.filter(({ key }) => key === 'import' || key === 'export');
    // A scale factor is only known from a sample.
    const steps = energy.map((register) =>
      register.scaleFactor === null ? resolutionWh(register, nearWh) : (this.#stepWh ?? 1n),
    );
    return largest(steps);
  }

  leastPeriod(): LeastPeriod | null {
    const { bus, unit } = this.#options;
    const own = bus.polls.get(unit);
    const health = bus.units.get(unit);
    const energy = this.#plan.filter(({ request }) => request.billing);
    // On a connection of its own a meter holds up nobody, and its answers carry a number.
    if (!bus.isShared || !own || !health || energy.length === 0) return null;
    return leastPeriod({
      lineMs: [...bus.polls.values()].reduce((sum, { lineMs }) => sum + lineMs, 0),
      longestMs: own.longestMs,
      timeoutMs: health.estimate.timeoutMs(),
      quarantineMs: bus.quarantine.quarantineMs(unit),
      lengths: Math.min(...energy.map(({ variants }) => variants.length)),
    });
  }

  /** Plans with the turnaround that this meter has. */
  #measure(): void {
    const { bus, unit } = this.#options;
    const measured = bus.units.get(unit)?.estimate.turnaroundMs;
    if (measured === undefined || measured === null) return;
    const turnaroundUs = Math.max(1, 1_000 * measured);
    if (Math.abs(turnaroundUs - this.#turnaroundUs) <= TURNAROUND_DRIFT * this.#turnaroundUs) return;
    this.#turnaroundUs = turnaroundUs;
    this.#replan();
  }

  #replan(): void {
    const { bus, unit, profile, cost } = this.#options;
    this.#plan = planOf(profile, { ...cost, turnaroundUs: this.#turnaroundUs });
    const costsMs = this.#plan.map(({ request }) => request.costUs / 1_000);
    bus.polls.set(unit, { lineMs: costsMs.reduce((sum, ms) => sum + ms, 0), longestMs: Math.max(0, ...costsMs) });
  }
}

function largest(steps: readonly bigint[]): bigint {
  let most = 1n;
  for (const step of steps) if (step > most) most = step;
  return most;
}

/** Lengths that hold all of a request beside its own: with two of them polls need no others, unless answers are late. */
const WHOLE_VARIANTS = 3;

/**
 * The requests of a poll with what can stand in for each: first what holds all of it, so that no poll misses a value only
 * because lengths take turns; then, for energy, what holds that alone.
 */
function planOf(profile: RegisterMap, cost: LineCost): Planned[] {
  const billing = billingRegisters(profile).filter(({ key }) => key !== 'total');
  const plan = planReads(polledRegisters(profile), profile.limits, cost).map((request) => {
    const whole = variantsOf(request, profile, cost, request.billing ? { most: WHOLE_VARIANTS } : {});
    const cover = billing.filter((register) => request.registers.includes(register));
    const energy = request.billing ? variantsOf(request, profile, cost, { cover }) : [];
    const others = [...whole, ...energy.filter(({ count }) => !whole.some((other) => other.count === count))];
    return { request, variants: [request, ...others].map(({ address, count }) => ({ address, count })) };
  });
  return spread(plan);
}

/**
 * Import and export that can each be asked for by one and the same length only: after each other the second would wait for
 * a whole quarantine (no shape twice in a row), after a read of another length for a time-out.
 */
function spread(plan: readonly Planned[]): Planned[] {
  const [first, second] = plan;
  const shapeOf = (request: ReadRequest, count: number) => `${request.function} ${count}`;
  const shapes = ({ request, variants }: Planned) => variants.map(({ count }) => shapeOf(request, count));
  if (!first || !second?.request.billing) return [...plan];
  const all = new Set([...shapes(first), ...shapes(second)]);
  if (all.size > 1) return [...plan];
  const between = plan.findIndex((one) => !one.request.billing && shapes(one).some((shape) => !all.has(shape)));
  if (between < 0) return [...plan];
  return [first, plan[between] as Planned, ...plan.filter((one, i) => i > 0 && i !== between && one !== first)];
}
