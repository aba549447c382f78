import { ClockSource } from '@gridtokenx/runtime/core';
import type { Random } from '@gridtokenx/testing-kit/random';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { ProfileReader } from '#edge/adapters/modbus/reader.js';
import type { Bus } from '#edge/domain/bus/bus.js';
import { serialSpeed } from '#edge/domain/bus/line.js';
import { ReplyQuarantine, USUAL_RULES } from '#edge/domain/bus/reply-quarantine.js';
import type { MeterSample } from '#edge/domain/ports.js';
import { charTimeUs } from '#edge/planner/plan.js';
import { parseProfile } from '#edge/profiles/parse.js';
import type { ModbusProfile } from '#edge/profiles/profile.js';
import type { FaultRates } from '../misattribution/faults.js';
import { rtuBus } from '../rtu-bus.js';
import { energyWh, MeterLine } from './line.js';

/** Assumed turnaround of a meter before the first measurement, in µs. */
const TURNAROUND_US = 50_000;

/**
 * Returns a meter's profile: energy in registers 0 to 3. In polls of three requests it adds power and voltage, too far
 * away for the same read. `lengths`: number of different read lengths that return the energy.
 */
export function profileOf(requests: 1 | 3, lengths: number): ModbusProfile {
  const others =
    requests === 1
      ? ''
      : `  power: { function: 3, address: 1000, type: i16, unit: W, source: made up }
  voltage: { function: 3, address: 2000, type: u16, unit: V, source: made up }
`;
  const around = [0, 1_000, 2_000].slice(0, requests).map((first) => {
    const least = first === 0 ? 4 : 1;
    return `    - { function: 3, first: ${first}, last: ${first + least + lengths - 2}, source: made up }`;
  });
  const text = `id: made-up
protocol: modbus
manufacturer: none
models: [none]
confidence: { level: simulator, against: the availability campaign }
serial: { baud: 9600, parity: none, stop_bits: 1, assumed: true }
limits:
  max_registers: 60
  source: made up
  readable:
${around.join('\n')}
registers:
  import: { function: 3, address: 0, type: u32, unit: Wh, source: made up }
  export: { function: 3, address: 2, type: u32, unit: Wh, source: made up }
${others}probe:
  - { register: import, min: 0, max: 1 }
`;
  return parseProfile(text, 'made-up.yaml') as ModbusProfile;
}

export interface RigOptions {
  readonly random: Random;
  readonly rates: Pick<FaultRates, 'late' | 'lateTimeouts' | 'drop'>;
  readonly baud: number;
  /** Time-out before the first measurement, and minimum time-out, ms. */
  readonly requestMs: number;
  readonly minTimeoutMs: number;
  readonly figures: Record<string, number>;
}

/** One bus of simulated meters, with the gateway's own readers, planner and bus on a virtual clock. */
export class Fixture {
  readonly clock = new VirtualClock({ startAtMs: 0 });
  readonly line: MeterLine;
  readonly bus: Bus;
  readonly #options: RigOptions;

  constructor(options: RigOptions) {
    this.#options = options;
    const { random, rates, baud, requestMs, minTimeoutMs, figures } = options;
    const speed = serialSpeed(baud, 'none', 1);
    const timeoutMs = (unit: number, count: number) =>
      (this.bus.units.get(unit)?.estimate.timeoutMs() ?? requestMs) + (5 + 2 * count) * speed.charMs;
    this.line = new MeterLine({ clock: this.clock, random, rates, charMs: speed.charMs, timeoutMs, figures });
    this.bus = rtuBus({
      ...{ random, speed, requestMs, minTimeoutMs },
      quarantine: new ReplyQuarantine(USUAL_RULES),
      open: async () => this.line,
      clock: this.clock,
      restMs: 0,
    });
  }

  reader(unit: number, profile: ModbusProfile, periodMs: number): ProfileReader {
    const { clock, bus } = this;
    const reading = {
      nowMs: () => clock.nowMs(),
      steadyMs: () => clock.monotonicMs(),
      source: () => ClockSource.simulated,
      uncertaintyMs: () => 1,
      realDelayUntil: (timeMs: number) => Math.max(0, timeMs - clock.nowMs()),
      realTimeOf: (timeMs: number) => timeMs,
    };
    const cost = {
      charTimeUs: charTimeUs(this.#options.baud, 'none', 1),
      turnaroundUs: TURNAROUND_US,
      pauseUs: 0,
      transport: 'rtu',
    } as const;
    return new ProfileReader({
      bus,
      unit,
      profile,
      needs: profile.bills,
      readingClock: reading,
      clock: clock,
      periodMs,
      cost,
    });
  }

  /** Returns true when a sample is an answer that the meter gave after its `before`th. */
  isTrue(unit: number, { importWh, exportWh }: MeterSample, before: number): boolean {
    const serial = Number(importWh) - energyWh(unit, 0).importWh;
    const right = energyWh(unit, serial);
    return serial > before && serial <= this.line.serial(unit) && Number(exportWh) === right.exportWh;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.clock.after(ms, resolve));
  }
}
