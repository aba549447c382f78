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

/** Readings of the device, in the points' own units. */
const VALUES: Readonly<Record<string, number>> = {
  TotWhImp: 700_000,
  TotWhExp: 123_450,
  TotWhAbs: 700_000,
  TotWhInj: 123_450,
  WH: 123_450,
  W: -1_500,
  PhVphA: 230.1,
  VL1: 230.1,
  Hz: 50,
};
const EXPONENTS: Readonly<Record<string, number>> = { PhVphA: -1, VL1: -1, Hz: -2, W: 0 };
const ENERGY_EXPONENT = 1;

/** A device with these models behind the common one, generated from the models' own points. */
class Device {
  readonly words = new Map<number, number>();
  /** Address of each model. */
  readonly at = new Map<number, number>();
  readonly base: number;
  requests = 0;
  constructor(models: readonly number[], base = 40_000) {
    this.base = base;
    this.put(base, [0x5375, 0x6e53]);
    let address = base + 2;
    for (const id of [1, ...models]) {
      const size = (known.models[id]?.size ?? 0) + (known.models[id]?.repeating?.size ?? 0);
      this.at.set(id, address);
      this.put(address, [id, size - 2, ...Array<number>(size - 2).fill(0)]);
      for (const name of Object.keys(known.models[id]?.points ?? {})) this.set(id, name, VALUES[name]);
      address += size;
    }
    this.put(address, [0xffff, 0]);
    this.text(1, 'Mn', 'Maker');
    this.text(1, 'SN', 'SN-0042');
  }
  put(address: number, words: readonly number[]): void {
    for (const [i, word] of words.entries()) this.words.set(address + i, word & 0xffff);
  }
  point(id: number, name: string) {
    const found = known.models[id]?.points[name];
    if (!found) throw new Error(`model ${id} has no ${name}`);
    return { at: (this.at.get(id) ?? 0) + found[0], type: found[1], factor: found[2], size: found[4] };
  }
  text(id: number, name: string, value: string): void {
    const { at, size } = this.point(id, name);
    const bytes = Buffer.alloc(2 * size);
    bytes.write(value);
    this.put(
      at,
      Array.from({ length: size }, (_, i) => bytes.readUInt16BE(2 * i)),
    );
  }
  /** Sets a point, and the scale factor that it names. */
  set(id: number, name: string, value: number | undefined, exponent = EXPONENTS[name] ?? ENERGY_EXPONENT): void {
    if (value === undefined) return;
    const { at, type, factor, size } = this.point(id, name);
    const float = new DataView(new ArrayBuffer(4));
    float.setFloat32(0, value);
    const raw = type === 'float32' ? BigInt(float.getUint32(0)) : BigInt(Math.round(value / 10 ** exponent));
    this.put(
      at,
      Array.from({ length: size }, (_, i) => Number((raw >> BigInt(16 * (size - 1 - i))) & 0xffffn)),
    );
    if (factor !== null && type !== 'float32') this.put(this.point(id, factor).at, [exponent]);
  }
  read(address: number, count: number): number[] {
    this.requests++;
    return Array.from({ length: count }, (_, i) => {
      const word = this.words.get(address + i);
      if (word === undefined) throw Object.assign(new Error('no such register'), { modbusErrorCode: 2 });
      return word;
    });
  }
}

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

  it('that is none says so', async () => {
    const empty = new Device([203]);
    empty.words.clear();
    const none = await readerOf('sunspec-meter', empty);
    await expect(none.read()).rejects.toThrow('shows no SunSpec marker at 40000, 50000, 0');
    const other = await readerOf('sunspec-meter', new Device([103]));
    await expect(other.read()).rejects.toThrow('has SunSpec models 1, 103, and none of those that sunspec-meter reads');
    const endless = new Device([203]);
    endless.put((endless.at.get(203) ?? 0) + 1, [0]);
    const wrong = await readerOf('sunspec-meter', endless);
    await expect(wrong.read()).rejects.toThrow('has no length');
  });
});
