import type { CodedValue } from '@gridtokenx/protocol';
import { codedValues } from './more-values.js';
import type { RegisterMap } from './profile.js';
import { ceil, compare, floor, parseDecimal, type Rational, round, times } from './rational.js';
import {
  BILLING_KEYS,
  decodeRaw,
  exponentOf,
  type FunctionCode,
  type RawValue,
  type Register,
  type RegisterKey,
  scaled,
} from './register.js';

/** The data of one reply. */
export interface Block {
  readonly function: FunctionCode;
  readonly address: number;
  /** Two bytes a register, as received. */
  readonly data: Uint8Array;
}

/**
 * `not-read`: in no block as a whole. `not-available`: the meter states it. `out-of-range`: a number that this quantity
 * cannot have. A faulty energy register must not be signed; any other faulty value is omitted.
 */
export interface SampleFault {
  readonly key: RegisterKey;
  readonly billing: boolean;
  readonly what: 'not-read' | 'not-available' | 'out-of-range';
  readonly text: string;
}

/** Values of one poll's blocks. Null: the profile has no such register, or it has a fault. */
export interface DecodedSample {
  readonly importWh: bigint | null;
  readonly exportWh: bigint | null;
  /** Both directions in one sum. It cannot be billed as export, nor as import where anything is exported. */
  readonly totalWh: bigint | null;
  /** Watts, import positive. */
  readonly powerW: number | null;
  /** In 0.1 V. */
  readonly voltageDv: number | null;
  /** In 0.01 Hz. */
  readonly frequencyChz: number | null;
  /** Values that are never billed, by rising code; those that were not read are omitted. */
  readonly more: readonly CodedValue[];
  readonly serial: string | null;
  readonly firmware: string | null;
  readonly model: string | null;
  readonly manufacturer: string | null;
  /** The coarsest step of the energy registers at these values, Wh; null without energy. */
  readonly resolutionWh: bigint | null;
  /** Wh at which each energy register begins at 0 again; null where that is not known. */
  readonly rolloverWh: { readonly importWh: bigint | null; readonly exportWh: bigint | null };
  readonly faults: readonly SampleFault[];
}

/** An energy register above this is no reading: 2^24 kWh, far beyond what a home's meter counts. */
export const MAX_WH = 16_777_216_000n;
const MAX_W = 0x7fff_ffff;
const MAX_U16 = 0xfffe;

type Outcome<T> = { readonly value: T } | { readonly what: SampleFault['what']; readonly text: string };

/**
 * Decodes the values of a register map from the blocks that were read. Throws `RangeError` for a block of half a
 * register.
 */
export function decodeSample(map: RegisterMap, blocks: readonly Block[]): DecodedSample {
  for (const block of blocks) {
    if (block.data.length % 2 !== 0) throw new RangeError(`a block of ${block.data.length} bytes`);
  }
  const faults: SampleFault[] = [];
  const read = <T>(key: RegisterKey, judge: (found: Found) => Outcome<T>): T | null => {
    const register = map.registers.find((one) => one.key === key);
    if (!register) return null;
    const outcome = judgeRegister(register, map, blocks, judge);
    if ('value' in outcome) return outcome.value;
    faults.push({ key, billing: isBilling(key), what: outcome.what, text: outcome.text });
    return null;
  };
  const [importOf, exportOf, totalOf] = BILLING_KEYS.map((key) => read(key, energyOf));
  const power = read('power', integer('W', 1, -MAX_W, MAX_W));
  const out = read('power_export', integer('W', 1, -MAX_W, MAX_W));
  const voltageDv = read('voltage', integer('x 0.1 V', 10, 0, MAX_U16));
  const steps = [importOf, exportOf, totalOf].flatMap((energy) => (energy ? [energy.stepWh] : []));
  return {
    importWh: importOf?.wh ?? null,
    exportWh: exportOf?.wh ?? null,
    totalWh: totalOf?.wh ?? null,
    powerW: powerOf(map, power, out),
    voltageDv,
    frequencyChz: read('frequency', integer('x 0.01 Hz', 100, 0, MAX_U16)),
    more: codedValues(voltageDv, (key, unit, parts) =>
      read(key, integer(`x 1/${parts} ${unit}`, parts, -MAX_W, MAX_W)),
    ),
    serial: read('serial', textOf),
    firmware: read('firmware', textOf),
    model: read('model', textOf),
    manufacturer: read('manufacturer', textOf),
    resolutionWh: steps.length > 0 ? largest(steps) : null,
    rolloverWh: { importWh: importOf?.rolloverWh ?? null, exportWh: exportOf?.rolloverWh ?? null },
    faults,
  };
}

