import { z } from 'zod';
import type { AddressRange, Bills, RegisterMap, SunspecProfile } from './profile.js';
import { ONE, type Rational } from './rational.js';
import { type Register, type RegisterKey, type RegisterType, TYPE_REGISTERS } from './register.js';
import { COMMON, MPPT, meanings } from './sunspec-meanings.js';
import type { SunspecDevice, SunspecModel } from './sunspec-walk.js';

const point = z.tuple([
  z.int().min(0).max(65_535),
  z.enum(['string', 'int16', 'uint16', 'uint32', 'uint64', 'acc32', 'acc64', 'float32', 'sunssf', 'count']),
  z.string().nullable(),
  z.boolean(),
  z.int().min(1).max(64),
]);
const group = { size: z.int().min(1), points: z.record(z.string(), point) };
const modelsFile = z.strictObject({
  source: z.string(),
  licence: z.string(),
  point: z.string(),
  models: z.record(
    z.string().regex(/^\d+$/),
    z.strictObject({
      label: z.string(),
      ...group,
      repeating: z.strictObject({ name: z.string(), ...group }).optional(),
    }),
  ),
});
type Point = z.output<typeof point>;
type Points = Readonly<Record<string, Point>>;

/** Models of `sunspec.json`: offsets and types of the points that are read. */
export type SunspecModels = z.output<typeof modelsFile>;

/** Checks the content of `sunspec.json`. Throws zod's error: the file ships with the software. */
export function parseSunspecModels(json: unknown): SunspecModels {
  return modelsFile.parse(json);
}

/**
 * Returns the directions that a meter of this profile can bill, whichever of the profile's models it has. Model 160
 * counts no energy of its own.
 */
export function sunspecBills({ sunspecModels }: SunspecProfile): Bills {
  const models = sunspecModels.filter((model) => model !== MPPT);
  const all = (key: RegisterKey) =>
    models.length > 0 && models.every((model) => meanings(model).some(([, meant]) => meant === key));
  return { import: all('import'), export: all('export') };
}

/**
 * Our type of each SunSpec type, with the pattern that means "not implemented" (SunSpec Device Information Model, 4.3).
 */
const TYPES: Readonly<Record<Point[1], { readonly type: RegisterType; readonly none: readonly bigint[] }>> = {
  string: { type: 'text', none: [] },
  int16: { type: 'i16', none: [0x8000n] },
  uint16: { type: 'u16', none: [0xffffn] },
  count: { type: 'u16', none: [0xffffn] },
  uint32: { type: 'u32', none: [0xffff_ffffn] },
  uint64: { type: 'u64', none: [0xffff_ffff_ffff_ffffn] },
  acc32: { type: 'acc32', none: [0n] },
  acc64: { type: 'acc64', none: [0n] },
  // Every float uses NaN, which `decodeRaw` knows.
  float32: { type: 'f32', none: [] },
  sunssf: { type: 'sunssf', none: [0x8000n] },
};

const PERCENT: Rational = { num: 1n, den: 100n };

/** The register map of a discovered device. */
export interface SunspecMap extends RegisterMap {
  readonly bills: Bills;
  /** The model that gives energy and power. */
  readonly model: number;
}

/**
 * Builds the register map of a device from its own list of models. It has identity (model 1), energy and power of the
 * profile's first model that the device has. Adds the inputs of model 160 where the profile names it. Omits a point
 * beyond the length that the device states. Null: the device has none of the profile's models.
 */
export function sunspecMap(profile: SunspecProfile, device: SunspecDevice, known: SunspecModels): SunspecMap | null {
  const find = (id: number) => device.models.find((model) => model.id === id);
  const id = profile.sunspecModels.find((wanted) => wanted !== MPPT && known.models[wanted] && find(wanted));
  const main = id === undefined ? undefined : find(id);
  const mppt = profile.sunspecModels.includes(MPPT) ? find(MPPT) : undefined;
  const chosen = main ?? mppt;
  if (!chosen) return null;
  const used = [find(COMMON), main, mppt].filter((model) => model !== undefined);
  const registers = used.flatMap((model) => (model.id === MPPT ? inputsOf(model, known) : pointsOf(model, known)));
  const readable = used.map(
    ({ address, length }): AddressRange => ({
      function: 3,
      first: address,
      last: Math.min(65_535, address + 1 + length),
    }),
  );
  const has = (key: RegisterKey) => registers.some((register) => register.key === key);
  return Object.freeze({
    registers: Object.freeze(registers),
    limits: Object.freeze({ ...profile.limits, readable, forbidden: [] }),
    bills: Object.freeze({ import: has('import'), export: has('export') }),
    model: chosen.id,
  });
}

