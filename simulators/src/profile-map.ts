import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OperatorError } from '@gridtokenx/runtime/core';
import { loadConfig } from '@gridtokenx/runtime/node';
import { z } from 'zod';
import type { LineSettings } from './line/meter-line.js';
import { ModbusException, type ModbusUnit } from './modbus-frames.js';
import type { MeterValues } from './models.js';

/** Directory of the profiles of real meters' register maps, by which a simulated meter can answer. */
export const meterProfilesPath = fileURLToPath(new URL('../../edge/profiles', import.meta.url));

/** Reports a profile that a simulated meter cannot answer by: `FILE:LINE: key: what is wrong; what to do`. */
export class MeterMapError extends OperatorError {
  override readonly name = 'MeterMapError';
}

const NUMBER_REGISTERS = { u16: 1, i16: 1, u32: 2, i32: 2, u64: 4, i64: 4, f32: 2, f64: 4 } as const;
const KEYS = [
  'import',
  'export',
  'total',
  'power',
  'power_export',
  'voltage',
  'frequency',
  'serial',
  'firmware',
  'model',
  'voltage_l2',
  'voltage_l3',
  'current_l1',
  'current_l2',
  'current_l3',
  'reactive_import',
  'reactive_export',
  'reactive_power',
  'power_factor',
  'temperature',
] as const;
type Key = (typeof KEYS)[number];

const order = z.enum(['big', 'little']).default('big');
const registerSchema = z.object({
  function: z.union([z.literal(3), z.literal(4)]),
  address: z.int(),
  type: z.enum([...(Object.keys(NUMBER_REGISTERS) as (keyof typeof NUMBER_REGISTERS)[]), 'text']),
  registers: z.int().optional(),
  words: order,
  bytes: order,
  unit: z.string(),
  scale: z.string().default('1'),
  positive: z.enum(['import', 'export']).default('import'),
});
const rangeSchema = z.object({ function: z.int(), first: z.int(), last: z.int() });
/** Parsed first: another protocol has other keys, and its missing keys would hide the real fault. */
const protocolSchema = z.object({
  protocol: z.literal('modbus', {
    error: 'only profiles with registers of their own (protocol modbus) can be simulated',
  }),
});
/** The part of a profile file that a simulated meter needs; the gateway checks all of it. */
const mapSchema = z.object({
  serial: z.object({
    baud: z.int(),
    parity: z.enum(['none', 'even', 'odd']),
    stop_bits: z.union([z.literal(1), z.literal(2)]),
  }),
  limits: z.object({
    max_registers: z.int(),
    align: z.int().default(1),
    readable: z.array(rangeSchema).default([]),
    forbidden: z.array(rangeSchema).default([]),
  }),
  registers: z.partialRecord(z.enum(KEYS), registerSchema),
  probe: z.array(z.object({ register: z.string(), values: z.array(z.union([z.string(), z.number()])).optional() })),
});
type Limits = z.output<typeof mapSchema>['limits'];
type RegisterText = z.output<typeof registerSchema>;

/** A meter's register map. */
export interface MeterMap {
  readonly profile: string;
  /** Settings of a new meter. */
  readonly settings: LineSettings;
  /** Builds the registers of one such meter. Stores `serial` where the map has a place for it. */
  unit(serial: number, values: () => MeterValues): ModbusUnit;
}

/** Lists the ids of the profiles that a simulated meter can answer by. */
export function meterMapIds(directory: string = meterProfilesPath): string[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.yaml') && !name.startsWith('sunspec-'))
    .map((name) => name.slice(0, -'.yaml'.length))
    .sort();
}

/** Loads the map of a profile by its id. Throws `MeterMapError`. */
export function loadMeterMap(profile: string, directory: string = meterProfilesPath): MeterMap {
  const file = join(directory, `${profile}.yaml`);
  const { serial, limits, registers, probe } = readMap(file);
  const named = probe.find(({ register, values }) => register === 'model' && values)?.values?.[0];
  const entries = KEYS.flatMap((key) => {
    const register = registers[key];
    return register ? [{ key, register, length: lengthOf(register) }] : [];
  });
  const hasPowerOut = registers.power_export !== undefined;
  return {
    profile,
    settings: { baud: serial.baud, parity: serial.parity, stopBits: serial.stop_bits },
    unit: (number, values) => ({
      read(fn, address, count) {
        if (!mayRead(limits, entries, { fn, address, count })) return ModbusException.illegalAddress;
        // Latched once for each request: all registers of an answer belong to one instant.
        const now = values();
        const words = new Uint16Array(count);
        for (const { key, register, length } of entries) {
          const isAsked = register.address < address + count && register.address + length > address;
          if (register.function !== fn || !isAsked) continue;
          const content = contentOf(key, register, now, { serial: number, model: named, hasPowerOut });
          for (const [i, word] of encode(key, register, length, content).entries()) {
            const at = register.address + i - address;
            if (at >= 0 && at < count) words[at] = word;
          }
        }
        return words;
      },
    }),
  };
}

