import { expect, test } from 'vitest';
import { loadProfile, loadSunspecModels } from '../../src/adapters/profiles/files.js';
import { foundText } from '../../src/cli/progress.js';
import { identify } from '../../src/domain/scan/identify.js';
import type { UnitReader } from '../../src/domain/scan/unit-prober.js';
import type { MeterProfile, ModbusProfile, ProbeCheck } from '../../src/profiles/profile.js';
import type { Register, RegisterKey } from '../../src/profiles/register.js';
import { limitsOf, registerAt } from '../support/registers.js';

const COST = { charTimeUs: 1_042, turnaroundUs: 50_000, pauseUs: 0, transport: 'rtu' } as const;
const models = loadSunspecModels();

/** A unit with these words of holding and input registers; it refuses all others with exception 2, those of `dead` with 1. */
function unitOf(words: Readonly<Record<string, number>>, dead = 0) {
  const asked: string[] = [];
  const reader: UnitReader = {
    pick: () => 0,
    restMs: () => 0,
    read: async ({ fn, variants: [first] }) => {
      const { address, count } = first as { address: number; count: number };
      asked.push(`${fn} ${address} ${count}`);
      const found = Array.from({ length: count }, (_, i) => words[`${fn} ${address + i}`]);
      if (fn === dead || found.includes(undefined)) return { what: 'exception', code: fn === dead ? 1 : 2 };
      const data = Uint8Array.from(found.flatMap((word = 0) => [word >> 8, word & 0xff]));
      return { what: 'data', fn, address, data };
    },
  };
  return { asked, reader };
}

type Place = Partial<Record<RegisterKey, number>>;
/** A profile whose registers lie at `places` of function `fn`; voltage in V, frequency in Hz, energy in Wh. */
function profileOf(id: string, fn: 3 | 4, places: Place, change: Partial<ModbusProfile> = {}): ModbusProfile {
  const registers = (Object.entries(places) as [RegisterKey, number][]).map(
    ([key, address]): Register =>
      registerAt(key, address, {
        function: fn,
        ...(key === 'model' ? { type: 'text', length: 2 } : {}),
      }),
  );
  const mains: ProbeCheck[] = [
    { register: 'voltage', min: 180, max: 270 },
    { register: 'frequency', min: 45, max: 65 },
  ];
  const profile = {
    ...{ id, protocol: 'modbus', manufacturer: 'Maker', models: ['A', 'B'], registers },
    limits: limitsOf({ readable: [] }),
    bills: { import: true, export: true },
    probe: mains.filter(({ register }) => places[register] !== undefined),
  };
  return { ...profile, ...change } as unknown as ModbusProfile;
}

const ENERGY = { '3 10': 5, '3 11': 6 };
const MAINS = { '3 50': 230, '3 60': 50 };
const strong = (change?: Partial<ModbusProfile>) =>
  profileOf('strong', 4, { voltage: 0, frequency: 1, import: 100, export: 101 }, change);
const weak = (change?: Partial<ModbusProfile>) => profileOf('weak', 3, { voltage: 50, import: 10, export: 11 }, change);
const identityOf = (words: Readonly<Record<string, number>>, profiles: readonly MeterProfile[], dead?: number) =>
  identify(unitOf(words, dead).reader, profiles, models, COST);

test('a profile with a weak probe is asked for when the strong ones are refused', async () => {
  const { fits } = await identityOf({ ...ENERGY, ...MAINS }, [strong(), weak()], 4);
  expect(fits.map(({ profile, strength }) => [profile, strength])).toEqual([['weak', 1]]);
});

test('a strong profile that fits spares the questions of weak ones that look elsewhere', async () => {
  const { reader, asked } = unitOf({ ...ENERGY, ...MAINS, '4 0': 230, '4 1': 50, '4 100': 1, '4 101': 2 });
  const { fits } = await identify(reader, [weak(), strong()], models, COST);
  expect(fits.map(({ profile, importWh, exportWh }) => [profile, importWh, exportWh])).toEqual([['strong', '1', '2']]);
  expect(asked.filter((read) => read.startsWith('3'))).toEqual([]);
});