function pointsOf(model: SunspecModel, known: SunspecModels): Register[] {
  const points = known.models[model.id]?.points ?? {};
  const values = meanings(model.id).flatMap(([name, key, positive = 'import', how]) => {
    const value = registerOf({ points, model, at: model.address, limit: model.length + 2 }, name, key);
    if (!value) return [];
    return [{ ...value, positive, scale: how === 'percent' ? PERCENT : value.scale }];
  });
  return withFactors(values, points, model);
}

/**
 * Returns the registers of model 160: a module for each input. The model's length, not a register, gives their number.
 */
function inputsOf(model: SunspecModel, known: SunspecModels): Register[] {
  const { size = 0, points = {}, repeating } = known.models[MPPT] ?? {};
  if (!repeating) return [];
  const modules = Math.floor((model.length + 2 - size) / repeating.size);
  const values = Array.from({ length: Math.max(0, modules) }, (_, i) => {
    const at = model.address + size + i * repeating.size;
    const of = { points: repeating.points, outer: points, model, at, limit: repeating.size };
    return [
      registerOf(of, 'DCW', `dc_power_${i + 1}`, 'export'),
      registerOf(of, 'DCWH', `dc_energy_${i + 1}`, 'export'),
    ];
  });
  return withFactors(
    values.flat().filter((register) => register !== null),
    points,
    model,
  );
}

interface Place {
  readonly points: Points;
  /** Points with the scale factors that are not among `points`. */
  readonly outer?: Points;
  readonly model: SunspecModel;
  /** Address from which offsets count, and the number of registers that exist. */
  readonly at: number;
  readonly limit: number;
}

function registerOf(
  { points, outer = points, model, at, limit }: Place,
  name: string,
  key: RegisterKey,
  positive: 'import' | 'export' = 'import',
): Register | null {
  const found = points[name];
  if (!found) return null;
  const [offset, sunspecType, factor, mandatory, size] = found;
  if (offset + size > limit) return null;
  const { type, none } = TYPES[sunspecType];
  const length = type === 'text' ? size : TYPE_REGISTERS[type];
  const isEnergy = key === 'import' || key === 'export';
  const counter = type === 'acc32' || type === 'acc64' || (type === 'u64' && isEnergy);
  const factorAt = factor === null ? undefined : outer[factor]?.[0];
  return {
    key,
    function: 3,
    address: at + offset,
    length,
    type,
    words: 'big',
    bytes: 'big',
    scale: ONE,
    scaleFactor: factorAt === undefined ? null : `sf:${model.address + factorAt}`,
    positive,
    // A 0 in an accumulator means "not implemented". In a mandatory accumulator it is a new meter's 0.
    notAvailable: type.startsWith('acc') && mandatory ? [] : none,
    rollover: counter ? 1n << BigInt(16 * length) : null,
    stepWh: null,
    source: `SunSpec model ${model.id}, ${name} (pysunspec2 1.3.7)`,
  };
}

/** Adds the scale factors that the values name, each factor once. Omits a factor beyond the model's end. */
function withFactors(values: readonly Register[], points: Points, model: SunspecModel): Register[] {
  const named = new Set(values.flatMap((register) => (register.scaleFactor ? [register.scaleFactor] : [])));
  const factors = Object.entries(points).flatMap(([name, [offset, type]]) => {
    const key = `sf:${model.address + offset}` as const;
    if (type !== 'sunssf' || !named.has(key)) return [];
    const factor = registerOf({ points, model, at: model.address, limit: model.length + 2 }, name, key);
    return factor ? [factor] : [];
  });
  return [...values, ...factors].map((register) => Object.freeze(register));
}
