import { createRequire } from 'node:module';
import { systemClock, systemRandom } from '@gridtokenx/runtime/node';
import { freePort } from '@gridtokenx/testing-kit/free-port';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { afterEach, describe, expect, it } from 'vitest';

import { busAt } from '../../src/adapters/modbus/open.js';
import { SunspecReader } from '../../src/adapters/modbus/sunspec-reader.js';
import { loadProfiles, loadSunspecModels } from '../../src/adapters/profiles/files.js';

import { ReplyQuarantine, USUAL_RULES } from '../../src/domain/bus/reply-quarantine.js';
import { ReadFailure } from '../../src/domain/ports.js';
import type { Bills, SunspecProfile } from '../../src/profiles/profile.js';
import { SunspecDevice as Device } from '../support/sunspec-device.js';

interface Server {
  on(event: string, call: () => void): void;
  close(done: () => void): void;
}
type Vector = { getMultipleHoldingRegisters(address: number, count: number, unit: number): number[] };
const { ServerTCP } = createRequire(import.meta.url)('modbus-serial') as {
  ServerTCP: new (vector: Vector, options: { host: string; port: number; unitID: number }) => Server;
};

const known = loadSunspecModels();
const profile = (id: string) => loadProfiles().get(id) as SunspecProfile;
const UNIT = 3;
const BOTH: Bills = { import: true, export: true };

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Reads the device over a real connection to modbus-serial's server. */
async function readerOf(id: string, device: Device, { needs = BOTH, converter = false } = {}) {
  const port = await freePort();
  const vector: Vector = {
    getMultipleHoldingRegisters: (address, count, unit) => {
      if (unit !== UNIT) throw new Error('another unit');
      return device.read(address, count);
    },
  };
  const server = new ServerTCP(vector, { host: '127.0.0.1', port, unitID: UNIT });
  await new Promise<void>((resolve) => server.on('initialized', resolve));
  const bus = busAt({
    log: quietLog,
    name: 'bus',
    address: { transport: 'tcp', host: '127.0.0.1', port, converter },
    clock: systemClock,
    random: systemRandom,
    requestMs: 250,
    connectMs: 1_000,
    quarantine: new ReplyQuarantine(USUAL_RULES),
    timeoutMinMs: 50,
    restMs: 0,
  });
  cleanups.push(
    () => bus.close(),
    () => new Promise<void>((resolve) => server.close(() => resolve())),
  );
  const cost = { charTimeUs: 1, turnaroundUs: 50_000, pauseUs: 0, transport: 'tcp' } as const;
  const { reading: readingClock } = new VirtualClock();
  const own = { ...profile(id), limits: { ...profile(id).limits, timeoutMinMs: 50, quarantineMs: 0 } };
  const options = { bus, unit: UNIT, needs, readingClock, clock: systemClock, periodMs: 10_000, cost, known };
  return new SunspecReader({ ...options, profile: own });
}

const GOOD = { importWh: 700_000n, exportWh: 123_450n, powerW: -1_500, voltageDv: 2_301, frequencyChz: 5_000 };