function readMap(file: string): z.output<typeof mapSchema> {
  try {
    loadConfig(file, protocolSchema);
    return loadConfig(file, mapSchema);
  } catch (cause) {
    if (!(cause instanceof OperatorError)) throw cause;
    const { code, line, key, problem, advice } = cause;
    throw new MeterMapError({ code, file, line: line ?? undefined, key: key ?? undefined, problem, advice }, { cause });
  }
}

interface Entry {
  readonly key: Key;
  readonly register: RegisterText;
  readonly length: number;
}

interface Asked {
  readonly fn: number;
  readonly address: number;
  readonly count: number;
}

/** Returns true for a read that the profile allows. */
function mayRead(limits: Limits, entries: readonly Entry[], { fn, address, count }: Asked): boolean {
  const { max_registers: most, align, readable, forbidden } = limits;
  if (count > most || address % align !== 0 || count % align !== 0) return false;
  const within = (at: number, ranges: Limits['readable']) =>
    ranges.some((range) => range.function === fn && at >= range.first && at <= range.last);
  const isRegister = (at: number) =>
    entries.some(({ register: r, length }) => r.function === fn && at >= r.address && at < r.address + length);
  for (let at = address; at < address + count; at++) {
    if (within(at, forbidden) || !(within(at, readable) || isRegister(at))) return false;
  }
  return true;
}

const lengthOf = ({ type, registers }: RegisterText): number =>
  type === 'text' ? (registers ?? 1) : NUMBER_REGISTERS[type];

/** Temperature that every simulated meter shows, degrees Celsius. */
const TEMPERATURE_C = 25;

type Content = bigint | number | string;

interface Identity {
  readonly serial: number;
  readonly model: string | number | undefined;
  /** True when each direction has its own power register. */
  readonly hasPowerOut: boolean;
}

/** Returns the content of a register: Wh, W, V, Hz, or text of the nameplate. */
function contentOf(key: Key, register: RegisterText, values: MeterValues, identity: Identity): Content {
  const power = register.positive === 'export' ? -values.powerW : values.powerW;
  switch (key) {
    case 'import':
      return values.importWh;
    case 'export':
      return values.exportWh;
    case 'total':
      return values.importWh + values.exportWh;
    case 'power':
      if (identity.hasPowerOut) return Math.max(0, power);
      // An unsigned register shows the amount of the flow, in either direction.
      return register.type.startsWith('u') ? Math.abs(power) : power;
    case 'power_export':
      return Math.max(0, -values.powerW);
    case 'voltage':
    case 'voltage_l2':
    case 'voltage_l3':
      return values.voltageV;
    case 'current_l1':
      return Math.abs(values.powerW) / values.voltageV;
    // All power flows through phase L1, and none of it is reactive.
    case 'current_l2':
    case 'current_l3':
    case 'reactive_import':
    case 'reactive_export':
    case 'reactive_power':
      return 0;
    case 'power_factor':
      return 1;
    case 'temperature':
      return TEMPERATURE_C;
    case 'frequency':
      return values.frequencyHz;
    case 'serial':
      return identity.serial;
    case 'firmware':
      return 1;
    case 'model':
      return identity.model ?? 1;
  }
}

/** Encodes the words of a register: the quantity through its unit and scale, in its type and order. */
function encode(key: Key, register: RegisterText, length: number, content: Content): number[] {
  const bytes = new Uint8Array(2 * length);
  const view = new DataView(bytes.buffer);
  const { type, unit, scale } = register;
  if (type === 'text') {
    bytes.set(new TextEncoder().encode(String(content)).subarray(0, bytes.length));
  } else {
    const factor = Number(scale) * (unit.startsWith('k') ? 1_000 : 1);
    const raw = Number(content) / factor;
    // A counter shows only whole counted steps; other values are rounded to the nearest.
    const whole = () =>
      BigInt(Math.trunc(key === 'import' || key === 'export' || key === 'total' ? raw + 1e-9 : Math.round(raw)));
    if (type === 'f32') view.setFloat32(0, raw);
    else if (type === 'f64') view.setFloat64(0, raw);
    else {
      let rest = BigInt.asUintN(16 * length, whole());
      for (let at = bytes.length - 1; at >= 0; at--, rest >>= 8n) bytes[at] = Number(rest & 0xffn);
    }
  }
  const words = Array.from({ length }, (_, i) => view.getUint16(2 * i, register.bytes === 'little'));
  return register.words === 'little' ? words.reverse() : words;
}
