import { z } from 'zod';
import { MORE_KEYS, MORE_REGISTER_KEYS, type MoreRegisterKey } from './more-values.js';
import { DECIMAL, ONE, parseDecimal, type Rational, times } from './rational.js';
import { BILLING_KEYS, type FunctionCode, type Register, type RegisterKey, TYPE_REGISTERS } from './register.js';

/** Most registers in one read (Modbus Application Protocol 1.1b3, 6.3 and 6.4). */
export const MODBUS_MOST_REGISTERS = 125;
const TEXT_MOST = 64;

/** Registers of a poll and of the nameplate: a probe may check them. */
const PROBE_KEYS = [
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
] as const satisfies readonly RegisterKey[];
const REGISTER_KEYS = [...PROBE_KEYS, ...MORE_REGISTER_KEYS] as const satisfies readonly RegisterKey[];
export type ProfileKey = (typeof REGISTER_KEYS)[number];

function withUnit(unit: string): MoreRegisterKey[] {
  return MORE_REGISTER_KEYS.filter((key) => MORE_KEYS[key].unit === unit);
}

/** Factor of each unit, and the registers that may carry it. */
const UNITS: Readonly<Record<string, { readonly factor: Rational; readonly of: readonly ProfileKey[] }>> = {
  Wh: { factor: ONE, of: BILLING_KEYS },
  kWh: { factor: parseDecimal('1000'), of: BILLING_KEYS },
  W: { factor: ONE, of: ['power', 'power_export'] },
  kW: { factor: parseDecimal('1000'), of: ['power', 'power_export'] },
  V: { factor: ONE, of: ['voltage', ...withUnit('V')] },
  A: { factor: ONE, of: withUnit('A') },
  mA: { factor: parseDecimal('0.001'), of: withUnit('A') },
  var: { factor: ONE, of: withUnit('var') },
  kvar: { factor: parseDecimal('1000'), of: withUnit('var') },
  varh: { factor: ONE, of: withUnit('varh') },
  kvarh: { factor: parseDecimal('1000'), of: withUnit('varh') },
  C: { factor: ONE, of: withUnit('C') },
  Hz: { factor: ONE, of: ['frequency'] },
  none: { factor: ONE, of: ['serial', 'firmware', 'model', ...withUnit('none')] },
};

const address = z.int().min(0).max(65_535);
const code = z.union([z.literal(3), z.literal(4)], { error: 'expected function 3 or 4' });
const words = z.string().min(1).max(200);
const wholeText = z.string().regex(/^\d{1,20}$/, 'expected a whole number in quotes');
const decimalText = z.string({ error: 'expected a decimal in quotes, such as "0.1"' });
const decimal = decimalText.regex(DECIMAL, 'expected a decimal such as "0.1"');

const register = z.strictObject({
  function: code,
  address,
  type: z.enum([...(Object.keys(TYPE_REGISTERS) as (keyof typeof TYPE_REGISTERS)[]), 'text']),
  /** Length of a text in registers; numbers have the length of their type. */
  registers: z.int().min(1).max(TEXT_MOST).optional(),
  words: z.enum(['big', 'little']).default('big'),
  bytes: z.enum(['big', 'little']).default('big'),
  unit: z.enum(Object.keys(UNITS) as [string, ...string[]]),
  scale: decimal.default('1'),
  positive: z.enum(['import', 'export']).default('import'),
  /** Bit patterns in hexadecimal, the high word first. */
  not_available: z
    .array(z.string().regex(/^([0-9a-f]{4}){1,4}$/, 'expected 4 hexadecimal digits a register'))
    .default([]),
  rollover: wholeText.optional(),
  step_wh: z.int().min(1).max(1_000_000).optional(),
  source: words,
});
export type RegisterText = z.output<typeof register>;

const range = z.strictObject({ function: code, first: address, last: address, source: words });
const readable = range.extend({ step: z.int().min(1).max(4).default(1) });

const check = z.union(
  [
    z.strictObject({ register: z.enum(PROBE_KEYS), min: z.number(), max: z.number() }),
    z.strictObject({
      register: z.enum(PROBE_KEYS),
      values: z.array(z.union([z.string(), z.int().transform(String)])).min(1),
    }),
  ],
  { error: 'expected a register with min and max, or with values' },
);

const serial = z.strictObject({
  baud: z.int().min(300).max(1_000_000),
  parity: z.enum(['none', 'even', 'odd']),
  stop_bits: z.union([z.literal(1), z.literal(2)]),
  unit: z.int().min(1).max(247).default(1),
  /** Document that states these settings of a new meter. */
  source: words.optional(),
  /** True where no source says so. */
  assumed: z.boolean().default(false),
});

