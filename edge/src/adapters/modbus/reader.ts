import { type MeterReader, type MeterSample, ReadError, ReadFailure, type ReadingClock } from '../../ports.js';
import type { Bus } from './bus.js';
import type { MeterProfile } from './profiles.js';

/** An energy register above this many kWh is no reading: 2^24 Wh x 2^10, far beyond what a home's meter counts. */
const MOST_KWH = 16_777_216;

/**
 * Reads one meter by its profile: energy in one request (import and export of one instant), then the values beside it.
 * The second request may fail without harm: then those values are not available.
 */
export class ModbusMeterReader implements MeterReader {
  readonly #bus: Bus;
  readonly #unit: number;
  readonly #profile: MeterProfile;
  readonly #clock: ReadingClock;

  constructor(bus: Bus, unit: number, profile: MeterProfile, clock: ReadingClock) {
    this.#bus = bus;
    this.#unit = unit;
    this.#profile = profile;
    this.#clock = clock;
  }

  async read(): Promise<MeterSample> {
    const { importAddress, exportAddress, valuesLength } = this.#profile;
    const first = Math.min(importAddress, exportAddress);
    const count = Math.abs(importAddress - exportAddress) + 2;
    const energy = await this.#bus.read(this.#unit, 4, first, count);
    const timeMs = this.#clock.nowMs();
    const uncertaintyMs = this.#clock.uncertaintyMs();
    const importWh = wattHours(energy, importAddress - first, 'import');
    const exportWh = wattHours(energy, exportAddress - first, 'export');
    let values: Uint8Array | null = null;
    try {
      values = await this.#bus.read(this.#unit, 4, 0, valuesLength);
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
    }
    const raw = Buffer.concat([frame(this.#unit, energy), values ? frame(this.#unit, values) : new Uint8Array(0)]);
    return { timeMs, uncertaintyMs, importWh, exportWh, ...this.#beside(values), raw };
  }

  #beside(values: Uint8Array | null): Pick<MeterSample, 'powerW' | 'voltageDv' | 'frequencyChz'> {
    const { powerAddress, voltageAddress, frequencyAddress } = this.#profile;
    const within = (value: number, low: number, high: number) =>
      value >= low && value <= high ? Math.round(value) : null;
    const at = (address: number) => (values ? float32(values, address) : Number.NaN);
    return {
      powerW: within(at(powerAddress), -0x7fff_ffff, 0x7fff_ffff),
      voltageDv: within(at(voltageAddress) * 10, 0, 0xfffe),
      frequencyChz: within(at(frequencyAddress) * 100, 0, 0xfffe),
    };
  }
}

function float32(data: Uint8Array, register: number): number {
  return new DataView(data.buffer, data.byteOffset, data.byteLength).getFloat32(2 * register);
}

/** The only place where a register's float becomes an integer: rounded once to the nearest Wh. */
function wattHours(data: Uint8Array, register: number, name: string): bigint {
  const kwh = float32(data, register);
  if (!(kwh >= 0 && kwh <= MOST_KWH)) {
    throw new ReadError(ReadFailure.badReply, `the ${name} register reads ${kwh} kWh, which is no meter reading`);
  }
  return BigInt(Math.round(kwh * 1000));
}

/** The reply as it stood on the line: unit, function, byte count, data, CRC (Modbus over serial line, section 2.5). */
function frame(unit: number, data: Uint8Array): Uint8Array {
  const bytes = Uint8Array.of(unit, 4, data.length, ...data, 0, 0);
  let crc = 0xffff;
  for (const byte of bytes.subarray(0, -2)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
  }
  bytes[bytes.length - 2] = crc & 0xff;
  bytes[bytes.length - 1] = crc >>> 8;
  return bytes;
}