describe('a SunSpec device over a real connection', () => {
  it.each([201, 202, 203, 204, 211, 212, 213, 214])('with meter model %i is read by its own list', async (model) => {
    const reader = await readerOf('sunspec-meter', new Device([model]));
    expect(await reader.read()).toMatchObject(GOOD);
    expect(await reader.serial()).toBe('SN-0042');
    expect(await reader.read()).toMatchObject(GOOD);
  });

  it('with model 701 counts both directions at its terminals, power outwards', async () => {
    const reader = await readerOf('sunspec-der', new Device([701, 160]));
    expect(await reader.read()).toMatchObject({ ...GOOD, powerW: 1_500 });
  });

  it.each([103, 113])('with inverter model %i counts what it feeds, and has no import', async (model) => {
    const device = new Device([model, 160]);
    const production = await readerOf('sunspec-inverter', device, { needs: { import: false, export: true } });
    expect(await production.read()).toMatchObject({ importWh: 0n, exportWh: 123_450n, powerW: 1_500 });
    const point = await readerOf('sunspec-inverter', new Device([model]));
    await expect(point.read()).rejects.toThrow('no register for import');
  });

  it("lists its models at any of the profile's bases", async () => {
    for (const base of [0, 50_000]) {
      const reader = await readerOf('sunspec-meter', new Device([203], base));
      expect(await reader.read()).toMatchObject(GOOD);
    }
  });

  it('is asked for its list once, and again when it no longer has the registers', async () => {
    const device = new Device([203]);
    const reader = await readerOf('sunspec-meter', device);
    await reader.read();
    const walked = device.requests;
    await reader.read();
    expect(device.requests - walked).toBeLessThan(walked);
    device.words.clear();
    await expect(reader.read()).rejects.toMatchObject({ failure: ReadFailure.exception });
    for (const [address, word] of new Device([213], 50_000).words) device.words.set(address, word);
    expect(await reader.read()).toMatchObject(GOOD);
  });

  it('may change a scale factor together with its values: both come in one request', async () => {
    const device = new Device([203]);
    const reader = await readerOf('sunspec-meter', device);
    expect(await reader.read()).toMatchObject({ importWh: 700_000n });
    for (const [exponent, wh] of [
      [0, 700_007],
      [2, 700_100],
    ] as const) {
      device.set(203, 'TotWhImp', wh, exponent);
      device.set(203, 'TotWhExp', 123_400, exponent);
      expect(await reader.read()).toMatchObject({ importWh: BigInt(wh), exportWh: 123_400n });
      expect(reader.stepWh(0n)).toBe(BigInt(10 ** exponent));
    }
  });

  it('leaves out what it does not implement, and gives no energy where that is not there', async () => {
    const device = new Device([203]);
    const reader = await readerOf('sunspec-meter', device);
    device.put(device.point(203, 'W').at, [0x8000]);
    device.put(device.point(203, 'Hz_SF').at, [0x8000]);
    expect(await reader.read()).toMatchObject({ importWh: 700_000n, powerW: null, frequencyChz: null });
    device.put(device.point(203, 'TotWh_SF').at, [0x8000]);
    await expect(reader.read()).rejects.toMatchObject({ failure: ReadFailure.noValue });
  });

  it('is read behind a converter too, where no two requests in a row have one length', {
    timeout: 20_000,
  }, async () => {
    const device = new Device([203]);
    const counts: number[] = [];
    const read = device.read.bind(device);
    device.read = (address, count) => {
      counts.push(count);
      return read(address, count);
    };
    const reader = await readerOf('sunspec-meter', device, { converter: true });
    expect(await reader.read()).toMatchObject(GOOD);
    // The reader repeats only the header at the end of the device's registers, alone and late.
    const twice = counts.flatMap((count, i) => (i > 0 && counts[i - 1] === count ? [count] : []));
    expect(twice).toEqual([]);
  });

  it('that answers few registers at once is read by shorter reads, and its list is not asked for again', async () => {
    const device = new Device([203]);
    const asked: number[] = [];
    const read = device.read.bind(device);
    device.read = (address, count) => {
      asked.push(address);
      if (count > 20) throw Object.assign(new Error('too many'), { modbusErrorCode: 3 });
      return read(address, count);
    };
    const reader = await readerOf('sunspec-meter', device);
    for (let polls = 0; polls < 6; polls++) expect(await reader.read()).toMatchObject(GOOD);
    expect(asked.filter((address) => address === device.base)).toHaveLength(1);
    expect(reader.notes()).toEqual([expect.stringMatching(/at most 20 registers/)]);
  });

  it('that is none says so', async () => {
    const empty = new Device([203]);
    empty.words.clear();
    const none = await readerOf('sunspec-meter', empty);
    await expect(none.read()).rejects.toThrow('shows no SunSpec marker at 40000, 50000, 0');
    const other = await readerOf('sunspec-meter', new Device([103]));
    await expect(other.read()).rejects.toThrow('has SunSpec models 1, 103, and none of those that sunspec-meter reads');
    const short = new Device([203]);
    short.put((short.at.get(203) ?? 0) + 1, [0]);
    short.words.delete((short.at.get(203) ?? 0) + 107);
    const wrong = await readerOf('sunspec-meter', short);
    await expect(wrong.read()).rejects.toThrow('model 203 at 40070 states length 0');
  });
});
