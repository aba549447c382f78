import type { Random } from '@gridtokenx/testing-kit/random';
import type { RegisterMap } from '#edge/profiles/profile.js';
import { type FunctionCode, type NumberType, type Register, TYPE_REGISTERS } from '#edge/profiles/register.js';

/** How a simulated meter encodes its energy. */
export interface Encoding {
  readonly name: string;
  readonly type: 'u32' | 'u64' | 'i32' | 'f32' | 'acc32';
  /** Wh of one count; a float counts kWh. */
  readonly whPerCount: number;
  /** True where a SunSpec scale factor is read with the energy; it may change while the meter runs. */
  readonly hasFactor: boolean;
}

export const ENCODINGS: readonly Encoding[] = [
  { name: 'u32 of 1 Wh', type: 'u32', whPerCount: 1, hasFactor: false },
  { name: 'u32 of 10 Wh', type: 'u32', whPerCount: 10, hasFactor: false },
  { name: 'u32 of 100 Wh', type: 'u32', whPerCount: 100, hasFactor: false },
  { name: 'u64 of 1 Wh', type: 'u64', whPerCount: 1, hasFactor: false },
  { name: 'i32 of 10 Wh', type: 'i32', whPerCount: 10, hasFactor: false },
  { name: 'f32 of kWh', type: 'f32', whPerCount: 1_000, hasFactor: false },
  { name: 'acc32 with a scale factor', type: 'acc32', whPerCount: 1, hasFactor: true },
];

/** Largest energy of a float that shows single watt-hours, Wh; meters begin below it. */
export const MAX_START_WH = 12_000_000;

const FUNCTION: FunctionCode = 3;
const REST = {
  words: 'big',
  bytes: 'big',
  notAvailable: [],
  rollover: null,
  stepWh: null,
  source: 'simulated',
  positive: 'import',
  function: FUNCTION,
} as const;

const fraction = (value: number) =>
  value >= 1 ? { num: BigInt(value), den: 1n } : { num: 1n, den: BigInt(Math.round(1 / value)) };

/** Registers of a meter: energy, the scale factor, power, voltage and frequency, from address 0 on. */
export function mapOf(encoding: Encoding): RegisterMap {
  const registers: Register[] = [];
  let address = 0;
  const add = (key: Register['key'], type: NumberType, scale: number, scaleFactor: Register['scaleFactor'] = null) => {
    const length = TYPE_REGISTERS[type];
    registers.push({ ...REST, key, type, address, length, scale: fraction(scale), scaleFactor });
    address += length;
  };
  const factorAt = 2 * TYPE_REGISTERS[encoding.type];
  const factor = encoding.hasFactor ? (`sf:${factorAt}` as const) : null;
  add('import', encoding.type, encoding.whPerCount, factor);
  add('export', encoding.type, encoding.whPerCount, factor);
  if (factor) add(factor, 'sunssf', 1);
  add('power', 'i32', 1);
  // A meter of floats shows mains as floats, too, so its probe sees the order of the words.
  const mains = encoding.type === 'f32' ? 'f32' : 'u16';
  add('voltage', mains, 0.1);
  add('frequency', mains, 0.01);
  return {
    registers,
    limits: {
      ...{ maxRegisters: 125, align: 1, pauseMs: 0, timeoutMinMs: 20, quarantineMs: 0, forbidden: [] },
      readable: [{ function: FUNCTION, first: 0, last: address - 1 }],
    },
  };
}

/** Values that a meter shows in one read. */
export interface ShownValues {
  readonly importWh: number;
  readonly exportWh: number;
  readonly powerW: number;
  /** Exponent of the scale factor, where there is one. */
  readonly exponent: number;
}

/** Encodes all registers of a read. `isSwapped`: the words of every value lie in the other order. */
export function bytesOf(map: RegisterMap, encoding: Encoding, shown: ShownValues, isSwapped: boolean): Uint8Array {
  const values: Readonly<Record<string, number>> = {
    import: shown.importWh / encoding.whPerCount / 10 ** shown.exponent,
    export: shown.exportWh / encoding.whPerCount / 10 ** shown.exponent,
    power: shown.powerW,
    voltage: 2_301,
    frequency: 5_000,
  };
  const last = map.registers.at(-1);
  const bytes = new Uint8Array(2 * ((last?.address ?? 0) + (last?.length ?? 0)));
  const view = new DataView(bytes.buffer);
  for (const { key, type, address, length } of map.registers) {
    const value = type === 'sunssf' ? shown.exponent : (values[key] ?? 0);
    const at = 2 * address;
    if (type === 'f32') view.setFloat32(at, value);
    else if (length === 1) view.setUint16(at, Math.floor(value) & 0xffff);
    else if (length === 2) view.setUint32(at, Math.floor(value) >>> 0);
    else view.setBigUint64(at, BigInt(Math.floor(value)));
    if (isSwapped) swapWords(bytes.subarray(at, at + 2 * length));
  }
  return bytes;
}

function swapWords(bytes: Uint8Array): void {
  const words = Array.from({ length: bytes.length / 2 }, (_, i) => bytes.slice(2 * i, 2 * i + 2)).reverse();
  for (const [i, word] of words.entries()) bytes.set(word, 2 * i);
}

/** The coarsest step of what a meter shows, Wh. */
export function stepWh(encoding: Encoding, exponent: number): number {
  return encoding.type === 'f32' ? 1 : Math.max(1, encoding.whPerCount * 10 ** exponent);
}

const SEGMENT_MS = 300_000;

/** True energy of a connection: power that changes every five minutes, within the limit. */
export class TrueEnergy {
  readonly #startAtMs: number;
  /** Wh at the begin of each segment, and the power in it, W. */
  readonly #segments: { importWh: number; exportWh: number; powerW: number }[] = [];

  constructor(
    random: Random,
    of: { startAtMs: number; lengthMs: number; limitW: number; importWh: number; exportWh: number },
  ) {
    this.#startAtMs = of.startAtMs;
    let { importWh, exportWh } = of;
    for (let at = 0; at <= of.lengthMs + SEGMENT_MS; at += SEGMENT_MS) {
      const powerW = random.chance(0.1) ? 0 : Math.round((2 * random.fraction() - 1) * of.limitW);
      this.#segments.push({ importWh, exportWh, powerW });
      const wh = (powerW * SEGMENT_MS) / 3_600_000;
      if (wh > 0) importWh += wh;
      else exportWh -= wh;
    }
  }

  at(timeMs: number): { importWh: number; exportWh: number; powerW: number } {
    const sinceMs = Math.max(0, timeMs - this.#startAtMs);
    const index = Math.min(this.#segments.length - 1, Math.floor(sinceMs / SEGMENT_MS));
    const { importWh, exportWh, powerW } = this.#segments[index] ?? { importWh: 0, exportWh: 0, powerW: 0 };
    const wh = (powerW * (sinceMs - index * SEGMENT_MS)) / 3_600_000;
    return { importWh: importWh + Math.max(0, wh), exportWh: exportWh + Math.max(0, -wh), powerW };
  }
}