/** Returns the fault that makes a sample unusable; null when its energy is good. */
export function faultOfEnergy(sample: DecodedSample): SampleFault | null {
  return sample.faults.find((fault) => fault.billing) ?? null;
}

/** Returns the fault that makes a sample unusable, in words; null when its energy is good. */
export function billingFault(sample: DecodedSample): string | null {
  return faultOfEnergy(sample)?.text ?? null;
}

interface Found {
  readonly register: Register;
  readonly raw: RawValue;
  /** Exponent of the scale factor; null where the register has none. */
  readonly exponent: number | null;
}

const isBilling = (key: RegisterKey) => (BILLING_KEYS as readonly string[]).includes(key);

function judgeRegister<T>(
  register: Register,
  map: RegisterMap,
  blocks: readonly Block[],
  judge: (found: Found) => Outcome<T>,
): Outcome<T> {
  const block = blocks.find((one) => holds(one, register));
  if (!block) return { what: 'not-read', text: `the ${register.key} register was not read` };
  const raw = decodeRaw(register, cut(block, register));
  if (raw.kind === 'not-available') {
    return { what: 'not-available', text: `the meter says that its ${register.key} register is not available` };
  }
  if (register.scaleFactor === null) return judge({ register, raw, exponent: null });
  const factor = map.registers.find((one) => one.key === register.scaleFactor);
  // Energy and its factor must belong to one instant: a factor that changed in between would change the value tenfold.
  const where = isBilling(register.key) ? [block] : blocks;
  const beside = factor && where.find((one) => holds(one, factor));
  if (!factor || !beside) return { what: 'not-read', text: `the scale factor of ${register.key} was not read with it` };
  const exponent = exponentOf(factor, cut(beside, factor));
  if (exponent === null) return { what: 'not-available', text: `the scale factor of ${register.key} is not available` };
  return judge({ register, raw, exponent });
}

/** Returns true when a block holds the whole register. */
export function holds(block: Block, { function: code, address, length }: Register): boolean {
  const end = block.address + block.data.length / 2;
  return block.function === code && block.address <= address && address + length <= end;
}

function cut(block: Block, { address, length }: Register): Uint8Array {
  const from = 2 * (address - block.address);
  return block.data.subarray(from, from + 2 * length);
}

interface Energy {
  readonly wh: bigint;
  readonly stepWh: bigint;
  readonly rolloverWh: bigint | null;
}

function energyOf({ register, raw, exponent }: Found): Outcome<Energy> {
  if (raw.kind !== 'number') return noNumber(register);
  // The only place where a register becomes Wh: rounded once to the nearest.
  const wh = round(scaled(register, raw.value, exponent));
  const outside = (text: string) => ({ what: 'out-of-range', text: `the ${register.key} register ${text}` }) as const;
  if (raw.value.num < 0n) return outside(`reads ${decimalText(raw.value)}, and energy never falls below 0`);
  if (raw.raw !== null && register.rollover !== null && raw.raw >= register.rollover) {
    return outside(`reads ${raw.raw}, but rolls over at ${register.rollover}`);
  }
  if (wh > MAX_WH) return outside(`reads ${wh} Wh, which is no meter reading`);
  const [stepWh, rollover] = [resolutionWh(register, wh, exponent), rolloverWh(register, exponent)];
  return { value: { wh, stepWh, rolloverWh: rollover } };
}

/** Builds the decoder of a quantity in whole steps of 1/`parts` of its unit, between `low` and `high` steps. */
function integer(unit: string, parts: number, low: number, high: number): (found: Found) => Outcome<number> {
  return ({ register, raw, exponent }) => {
    if (raw.kind !== 'number') return noNumber(register);
    const value = round(times(scaled(register, raw.value, exponent), { num: BigInt(parts), den: 1n }));
    if (value < BigInt(low) || value > BigInt(high)) {
      return { what: 'out-of-range', text: `the ${register.key} register reads ${value} ${unit}` };
    }
    return { value: Number(value) };
  };
}

function noNumber({ key }: Register) {
  return { what: 'out-of-range', text: `the ${key} register reads a text` } as const;
}

function textOf({ register, raw, exponent }: Found): Outcome<string> {
  return {
    value:
      raw.kind === 'text'
        ? raw.value
        : decimalText(raw.kind === 'number' ? scaled(register, raw.value, exponent) : ZERO),
  };
}

