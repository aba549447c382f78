import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadProfiles, loadSunspecModels } from '../../src/adapters/profiles/files.js';
import { charTimeUs, type LineCost, planReads } from '../../src/planner/plan.js';
import { variantsOf } from '../../src/planner/variants.js';
import { billingRegisters, identityRegisters, polledRegisters } from '../../src/planner/wanted.js';
import { judgeProbe, probeRegisters, probeStrength } from '../../src/profiles/probe.js';
import type { ModbusProfile } from '../../src/profiles/profile.js';
import { compare, parseDecimal, times } from '../../src/profiles/rational.js';
import { bytes } from './support.js';

/** A register of the facts. */
interface Fact {
  readonly addr: number;
  readonly type?: string;
  readonly scale?: number;
  readonly unit?: string;
  readonly fc?: number;
  readonly values?: readonly number[];
}
type MeterFacts = {
  readonly model: string;
  readonly fc?: number;
  readonly word?: 'little';
  readonly status?: string;
} & {
  readonly [key in 'import' | 'export' | 'total' | 'power' | 'serial' | 'firmware' | 'model_id']?: Fact | null;
};
const facts = JSON.parse(readFileSync(new URL('register-facts.json', import.meta.url), 'utf8')) as {
  meters: readonly MeterFacts[];
  sunspec: Readonly<Record<string, Readonly<Record<string, { off: number; type: string; sf_off?: number }>>>>;
};

/** Names the profiles of each model of the facts. */
const PROFILES: Readonly<Record<string, readonly string[]>> = {
  'Eastron SDM630': ['eastron-sdm630'],
  'Eastron SDM120': ['eastron-sdm120'],
  'Eastron SDM220/SDM230': ['eastron-sdm220', 'eastron-sdm230'],
  'Eastron SDM72(V2)/SDM54': ['eastron-sdm72', 'eastron-sdm72-v2', 'eastron-sdm54'],
  'Carlo Gavazzi EM24 (RS-485)': ['carlo-gavazzi-em24-rs485'],
  'Carlo Gavazzi EM24 Ethernet (E1)': ['carlo-gavazzi-em24-e1'],
  'Carlo Gavazzi EM330/EM340/ET340/EM530/EM540': ['carlo-gavazzi-ex3x0'],
  'ABB B21/B23/B24': ['abb-b2x'],
  'Schneider iEM3000': ['schneider-iem3000'],
  'Janitza B-series': ['janitza-b2x'],
  'DZG DVH4013': ['dzg-dvh4013'],
  'Siemens PAC2200': ['siemens-pac2200'],
  'Siemens 7KT1665': ['siemens-7kt1665'],
  'Acrel ADW300': ['acrel-adw300'],
  'Chint DTSU666 (variant A, mbmd)': ['chint-dtsu666-a'],
  'Chint DTSU666 (variant B, OpenEMS PR 3728)': ['chint-dtsu666-b'],
  'Orno OR-WE-514/515': ['orno-or-we-514'],
  'Orno OR-WE-504': ['orno-or-we-504'],
  'Orno OR-WE-525/526': ['orno-or-we-525'],
  'Orno OR-WE-516/517 (3-phase)': ['orno-or-we-516'],
};
/** Omitted on purpose; the profile's notes say why. */
const LEFT_OUT = new Set(['eastron-sdm120 firmware']);

const profiles = loadProfiles();
const modbus = (id: string): ModbusProfile => {
  const profile = profiles.get(id);
  if (profile?.protocol !== 'modbus') throw new Error(`no Modbus profile ${id}`);
  return profile;
};
const all = [...profiles.values()].filter((profile) => profile.protocol === 'modbus');

function typeOf(fact: Fact): { type: string; length?: number } {
  const text = /^text(\d)regs$/.exec(fact.type ?? '');
  if (text) return { type: 'text', length: Number(text[1]) };
  if (/ascii/.test(fact.type ?? '')) return { type: 'text', length: 2 };
  const number = /^(u?int|float)(16|32|64)/.exec(fact.type ?? 'uint16');
  return { type: `${{ int: 'i', uint: 'u', float: 'f' }[number?.[1] ?? '']}${number?.[2]}` };
}

