import { describe, expect, it } from 'vitest';
import { loadProfiles, loadSunspecModels } from '../../src/adapters/profiles/files.js';
import { charTimeUs, planReads } from '../../src/planner/plan.js';
import { identityRegisters, polledRegisters } from '../../src/planner/wanted.js';
import type { SunspecProfile } from '../../src/profiles/profile.js';
import { type Block, billingFault, decodeSample } from '../../src/profiles/sample.js';
import { type SunspecMap, sunspecMap } from '../../src/profiles/sunspec.js';
import { ListedDevice as Device, discover, type ModelValues as Values } from '../support/sunspec-list.js';

const known = loadSunspecModels();
const profiles = loadProfiles();
const profile = (id: string): SunspecProfile => {
  const found = profiles.get(id);
  if (found?.protocol !== 'sunspec') throw new Error(id);
  return found;
};
const COST = { charTimeUs: charTimeUs(9_600, 'none', 1), turnaroundUs: 50_000, pauseUs: 0, transport: 'rtu' } as const;

function mapOf(id: string, device: Device): SunspecMap {
  const found = discover(device);
  const map = found && sunspecMap(profile(id), found, known);
  if (!map) throw new Error('nothing is found');
  return map;
}

/** Decodes the device's answers to the planner's reads. */
function sampleOf(map: SunspecMap, device: Device, registers = polledRegisters(map)) {
  const blocks = planReads(registers, map.limits, COST).map(
    ({ function: code, address, count }): Block => ({
      function: code,
      address,
      data: device.read(address, count) ?? new Uint8Array(0),
    }),
  );
  return decodeSample(map, blocks);
}

/** Lists the faults of the decoded values, except those of the identity, which a poll does not read. */
const faultsOf = (map: SunspecMap, device: Device) =>
  sampleOf(map, device).faults.filter(({ what }) => what !== 'not-read');

const text = (value: string, registers: number) =>
  Array.from(
    { length: registers },
    (_, i) => ((value.charCodeAt(2 * i) || 0) << 8) | (value.charCodeAt(2 * i + 1) || 0),
  );
const IDENTITY: Values = { 2: text('Maker', 16), 18: text('Meter 3', 16), 42: text('1.2', 8), 50: text('SN-0042', 16) };
/** Model 203: 230.1 V, 50.00 Hz, -1,500 W, export 12,345 x 10 Wh, import 70,000 x 10 Wh. */
const METER_203: Values = {
  8: [2_301],
  15: [0xffff],
  16: [5_000],
  17: [0xfffe],
  18: [0xff6a],
  22: [1],
  38: [0, 12_345],
  46: [1, 4_464],
  54: [1],
};

describe('a meter', () => {
  it('of model 203 is read like any other', () => {
    const device = new Device(40_000, [
      [1, 66, IDENTITY],
      [203, 105, METER_203],
    ]);
    const map = mapOf('sunspec-meter', device);
    expect(map).toMatchObject({ model: 203, bills: { import: true, export: true } });
    expect(sampleOf(map, device)).toMatchObject({
      importWh: 700_000n,
      exportWh: 123_450n,
      powerW: -1_500,
      voltageDv: 2_301,
      frequencyChz: 5_000,
      resolutionWh: 10n,
    });
    expect(faultsOf(map, device)).toEqual([]);
    expect(planReads(polledRegisters(map), map.limits, COST)[0]).toMatchObject({ billing: true });
    expect(sampleOf(map, device, identityRegisters(map))).toMatchObject({
      manufacturer: 'Maker',
      model: 'Meter 3',
      firmware: '1.2',
      serial: 'SN-0042',
    });
  });

  it('counts from a mandatory accumulator that is 0, and not from a scale factor that is missing', () => {
    const fresh = new Device(40_000, [[203, 105, { ...METER_203, 38: [0, 0], 46: [0, 0] }]]);
    expect(sampleOf(mapOf('sunspec-meter', fresh), fresh)).toMatchObject({ importWh: 0n, exportWh: 0n });
    const none = new Device(40_000, [[203, 105, { ...METER_203, 54: [0x8000] }]]);
    expect(billingFault(sampleOf(mapOf('sunspec-meter', none), none))).toMatch(
      /scale factor of import is not available/,
    );
  });

  it('prefers floats, whose unimplemented points are NaN', () => {
    const float = (value: number) => {
      const view = new DataView(new ArrayBuffer(4));
      view.setFloat32(0, value);
      return [view.getUint16(0), view.getUint16(2)];
    };
    const device = new Device(0, [
      [203, 105, METER_203],
      [213, 124, { 12: [0x7fc0, 0], 26: float(50), 28: float(-2.5), 60: float(1_000), 68: float(2_000.4) }],
    ]);
    const map = mapOf('sunspec-meter', device);
    expect(map.model).toBe(213);
    expect(sampleOf(map, device)).toMatchObject({
      importWh: 2_000n,
      exportWh: 1_000n,
      powerW: -3,
      voltageDv: null,
      frequencyChz: 5_000,
    });
  });

  it('that states a shorter model has only the points that lie in it', () => {
    const device = new Device(40_000, [[203, 40, METER_203]]);
    const map = mapOf('sunspec-meter', device);
    expect(map.bills).toEqual({ import: false, export: true });
    // Its scale factor is beyond the end, too: the value is unavailable, and nothing is read there.
    expect(billingFault(sampleOf(map, device))).toMatch(/scale factor/);
    for (const { address, count } of planReads(polledRegisters(map), map.limits, COST)) {
      expect(address + count).toBeLessThanOrEqual(40_002 + 42);
    }
  });

  it('without any of the models has no map', () => {
    const found = discover(
      new Device(40_000, [
        [1, 66],
        [103, 50],
      ]),
    );
    expect(found && sunspecMap(profile('sunspec-meter'), found, known)).toBeNull();
  });
});