test('of two weak profiles that look elsewhere both are asked for, and both fit', async () => {
  const other = profileOf('other', 4, { voltage: 0, import: 100, export: 101 });
  const { fits } = await identityOf({ ...ENERGY, ...MAINS, '4 0': 230, '4 100': 1, '4 101': 2 }, [weak(), other]);
  expect(fits.map(({ profile }) => profile)).toEqual(['weak', 'other']);
});

test('a voltage that no mains has speaks against a profile', async () => {
  expect((await identityOf({ ...ENERGY, '3 50': 271 }, [weak()])).fits).toEqual([]);
  expect((await identityOf({ ...ENERGY, '3 50': 270 }, [weak()])).fits).toHaveLength(1);
});

test.each([
  ['B\0\0\0', 'B'],
  ['C\0\0\0', 'A, B'],
])('a meter that calls itself %j is a model %s', async (name, model) => {
  const bytes = Buffer.from(name);
  const words = { ...ENERGY, ...MAINS, '3 70': bytes.readUInt16BE(0), '3 71': bytes.readUInt16BE(2) };
  const profile = profileOf('p', 3, { voltage: 50, frequency: 60, import: 10, export: 11, model: 70 });
  expect((await identityOf(words, [profile])).fits).toMatchObject([{ model, manufacturer: 'Maker', strength: 2 }]);
});

test.each([
  [{ import: false, export: false }, 'it counts only the sum of both directions', false],
  [{ import: true, export: false }, 'no register for export is known', false],
  [{ import: false, export: true }, null, true],
  [{ import: true, export: true }, null, false],
])('what bills %j cannot be billed because: %s', async (bills, unfit, exportOnly) => {
  expect((await identityOf({ ...ENERGY, ...MAINS }, [weak({ bills })])).fits).toMatchObject([{ unfit, exportOnly }]);
});

test.each([
  [0, null],
  [47, '47'],
])('a serial register that reads %i is the number %s', async (raw, serial) => {
  const profile = profileOf('p', 3, { voltage: 50, import: 10, export: 11, serial: 80 });
  expect((await identityOf({ ...ENERGY, ...MAINS, '3 80': raw }, [profile])).fits).toMatchObject([{ serial }]);
});

/** The registers of a SunSpec device: marker, common model with the model's name, an inverter, the end. */
function sunspecWords(name: string): Record<string, number> {
  const size = (id: number) => models.models[id]?.size ?? 0;
  const md = models.models[1]?.points.Md ?? [0];
  const words = [0x5375, 0x6e53];
  for (const id of [1, 103]) words.push(id, size(id) - 2, ...Array<number>(size(id) - 2).fill(0));
  const text = Buffer.alloc(16, 0);
  text.write(name);
  for (let i = 0; i < 8; i++) words[2 + md[0] + i] = text.readUInt16BE(2 * i);
  words.push(0xffff, 0);
  return Object.fromEntries(words.map((word, i) => [`3 ${40_000 + i}`, word]));
}

test.each([
  ['SE5K', 'SE5K'],
  ['', 'sunspec-inverter'],
])('a SunSpec device that names itself %j is a model %s', async (name, model) => {
  const profile = loadProfile('sunspec-inverter') as MeterProfile;
  expect((await identityOf(sunspecWords(name), [profile])).fits).toMatchObject([
    { profile: 'sunspec-inverter', model, strength: 3 },
  ]);
});

test('a SunSpec device with an odd list fits, and scan says what is odd', async () => {
  const profile = loadProfile('sunspec-inverter') as MeterProfile;
  const words = sunspecWords('SE5K');
  delete words['3 40123'];
  words['3 40122'] = 0;
  const { fits, silent } = await identityOf(words, [profile]);
  expect(fits).toMatchObject([{ oddities: [expect.stringMatching(/only register 40122 follows, which is 0$/)] }]);
  const setting = { transport: 'tcp' } as const;
  expect(foundText({ setting, unit: 1, afterMs: 0, fits, silent })).toMatch(/; its SunSpec list is odd: model 103 at/);
});
