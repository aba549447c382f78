// Reported in openWB/core #2890: an SDM630 answers exception 2 to a read of more than 50 registers. Its document states
// 80, and the gateway's probe of voltage and frequency reads 72.
import { describe, expect, test } from 'vitest';
import { loadProfiles, loadSunspecModels } from '../../../src/adapters/profiles/files.js';
import { foundText } from '../../../src/cli/progress.js';
import { busView } from '../../../src/domain/bus/messages.js';
import { identify } from '../../../src/domain/scan/identify.js';
import type { UnitReader } from '../../../src/domain/scan/unit-prober.js';
import { FieldCase } from '../../support/field-case.js';
import { type FakeMeter, profileMeter } from '../../support/profile-meter.js';

const field = new FieldCase();
const OPTIONS = { profile: 'eastron-sdm630' };
const MOST = 50;

/** A meter that refuses long reads, and any read of `lacking`, with these codes. */
function shortMeter(
  code = 2,
  most = MOST,
  lacking: readonly number[] = [],
  values = {},
): FakeMeter & { counts: number[] } {
  const whole = profileMeter('eastron-sdm630', { values });
  const counts: number[] = [];
  const meter: FakeMeter = (fn, address, count) => {
    counts.push(count);
    if (count > most || lacking.some((at) => fn === 4 && address <= at && at < address + count)) return code;
    return whole(fn, address, count);
  };
  return Object.assign(meter, { counts });
}
/** The unit's state as `status` shows it. */
const unitOf = (bus: Parameters<typeof busView>[0]) => (busView(bus, 0).units as Record<string, unknown>[])[0];

describe('run', () => {
  test.each([2, 3])('reads the meter in its first poll, and learns its limit from exception %i', async (code) => {
    const meter = shortMeter(code, 22);
    const { port } = await field.device({ meter });
    const { reader, bus } = field.open(port, OPTIONS);
    const good = { importWh: 1_234_560n, exportWh: 654_320n, powerW: 1_230, voltageDv: 2_310, frequencyChz: 5_000 };
    expect(await reader.read()).toMatchObject(good);
    for (let polls = 0; polls < 8; polls++) expect(await reader.read()).toMatchObject(good);
    expect(unitOf(bus)).toMatchObject({ max_registers: 22 });
    expect(reader.notes()).toEqual(['it answers reads of at most 22 registers, and its profile states more']);
    const before = meter.counts.length;
    await reader.read();
    expect(meter.counts.slice(before).every((count) => count <= 22)).toBe(true);
    expect(busView(bus, 0).problems).toEqual([]);
  });

  test('states the address of an energy register that the meter lacks, after a bounded number of reads', async () => {
    const meter = shortMeter(2, 125, [74, 75]);
    const { port } = await field.device({ meter });
    const { reader } = field.open(port, OPTIONS);
    const said =
      /the read of registers 74 to 75 \(function 4\) with exception 2, the meter does not have these registers/;
    await expect(reader.read()).rejects.toThrow(said);
    expect(meter.counts.length).toBeLessThanOrEqual(12);
    const before = meter.counts.length;
    await expect(reader.read()).rejects.toThrow(said);
    expect(meter.counts.length - before).toBeLessThanOrEqual(2);
  });

  test('goes on without another register that the meter lacks, and keeps long reads', async () => {
    const meter = shortMeter(2, 125, [52, 53]);
    const { port } = await field.device({ meter });
    const { reader, bus } = field.open(port, OPTIONS);
    for (let polls = 0; polls < 3; polls++)
      expect(await reader.read()).toMatchObject({ importWh: 1_234_560n, powerW: null, frequencyChz: 5_000 });
    expect(reader.notes()).toEqual(['it has no power (register 52): the gateway reads it without']);
    expect(unitOf(bus)).toMatchObject({ max_registers: null });
    const before = meter.counts.length;
    await reader.read();
    expect(meter.counts.length - before).toBeLessThanOrEqual(3);
  });

  test('reads the meter again at once when it refused everything for a while', async () => {
    let isAwake = false;
    const whole = profileMeter('eastron-sdm630');
    const { port } = await field.device({ meter: (...ask) => (isAwake ? whole(...ask) : 2) });
    const { reader, bus } = field.open(port, OPTIONS);
    await expect(reader.read()).rejects.toThrow(/exception 2/);
    isAwake = true;
    for (let polls = 0; polls < 2; polls++) expect(await reader.read()).toMatchObject({ importWh: 1_234_560n });
    expect(unitOf(bus)).toMatchObject({ max_registers: null });
    expect(reader.notes()).toEqual([]);
  });
});

test('the probe at enrol and start is read by shorter reads, too', async () => {
  const { port } = await field.device({ meter: shortMeter() });
  const { checkProbe } = field.open(port, OPTIONS);
  expect(await checkProbe?.()).toEqual([]);
});

test('scan finds the model, reads it, and says its limit', async () => {
  const meter = shortMeter();
  const unit: UnitReader = {
    pick: () => 0,
    restMs: () => 0,
    read: async ({ fn, variants: [first] }) => {
      const { address, count } = first as { address: number; count: number };
      const answer = meter(fn, address, count);
      if (typeof answer === 'number') return { what: 'exception', code: answer };
      return { what: 'data', fn, address, data: answer ?? new Uint8Array(0) };
    },
  };
  // On a network one long read is cheaper than two short ones.
  const cost = { charTimeUs: 1, turnaroundUs: 50_000, pauseUs: 0, transport: 'tcp' } as const;
  const { fits, silent } = await identify(unit, [...loadProfiles().values()], loadSunspecModels(), cost);
  expect(fits.map(({ profile }) => profile)).toContain('eastron-sdm630');
  expect(fits.find(({ profile }) => profile === 'eastron-sdm630')).toMatchObject({
    importWh: '1234560',
    maxRegisters: 50,
  });
  expect(meter.counts.length).toBeLessThan(120);
  const fit = fits.filter(({ profile }) => profile === 'eastron-sdm630');
  const found = { setting: { transport: 'tcp' } as const, unit: 1, afterMs: 0, fits: fit, silent };
  expect(foundText(found)).toMatch(/profile eastron-sdm630; .*; it answers at most 50 registers at once$/);
});

test('doctor examines it by shorter reads, and says its limit as a note', { timeout: 40_000 }, async () => {
  // Without power nobody expects the registers to move.
  const { port } = await field.device({ meter: shortMeter(2, 22, [], { power: 0 }) });
  const { isWell, said } = await field.doctor(port, OPTIONS);
  expect(said).toEqual([
    expect.stringMatching(/^note: bus lan, unit 1 \(house\): refuses \d+ registers at once and answers/),
  ]);
  expect(isWell).toBe(true);
});
