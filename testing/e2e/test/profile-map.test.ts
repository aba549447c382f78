import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadMeterMap, MeterMapError, type MeterValues, meterMapIds, meterProfilesPath } from '@gridtokenx/simulators';
import { describe, expect, test } from 'vitest';
import { loadProfile } from '#edge/adapters/profiles/files.js';
import { planReads } from '#edge/planner/plan.js';
import { judgeProbe, probeRegisters } from '#edge/profiles/probe.js';
import type { ModbusProfile } from '#edge/profiles/profile.js';
import type { Register } from '#edge/profiles/register.js';
import { type Block, decodeSample } from '#edge/profiles/sample.js';

const values: MeterValues = {
  importWh: 1_234_567n,
  exportWh: 7_654_000n,
  powerW: -2_500,
  voltageV: 232.5,
  frequencyHz: 49.98,
};
const SERIAL = 10_000_042;

/** Returns the simulated meter's answers to the reads that the gateway plans for these registers. */
function blocks(id: string, registers: readonly Register[], profile: ModbusProfile): Block[] {
  const unit = loadMeterMap(id).unit(SERIAL, () => values);
  const cost = { charTimeUs: 1_000, turnaroundUs: 50_000, pauseUs: 0, transport: 'rtu' } as const;
  return planReads(registers, profile.limits, cost).map((request) => {
    const words = unit.read(request.function, request.address, request.count);
    if (typeof words === 'number') throw new Error(`exception ${words} for ${JSON.stringify(request)}`);
    const data = new Uint8Array(2 * words.length);
    for (const [i, word] of words.entries()) data.set([word >> 8, word & 0xff], 2 * i);
    return { function: request.function, address: request.address, data };
  });
}

describe.each(meterMapIds())('a simulated %s', (id) => {
  const profile = loadProfile(id) as ModbusProfile;

  test('is what its profile describes: the gateway reads its values, serial number and probe from it', () => {
    const sample = decodeSample(profile, blocks(id, profile.registers, profile));
    expect(sample.faults).toEqual([]);
    const has = (key: string) => profile.registers.some((register) => register.key === key);
    const near = (value: number | bigint | null, to: number | bigint, by: number) =>
      expect(Math.abs(Number(value) - Number(to))).toBeLessThanOrEqual(by);
    const step = Number(sample.resolutionWh);
    if (has('import')) near(sample.importWh, values.importWh, step);
    if (has('export')) near(sample.exportWh, values.exportWh, step);
    if (has('total')) near(sample.totalWh, values.importWh + values.exportWh, step);
    const power = profile.registers.find(({ key }) => key === 'power');
    // Without a sign the meter shows the amount of power, whatever its direction.
    const isNet = has('power_export') || !power?.type.startsWith('u');
    if (power) near(sample.powerW, isNet ? values.powerW : -values.powerW, 10);
    if (has('voltage')) near(sample.voltageDv, 2_325, 10);
    if (has('frequency')) near(sample.frequencyChz, 4_998, 10);
    if (has('serial')) expect(sample.serial).toBe(String(SERIAL));
    expect(judgeProbe(profile, blocks(id, probeRegisters(profile), profile))).toEqual({ fits: true, against: [] });
  });

  test('refuses what its profile says nothing of, and more than it allows', () => {
    const unit = loadMeterMap(id).unit(SERIAL, () => values);
    expect(unit.read(4, 60_000, 2)).toBe(2);
    const { function: code, address } = profile.registers[0] as Register;
    expect(unit.read(code, address, 126)).toBe(2);
  });
});

describe('a profile that cannot be simulated', () => {
  test('is refused with its file and what is wrong', () => {
    expect(() => loadMeterMap('nobody')).toThrow(/nobody\.yaml: cannot be read \(ENOENT\)/);
    expect(() => loadMeterMap('sunspec-meter')).toThrow(/sunspec-meter\.yaml:\d+: protocol: only profiles with/);
    const folder = mkdtempSync(join(tmpdir(), 'gtx-map-'));
    try {
      writeFileSync(join(folder, 'bad.yaml'), 'protocol: modbus\nserial: [');
      expect(() => loadMeterMap('bad', folder)).toThrow(MeterMapError);
      const whole = readFileSync(join(meterProfilesPath, 'eastron-sdm120.yaml'), 'utf8');
      writeFileSync(join(folder, 'bad.yaml'), whole.replace(/baud: \d+/, 'baud: fast'));
      expect(() => loadMeterMap('bad', folder)).toThrow(/bad\.yaml:\d+: serial\.baud: /);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