const limits = {
  max_registers: z.int().min(1).max(MODBUS_MOST_REGISTERS),
  align: z.union([z.literal(1), z.literal(2)]).default(1),
  pause_ms: z.int().min(0).max(10_000).default(0),
  timeout_min_ms: z.int().min(20).max(30_000).default(200),
  quarantine_ms: z.int().min(0).max(600_000).default(2_000),
  source: words,
};

const common = {
  id: z.string().regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'expected small letters, digits and "-"'),
  manufacturer: z.string().min(1).max(64),
  models: z.array(z.string().min(1).max(64)).min(1),
  variant: words.optional(),
  confidence: z.strictObject({ level: z.enum(['hardware', 'simulator', 'documents']), against: words }),
  serial,
  notes: z.array(z.string().min(1).max(400)).default([]),
};

/** The schema of a profile file. `parseProfile` checks the rules between two keys. */
export const profileSchema = z.discriminatedUnion(
  'protocol',
  [
    z.strictObject({
      protocol: z.literal('modbus'),
      ...common,
      limits: z.strictObject({
        ...limits,
        readable: z.array(readable).default([]),
        forbidden: z.array(range).default([]),
      }),
      registers: z.partialRecord(z.enum(REGISTER_KEYS), register, { error: 'expected registers by name' }),
      probe: z.array(check).min(1),
    }),
    z.strictObject({
      protocol: z.literal('sunspec'),
      ...common,
      limits: z.strictObject(limits),
      bases: z.array(address).min(1),
      sunspec_models: z.array(z.int().min(1).max(65_534)).min(1),
    }),
  ],
  { error: 'expected modbus or sunspec' },
);
export type ProfileText = z.output<typeof profileSchema>;
export type ModbusText = Extract<ProfileText, { protocol: 'modbus' }>;

/** Returns the fault of one register in itself, as a key below it and words; null when there is none. */
export function registerFault(key: ProfileKey, text: RegisterText): { key: string; message: string } | null {
  const unit = UNITS[text.unit];
  if (!unit?.of.includes(key)) return { key: 'unit', message: `${key} cannot be in ${text.unit}` };
  if (text.type === 'text' && text.registers === undefined)
    return { key: 'registers', message: 'is missing for a text' };
  if (text.type !== 'text' && text.registers !== undefined) {
    return { key: 'registers', message: `means nothing for ${text.type}, which has its own length` };
  }
  if (text.type === 'text' && text.unit !== 'none') return { key: 'type', message: `${text.unit} cannot be a text` };
  if (text.type === 'sunssf') return { key: 'type', message: 'scale factors are for SunSpec models' };
  if (parseDecimal(text.scale).num <= 0n) return { key: 'scale', message: 'expected more than 0' };
  const digits = 4 * lengthOf(text);
  const bad = text.not_available.findIndex((pattern) => pattern.length !== digits);
  if (bad >= 0) return { key: `not_available.${bad}`, message: `expected ${digits} hexadecimal digits` };
  if (text.address + lengthOf(text) > 65_536) return { key: 'address', message: 'reaches beyond 65535' };
  const billing = (BILLING_KEYS as readonly string[]).includes(key);
  if (!billing && text.rollover !== undefined) return { key: 'rollover', message: 'only energy rolls over' };
  if (!billing && text.step_wh !== undefined) return { key: 'step_wh', message: 'only energy has a step in Wh' };
  return rolloverFault(text);
}

function rolloverFault({ type, rollover }: RegisterText): { key: string; message: string } | null {
  if (rollover === undefined) return null;
  if (type === 'f32' || type === 'f64' || type === 'text') {
    return { key: 'rollover', message: `a counter in ${type} has no roll-over that can be counted` };
  }
  const bits = 16 * TYPE_REGISTERS[type] - (type.startsWith('i') ? 1 : 0);
  const most = 1n << BigInt(bits);
  const value = BigInt(rollover);
  return value >= 2n && value <= most ? null : { key: 'rollover', message: `expected 2 to ${most} for ${type}` };
}

function lengthOf(text: RegisterText): number {
  return text.type === 'text' ? (text.registers ?? 0) : TYPE_REGISTERS[text.type];
}

/** Builds the register of a text without faults. */
export function registerOf(key: ProfileKey, text: RegisterText): Register {
  return Object.freeze({
    key,
    function: text.function as FunctionCode,
    address: text.address,
    length: lengthOf(text),
    type: text.type,
    words: text.words,
    bytes: text.bytes,
    scale: times(parseDecimal(text.scale), UNITS[text.unit]?.factor ?? ONE),
    scaleFactor: null,
    positive: text.positive,
    notAvailable: text.not_available.map((pattern) => BigInt(`0x${pattern}`)),
    rollover: text.rollover === undefined ? null : BigInt(text.rollover),
    stepWh: text.step_wh === undefined ? null : BigInt(text.step_wh),
    source: text.source,
  });
}
