import type { Bus, Choice } from '../../domain/bus/bus.js';
import { type LineCost, planReads, type ReadRequest } from '../../planner/plan.js';
import { variants } from '../../planner/variants.js';
import { billingRegisters, polledRegisters } from '../../planner/wanted.js';
import {
  type MeterReader,
  type MeterSample,
  ReadError,
  ReadFailure,
  type ReadingClock,
  type RealTime,
} from '../../ports.js';
import type { ModbusProfile } from '../../profiles/profile.js';
import { type Block, billingFault, decodeSample } from '../../profiles/sample.js';

export interface ReaderOptions {
  readonly bus: Bus;
  readonly unit: number;
  /** One that bills both directions. */
  readonly profile: ModbusProfile;
  readonly clock: ReadingClock;
  readonly real: RealTime;
  readonly periodMs: number;
  /** What a read costs on this line, turnaround as it is before it was measured. */
  readonly cost: LineCost;
}

interface Planned {
  readonly request: ReadRequest;
  /** The request, and other lengths that can stand in for it. */
  readonly choices: readonly Choice[];
}

/** A plan is made anew when the measured turnaround is away from the planned one by more than this part of it. */
const TURNAROUND_DRIFT = 0.5;

/**
 * Reads one meter by its profile: energy first, in one request where the meter allows it (import and export of one
 * instant), then the values beside it, which may fail without harm. What does not come is asked for once more, with
 * another length.
 */
export class ProfileReader implements MeterReader {
  readonly #o: ReaderOptions;
  #turnaroundUs: number;
  #plan: readonly Planned[];
  /** One request of a poll may be repeated beside the energy's. */
  #mayRepeat = true;

  constructor(options: ReaderOptions) {
    this.#o = options;
    this.#turnaroundUs = options.cost.turnaroundUs;
    this.#plan = planOf(options.profile, options.cost);
  }

  async read(): Promise<MeterSample> {
    const { profile, clock, real } = this.#o;
    this.#measure();
    const endMs = real.monotonicMs() + this.#o.periodMs;
    this.#mayRepeat = true;
    const blocks: Block[] = [];
    const frames: Uint8Array[] = [];
    let time: { timeMs: number; uncertaintyMs: number | null } | null = null;
    for (const [i, planned] of this.#plan.entries()) {
      if (i > 0 && profile.limits.pauseMs > 0) await pause(real, profile.limits.pauseMs);
      try {
        const { address, data, frame } = await this.#ask(planned, endMs);
        blocks.push({ function: planned.request.function, address, data });
        frames.push(frame);
        if (planned.request.billing) time = { timeMs: clock.nowMs(), uncertaintyMs: clock.uncertaintyMs() };
      } catch (error) {
        if (!(error instanceof ReadError) || planned.request.billing) throw error;
        if (error.failure === ReadFailure.foreignMaster) throw error;
      }
    }
    const sample = decodeSample(profile, blocks);
    const fault = billingFault(sample);
    const { importWh, exportWh, powerW, voltageDv, frequencyChz } = sample;
    if (!time || fault !== null || importWh === null || exportWh === null)
      throw new ReadError(ReadFailure.badReply, fault ?? 'the meter gives no energy');
    return { ...time, importWh, exportWh, powerW, voltageDv, frequencyChz, raw: Buffer.concat(frames) };
  }

  /** Asks for energy once more when it does not come in time; for other values so only where the poll's time allows it. */
  async #ask({ request, choices }: Planned, endMs: number) {
    const { bus, unit, periodMs, real } = this.#o;
    const read = () => bus.read(unit, request.function, choices, { periodMs });
    try {
      return await read();
    } catch (error) {
      const isWorth = error instanceof ReadError && error.failure === ReadFailure.timeout;
      const health = bus.units.get(unit);
      if (!isWorth || !health || health.silentSinceMs !== null) throw error;
      const leftMs = endMs - real.monotonicMs() - this.#lineMs;
      if (!request.billing && (!this.#mayRepeat || leftMs < health.estimate.timeoutMs())) throw error;
      this.#mayRepeat = false;
      return read();
    }
  }

  /** Line time of all requests of a poll, ms. */
  get #lineMs(): number {
    return this.#plan.reduce((sum, { request }) => sum + request.costUs, 0) / 1_000;
  }

  /** Plans with the turnaround that this meter has. */
  #measure(): void {
    const { bus, unit, profile, cost } = this.#o;
    const measured = bus.units.get(unit)?.estimate.turnaroundMs;
    if (measured === undefined || measured === null) return;
    const turnaroundUs = Math.max(1, 1_000 * measured);
    if (Math.abs(turnaroundUs - this.#turnaroundUs) <= TURNAROUND_DRIFT * this.#turnaroundUs) return;
    this.#turnaroundUs = turnaroundUs;
    this.#plan = planOf(profile, { ...cost, turnaroundUs });
  }
}

function planOf(profile: ModbusProfile, cost: LineCost): Planned[] {
  const billing = billingRegisters(profile).filter(({ key }) => key !== 'total');
  return planReads(polledRegisters(profile), profile.limits, cost).map((request) => {
    const cover = request.billing
      ? billing.filter((register) => request.registers.includes(register))
      : request.registers;
    const others = variants(request, profile, cost, { cover });
    return { request, choices: [request, ...others].map(({ address, count }) => ({ address, count })) };
  });
}

const pause = (real: RealTime, ms: number) => new Promise<void>((resolve) => void real.schedule(ms, resolve));
