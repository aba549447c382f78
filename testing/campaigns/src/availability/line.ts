import type { Random } from '@gridtokenx/testing-kit/random';
import type { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { withCrc } from '#edge/domain/bus/crc.js';
import type { Line } from '#edge/domain/bus/ports.js';
import type { FaultRates } from '../misattribution/faults.js';

export interface MeterLineOptions {
  readonly clock: VirtualClock;
  readonly random: Random;
  /** Late and dropped answers; the misattribution campaign plays the other faults. */
  readonly rates: Pick<FaultRates, 'late' | 'lateTimeouts' | 'drop'>;
  /** Milliseconds for a character. */
  readonly charMs: number;
  /**
   * Returns the time-out in force for a unit, in ms, the answer's characters included: lateness is stated in time-outs.
   */
  readonly timeoutMs: (unit: number, count: number) => number;
  readonly figures: Record<string, number>;
}

/** Returns the energy of a meter at its `serial`th answer, in Wh: no two answers of a meter are alike. */
export const energyWh = (unit: number, serial: number) => ({
  importWh: unit * 1_000_000 + serial,
  exportWh: unit * 1_000_000 + 500_000_000 + serial,
});

/** From a request's last character to its answer's first, ms. */
const TURNAROUND_MS = [8, 30] as const;
const NOTHING = new Uint8Array(0);

/**
 * A serial line of meters on a virtual clock. Each meter holds its energy in registers 0 to 3 (32 bits each, Wh); all
 * other registers are 0. Simultaneous answers mix on the line, as on a real line.
 */
export class MeterLine implements Line {
  readonly #options: MeterLineOptions;
  readonly #serials = new Map<number, number>();
  /** Meters without power. */
  readonly dead = new Set<number>();
  #input: number[] = [];

  constructor(options: MeterLineOptions) {
    this.#options = options;
  }

  /** Returns the number of requests to a meter: its energy follows from that number. */
  serial(unit: number): number {
    return this.#serials.get(unit) ?? 0;
  }

  async write(request: Uint8Array): Promise<void> {
    const { random, rates, charMs, timeoutMs, figures } = this.#options;
    const [unit, fn, high, low, , count] = request as unknown as [number, number, number, number, number, number];
    if (this.dead.has(unit)) return;
    const serial = this.serial(unit) + 1;
    this.#serials.set(unit, serial);
    const first = high * 256 + low;
    const { importWh, exportWh } = energyWh(unit, serial);
    const energy = [importWh >>> 16, importWh & 0xffff, exportWh >>> 16, exportWh & 0xffff];
    const data = new Uint8Array(2 * count);
    for (let i = 0; i < count; i++) {
      const value = energy[first + i] ?? 0;
      data.set([value >> 8, value & 0xff], 2 * i);
    }
    if (random.chance(rates.drop)) {
      figures.dropped = (figures.dropped ?? 0) + 1;
      return;
    }
    let delayMs = request.length * charMs + random.int(...TURNAROUND_MS);
    if (random.chance(rates.late)) {
      figures.late = (figures.late ?? 0) + 1;
      delayMs = request.length * charMs + timeoutMs(unit, count) * (1 + random.fraction() * (rates.lateTimeouts - 1));
    }
    this.#say(withCrc(Uint8Array.of(unit, fn, data.length, ...data)), delayMs);
  }

  /** Puts an answer on the line in two halves, as an adapter delivers bytes. */
  #say(bytes: Uint8Array, delayMs: number): void {
    const { random, charMs, clock } = this.#options;
    const middle = random.int(1, bytes.length - 1);
    for (const [from, to] of [
      [0, middle],
      [middle, bytes.length],
    ] as const) {
      clock.after(delayMs + to * charMs, () => void this.#input.push(...bytes.subarray(from, to)));
    }
  }

  read(): Uint8Array {
    if (this.#input.length === 0) return NOTHING;
    const bytes = Uint8Array.from(this.#input);
    this.#input = [];
    return bytes;
  }

  /** A serial line announces nothing: the bus polls it by the clock. */
  onArrival(): void {}

  async close(): Promise<void> {}
}