/** Returns the size of one step of the register in Wh, W or raw steps, by the facts. */
function scaleOf(fact: Fact) {
  const kilo = /^kWh/.test(fact.unit ?? '') ? '1000' : '1';
  return times(parseDecimal(String(fact.scale ?? 1)), parseDecimal(kilo));
}

/** Lists the differences between a profile and the facts, in words. */
function differences(profile: ModbusProfile, meter: MeterFacts): string[] {
  const names = {
    import: 'import',
    export: 'export',
    total: 'total',
    power: 'power',
    serial: 'serial',
    firmware: 'firmware',
    model_id: 'model',
  } as const;
  return Object.entries(names).flatMap(([name, key]) => {
    const fact = meter[name as keyof typeof names];
    const register = profile.registers.find((one) => one.key === key);
    if (LEFT_OUT.has(`${profile.id} ${key}`)) return register ? [`${key} is there`] : [];
    if (!fact) return register && ['import', 'export', 'total'].includes(key) ? [`${key} is there, and no fact`] : [];
    if (!register) return [`${key} is missing`];
    const { type, length } = typeOf(fact);
    const code = fact.fc ?? (key === 'model' ? register.function : meter.fc);
    const found: string[] = [];
    if (register.address !== fact.addr) found.push(`${key} at ${register.address}, not ${fact.addr}`);
    if (register.type !== type) found.push(`${key} is ${register.type}, not ${type}`);
    if (length !== undefined && register.length !== length) found.push(`${key} has ${register.length} registers`);
    if (register.function !== code) found.push(`${key} by function ${register.function}, not ${code}`);
    if (compare(register.scale, scaleOf(fact)) !== 0) found.push(`${key} has another scale`);
    if (register.length > 1 && type !== 'text' && fact.fc === undefined && register.words !== (meter.word ?? 'big')) {
      found.push(`${key} has its words ${register.words}`);
    }
    return found;
  });
}

describe('the shipped profiles', () => {
  it('are all that the facts name, and each is named by its file', () => {
    const known = facts.meters.filter((meter) => meter.status === undefined).map((meter) => meter.model);
    expect(Object.keys(PROFILES).sort()).toEqual([...known].sort());
    expect(all.map((profile) => profile.id).sort()).toEqual(Object.values(PROFILES).flat().sort());
    expect([...profiles.keys()].filter((id) => id.startsWith('sunspec'))).toHaveLength(3);
  });

  it.each(facts.meters.filter((meter) => meter.status === undefined))('$model agrees with the facts', (meter) => {
    for (const id of PROFILES[meter.model] ?? []) expect([id, ...differences(modbus(id), meter)]).toEqual([id]);
  });

  it('would be caught when they did not', () => {
    const meter = facts.meters.find((one) => one.model === 'Carlo Gavazzi EM24 (RS-485)');
    if (!meter) throw new Error('no EM24');
    // Two maps of one name: each map's profile is wrong for the other's meters.
    expect(differences(modbus('carlo-gavazzi-em24-e1'), meter)).toContain('import at 52, not 66');
    expect(differences(modbus('abb-b2x'), { ...meter, fc: 3 })).toEqual(
      expect.arrayContaining(['import is u64, not i32', 'import has another scale']),
    );
  });

  it.each(all)('$id can be planned, and names its sources', (profile) => {
    const cost: LineCost = {
      charTimeUs: charTimeUs(9_600, 'none', 1),
      turnaroundUs: 50_000,
      pauseUs: 0,
      transport: 'rtu',
    };
    const wanted = polledRegisters(profile);
    const requests = planReads(wanted, profile.limits, cost);
    expect(new Set(requests.flatMap((request) => request.registers))).toEqual(new Set(wanted));
    expect(planReads(identityRegisters(profile), profile.limits, cost)).toBeDefined();
    expect(planReads(probeRegisters(profile), profile.limits, cost).length).toBeGreaterThan(0);
    for (const register of profile.registers) expect(register.source.length).toBeGreaterThan(5);
    const billing = requests[0];
    if (!billing) throw new Error('nothing is read');
    const others = variantsOf(billing, profile, cost, {
      cover: billingRegisters(profile).filter((one) => billing.registers.includes(one)),
    });
    expect(new Set(others.map((one) => one.count)).has(billing.count)).toBe(false);
  });

  it('say what they cannot bill, and who is told by a weak probe only', () => {
    const ids = (which: (profile: ModbusProfile) => boolean) => all.filter(which).map((profile) => profile.id);
    expect(ids(({ bills }) => !bills.export)).toEqual([
      'chint-dtsu666-b',
      'orno-or-we-504',
      'orno-or-we-514',
      'siemens-7kt1665',
    ]);
    expect(ids(({ bills }) => !bills.import)).toEqual(['orno-or-we-504', 'orno-or-we-514']);
    expect(ids((profile) => probeStrength(profile) === 0)).toEqual([
      'chint-dtsu666-b',
      'eastron-sdm72',
      'siemens-7kt1665',
    ]);
    for (const profile of all.filter(({ bills }) => !bills.export)) expect(profile.notes.join(' ')).toMatch(/billed/);
    expect(ids((profile) => profile.confidence.level !== 'documents')).toEqual(['eastron-sdm120', 'eastron-sdm630']);
  });
});