describe('an inverter', () => {
  const INVERTER_103: Values = {
    10: [2_300],
    13: [0xffff],
    14: [250],
    15: [1],
    16: [4_999],
    17: [0xfffe],
    24: [0, 5_000],
    26: [2],
  };
  it('counts what it feeds as export, and its power flows out', () => {
    const device = new Device(40_000, [
      [1, 66, IDENTITY],
      [103, 50, INVERTER_103],
    ]);
    const map = mapOf('sunspec-inverter', device);
    expect(map.bills).toEqual({ import: false, export: true });
    expect(sampleOf(map, device)).toMatchObject({
      importWh: null,
      exportWh: 500_000n,
      powerW: -2_500,
      voltageDv: 2_300,
      frequencyChz: 4_999,
    });
    expect(faultsOf(map, device)).toEqual([]);
  });

  it('has as many inputs as the length of model 160 says', () => {
    const module = (at: number, watts: number): Values => ({ [at + 11]: [watts], [at + 12]: [0, 900] });
    const device = new Device(40_000, [
      [103, 50, INVERTER_103],
      [160, 48, { 4: [0], 5: [3], 8: [9], ...module(10, 1_200), ...module(30, 0xffff) }],
    ]);
    const map = mapOf('sunspec-inverter', device);
    const inputs = map.registers.filter((register) => register.key.startsWith('dc_')).map((register) => register.key);
    expect(inputs).toEqual(['dc_power_1', 'dc_energy_1', 'dc_power_2', 'dc_energy_2']);
    const start = device.starts[1] ?? 0;
    expect(map.registers.filter((one) => one.key === 'dc_energy_2')).toMatchObject([
      { address: start + 42, scaleFactor: `sf:${start + 5}` },
    ]);
    expect(map.registers.filter((one) => one.key === `sf:${start + 5}`)).toHaveLength(1);
    // Direct current is never billed: the poll does not read it.
    expect(polledRegisters(map).some((register) => register.key.startsWith('dc_'))).toBe(false);
  });

  it('of model 701 counts both ways in 64 bits', () => {
    const device = new Device(40_000, [
      [
        701,
        153,
        {
          10: [100],
          17: [0, 5_001],
          19: [0, 0, 1, 0],
          23: [0, 0, 0, 77],
          47: [2_312],
          114: [0xffff],
          115: [0xfffe],
          116: [1],
          120: [0],
        },
      ],
    ]);
    const map = mapOf('sunspec-der', device);
    expect(sampleOf(map, device)).toMatchObject({
      importWh: 77n,
      exportWh: 65_536n,
      powerW: -1_000,
      voltageDv: 2_312,
      frequencyChz: 5_001,
    });
    const absent = new Device(40_000, [[701, 153, { 19: [0xffff, 0xffff, 0xffff, 0xffff], 120: [0] }]]);
    expect(billingFault(sampleOf(mapOf('sunspec-der', absent), absent))).toMatch(/export register is not available/);
  });
});