const ZERO: Rational = { num: 0n, den: 1n };

/** Formats at most six digits after the point: for people, not for sums. */
function decimalText(value: Rational): string {
  const millionths = round(times(value, { num: 1_000_000n, den: 1n }));
  const sign = millionths < 0n ? '-' : '';
  const size = millionths < 0n ? -millionths : millionths;
  const part = String(size % 1_000_000n)
    .padStart(6, '0')
    .replace(/0+$/, '');
  return `${sign}${size / 1_000_000n}${part === '' ? '' : `.${part}`}`;
}

function powerOf(map: RegisterMap, power: number | null, out: number | null): number | null {
  const find = (key: RegisterKey) => map.registers.find((register) => register.key === key);
  const register = find('power');
  if (power === null || !register) return null;
  const inward = register.positive === 'export' ? 0 - power : power;
  if (!find('power_export')) return inward;
  const net = out === null ? null : inward - out;
  return net !== null && Math.abs(net) <= MAX_W ? net : null;
}

function largest(values: readonly bigint[]): bigint {
  let most = 0n;
  for (const value of values) if (value > most) most = value;
  return most;
}

/** Digits of the significand with the hidden bit (IEEE 754). */
const SIGNIFICAND = { f32: 24, f64: 53 } as const;
/** The smallest exponents of normal numbers: below them steps do not become finer. */
const MIN_EXPONENT = { f32: -126, f64: -1022 } as const;

/**
 * Returns the step in Wh of an energy register at a reading of `atWh`, at least 1. This is the step of its encoding, or
 * the meter's stated step where that is coarser. A float's step grows with its value. `exponent`: that of its scale
 * factor.
 */
export function resolutionWh(register: Register, atWh: bigint, exponent: number | null = null): bigint {
  const unit = scaled(register, { num: 1n, den: 1n }, exponent);
  const float = register.type === 'f32' || register.type === 'f64' ? register.type : null;
  const step = float ? times(floatStep(float, times({ num: atWh, den: 1n }, inverse(unit))), unit) : unit;
  return largest([ceil(step), register.stepWh ?? 1n, 1n]);
}

/** Returns the distance from a value to the next float above it. */
function floatStep(type: 'f32' | 'f64', value: Rational): Rational {
  const power = Math.max(exponentBelow(value), MIN_EXPONENT[type]) - (SIGNIFICAND[type] - 1);
  return power >= 0 ? { num: 1n << BigInt(power), den: 1n } : { num: 1n, den: 1n << BigInt(-power) };
}

/** Returns the largest e with 2^e <= value; the smallest exponent for 0. */
function exponentBelow({ num, den }: Rational): number {
  if (num <= 0n) return MIN_EXPONENT.f64;
  let e = num.toString(2).length - den.toString(2).length;
  const power = e >= 0 ? { num: 1n << BigInt(e), den: 1n } : { num: 1n, den: 1n << BigInt(-e) };
  if (compare({ num, den }, power) < 0) e--;
  return e;
}

const inverse = ({ num, den }: Rational): Rational => ({ num: den, den: num });

/** Reading from which a float32 in kWh no longer shows every watt-hour [gateway §7.2]. */
export const FLOAT32_EXACT_WH = floor(times(parseDecimal('16384'), parseDecimal('1000')));

/** Wh at which a counter begins at 0 again, rounded down so that nothing is ever counted twice; null = not known. */
export function rolloverWh(register: Register, exponent: number | null = null): bigint | null {
  return register.rollover === null ? null : floor(scaled(register, { num: register.rollover, den: 1n }, exponent));
}

/**
 * The register that goes on counting: `previousWh` (unwrapped) and what the meter shows now. A lower reading is a
 * roll-over when at most `mostWh` lies between; else it fell, and null is the answer. All in Wh. Throws `RangeError`.
 */
export function unwrap(previousWh: bigint, readWh: bigint, rollover: bigint, mostWh: bigint): bigint | null {
  if (rollover < 2n || readWh < 0n || readWh > rollover + 1n || previousWh < 0n || mostWh >= rollover) {
    throw new RangeError(`${readWh} after ${previousWh} of a counter to ${rollover}, at most ${mostWh} in between`);
  }
  // A counter in parts of a Wh: its last reading is rounded up, its roll-over down, so they may lie 1 Wh past each
  // other.
  const shown = readWh > rollover ? rollover : readWh;
  const turn = (shown - (previousWh % rollover) + rollover) % rollover;
  return turn <= mostWh ? previousWh + turn : null;
}
