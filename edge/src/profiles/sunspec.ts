import { z } from 'zod';
import type { AddressRange, Bills, RegisterMap, SunspecProfile } from './profile.js';
import { ONE } from './rational.js';
import { type Register, type RegisterKey, type RegisterType, TYPE_REGISTERS } from './register.js';

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

/** The models that `sunspec.json` holds: offsets and types of the points that are read. */
export type SunspecModels = z.output<typeof modelsFile>;

/** Checks the content of `sunspec.json`. Throws zod's error: the file ships with the software. */
export function parseSunspecModels(json: unknown): SunspecModels {
  return modelsFile.parse(json);
}

const COMMON = 1;
const MPPT = 160;

/** A point of a model as what it is for the gateway. */
type Meaning = readonly [point: string, key: RegisterKey, positive?: 'import' | 'export'];
const METER: readonly Meaning[] = [
  ['TotWhImp', 'import'],
  ['TotWhExp', 'export'],
  ['W', 'power'],
  ['PhVphA', 'voltage'],
  ['Hz', 'frequency'],
];
/** An inverter counts what it feeds: that is export of the point where it stands. */
const INVERTER: readonly Meaning[] = [
  ['WH', 'export'],
  ['W', 'power', 'export'],
  ['PhVphA', 'voltage'],
  ['Hz', 'frequency'],
];
const DER: readonly Meaning[] = [
  ['TotWhAbs', 'import'],
  ['TotWhInj', 'export'],
  ['W', 'power', 'export'],
  ['VL1', 'voltage'],
  ['Hz', 'frequency'],
];
const IDENTITY: readonly Meaning[] = [
  ['Mn', 'manufacturer'],
  ['Md', 'model'],
  ['Vr', 'firmware'],
  ['SN', 'serial'],
];

function meanings(model: number): readonly Meaning[] {
  if (model === COMMON) return IDENTITY;
  if (model >= 101 && model <= 113) return INVERTER;
  if (model >= 201 && model <= 214) return METER;
  return model === 701 ? DER : [];
}

/** What a meter of this profile can bill, whichever of the profile's models it has; model 160 counts no energy of its own. */
export function sunspecBills({ sunspecModels }: SunspecProfile): Bills {
  const models = sunspecModels.filter((model) => model !== MPPT);
  const all = (key: RegisterKey) =>
    models.length > 0 && models.every((model) => meanings(model).some(([, meant]) => meant === key));
  return { import: all('import'), export: all('export') };
}

/** Each type as ours, with the pattern that means "not implemented" (SunSpec Device Information Model, 4.3). */
const TYPES: Readonly<Record<Point[1], { readonly type: RegisterType; readonly none: readonly bigint[] }>> = {
  string: { type: 'text', none: [] },
  int16: { type: 'i16', none: [0x8000n] },
  uint16: { type: 'u16', none: [0xffffn] },
  count: { type: 'u16', none: [0xffffn] },
  uint32: { type: 'u32', none: [0xffff_ffffn] },
  uint64: { type: 'u64', none: [0xffff_ffff_ffff_ffffn] },
  acc32: { type: 'acc32', none: [0n] },
  acc64: { type: 'acc64', none: [0n] },
  // Not a number is not implemented: `decodeRaw` knows it for every float.
  float32: { type: 'f32', none: [] },
  sunssf: { type: 'sunssf', none: [0x8000n] },
};

/** One model in the list of a device. */
export interface SunspecModel {
  readonly id: number;
  /** Address of its ID register; its points' offsets count from here. */
  readonly address: number;
  /** Registers after ID and length. */
  readonly length: number;
}

export interface SunspecDevice {
  /** Address of the marker. */
  readonly base: number;
  readonly models: readonly SunspecModel[];
}

/** A device that shows the marker, and then a list that cannot be true or does not answer. */
export class SunspecError extends Error {
  override readonly name = 'SunspecError';
}

/** What `sunspecWalk` asks for: holding registers (function 3). */
export interface SunspecRead {
  readonly address: number;
  readonly count: number;
}

const MARKER = [0x53, 0x75, 0x6e, 0x53];
const END_ID = 0xffff;
const MAX_MODELS = 100;

/**
 * Finds the list of models: yields reads, is given their data (null: an exception or no answer), returns the device, or
 * null when no base shows the marker. Only asks; the caller owns the bus. Throws `SunspecError`.
 */
export function* sunspecWalk(
  bases: readonly number[],
): Generator<SunspecRead, SunspecDevice | null, Uint8Array | null> {
  for (const base of bases) {
    const marker = yield { address: base, count: 2 };
    if (marker?.length !== 4 || !MARKER.every((byte, i) => marker[i] === byte)) continue;
    return { base, models: yield* walkModels(base + 2) };
  }
  return null;
}

function* walkModels(first: number): Generator<SunspecRead, SunspecModel[], Uint8Array | null> {
  const models: SunspecModel[] = [];
  let address = first;
  while (models.length <= MAX_MODELS) {
    if (address > 65_534) throw new SunspecError(`the list of models runs beyond the last register (${address})`);
    const head = yield { address, count: 2 };
    if (head?.length !== 4) throw new SunspecError(`no model header at ${address}`);
    const view = new DataView(head.buffer, head.byteOffset, 4);
    const [id, length] = [view.getUint16(0), view.getUint16(2)];
    if (id === END_ID) return models;
    if (length === 0) throw new SunspecError(`model ${id} at ${address} has no length`);
    models.push({ id, address, length });
    address += 2 + length;
  }
  throw new SunspecError(`more than ${MAX_MODELS} models`);
}

/** A discovered device as a register map like that of any other meter. */
export interface SunspecMap extends RegisterMap {
  readonly bills: Bills;
  /** The model that gives energy and power. */
  readonly model: number;
}

/**
 * The registers of a device by its own list of models: identity (model 1), energy and power of the first of the
 * profile's models that is there, and the inputs of model 160 where the profile names it. A point that lies beyond the
 * length which the device states is left out. Null: none of the profile's models is there.
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
  const values = meanings(model.id).flatMap(([name, key, positive = 'import']) => {
    const value = registerOf({ points, model, at: model.address, limit: model.length + 2 }, name, key);
    return value ? [{ ...value, positive }] : [];
  });
  return withFactors(values, points, model);
}

/** Model 160: a module for each input. How many there are follows from the length, not from a register. */
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
  /** Where scale factors lie when not among `points`. */
  readonly outer?: Points;
  readonly model: SunspecModel;
  /** Address that offsets count from, and registers that are there. */
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
  const counter = type === 'acc32' || type === 'acc64' || (type === 'u64' && key !== 'power');
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
    // 0 of an accumulator means "not implemented", but a mandatory one is implemented: there it is a new meter's 0.
    notAvailable: type.startsWith('acc') && mandatory ? [] : none,
    rollover: counter ? 1n << BigInt(16 * length) : null,
    stepWh: null,
    source: `SunSpec model ${model.id}, ${name} (pysunspec2 1.3.7)`,
  };
}

/** The values with the scale factors that they name, each factor once. A factor beyond the model's end is left out. */
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