describe('a probe', () => {
  const read = (id: string, ...blocks: readonly (readonly [3 | 4, number, string])[]) =>
    judgeProbe(
      modbus(id),
      blocks.map(([code, address, hex]) => ({ function: code, address, data: bytes(hex) })),
    );
  it('fits a meter of its kind', () => {
    // 230.1 V and 50.0 Hz as floats.
    expect(read('eastron-sdm630', [4, 0, '4366199a'], [4, 70, '42480000'])).toEqual({ fits: true, against: [] });
    expect(read('abb-b2x', [3, 35_168, '42323320'], [3, 23_340, '1388']).fits).toBe(true);
  });
  it('says what is against it', () => {
    expect(read('eastron-sdm630', [4, 0, '00000000'], [4, 70, '42480000']).against).toEqual([
      'voltage is 0, not 80 to 300',
    ]);
    expect(read('eastron-sdm630', [4, 0, '4366199a'])).toMatchObject({ fits: false });
    expect(read('abb-b2x', [3, 35_168, '43323320'], [3, 23_340, '1388']).against).toEqual([
      'model is "C23", not B21, B23, B24',
    ]);
  });
  it('tells two maps of one name apart', () => {
    expect(read('carlo-gavazzi-em24-e1', [3, 11, '0672'], [4, 0, '08fc 0000'], [4, 51, '01f4']).fits).toBe(true);
    expect(read('carlo-gavazzi-em24-e1', [3, 11, '0047'], [4, 0, '08fc 0000'], [4, 51, '01f4']).fits).toBe(false);
  });
});

describe('SunSpec models', () => {
  const { models } = loadSunspecModels();
  const GROUPS: Readonly<Record<string, readonly number[]>> = {
    '201-204': [201, 202, 203, 204],
    '211-214': [211, 212, 213, 214],
    '101-103': [101, 102, 103],
    '111-113': [111, 112, 113],
    '701': [701],
  };
  it.each(Object.entries(GROUPS))('%s have the offsets of the facts', (group, ids) => {
    const { len, ...points } = facts.sunspec[group] as unknown as Record<
      string,
      { off: number; type: string; sf_off?: number }
    > & { len: number };
    expect(Object.keys(points).length).toBeGreaterThan(1);
    for (const id of ids) {
      expect(models[id]?.size).toBe((len as number) + 2);
      for (const [name, fact] of Object.entries(points)) {
        const [offset, type, factor] = models[id]?.points[name] ?? [];
        expect([id, name, offset, type]).toEqual([id, name, fact.off, fact.type]);
        expect(factor ? models[id]?.points[factor]?.[0] : undefined).toBe(fact.sf_off);
      }
    }
  });
  it('have the identity where the facts say', () => {
    const offsets = Object.entries(models[1]?.points ?? {}).map(([name, [offset]]) => `${name}+${offset}`);
    expect(offsets).toEqual(['Mn+2', 'Md+18', 'Vr+42', 'SN+50']);
    // Its fixed part is 8 registers after ID and length; the modules follow.
    expect(models[160]?.size).toBe(10);
  });
});
