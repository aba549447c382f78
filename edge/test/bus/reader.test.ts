import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { expect, test } from 'vitest';
import { makeClient } from '../../src/adapters/modbus/library.js';
import { ProfileReader } from '../../src/adapters/modbus/reader.js';
import { Bus } from '../../src/domain/bus/bus.js';
import { withCrc } from '../../src/domain/bus/crc.js';
import { RtuFraming } from '../../src/domain/bus/framing.js';
import { serialSpeed } from '../../src/domain/bus/line.js';
import { ReplyQuarantine, USUAL_RULES } from '../../src/domain/bus/reply-quarantine.js';
import { ReadFailure } from '../../src/domain/ports.js';
import { ONE } from '../../src/profiles/rational.js';
import type { Register } from '../../src/profiles/register.js';
import { limitsOf, registerAt } from '../support/registers.js';

const PERIOD_MS = 2_000;

/**
 * Builds a reader of a meter whose register at address n reads n. `answers` returns true when the meter answers the
 * request with that number at that address.
 */
function setUp(
  last: number,
  answers: (request: number, address: number) => boolean = () => true,
  { periodMs = PERIOD_MS, more = [] as Register[], scale = ONE, most = 125 } = {},
) {
  const time = new VirtualClock();
  const asked: { address: number; count: number }[] = [];
  let input: Uint8Array = new Uint8Array(0);
  const bus = new Bus({
    log: quietLog,
    quarantine: new ReplyQuarantine(USUAL_RULES),
    name: 'bus',
    open: async () => ({
      async write(request: Uint8Array) {
        const [unit = 0, fn = 0, high = 0, low = 0, , count = 0] = request;
        const address = 256 * high + low;
        asked.push({ address, count });
        if (!answers(asked.length, address)) return;
        if (count > most) {
          time.after(60, () => {
            input = withCrc(Uint8Array.of(unit, fn + 0x80, 2));
          });
          return;
        }
        const data = Array.from({ length: count }, (_, i) => [(address + i) >> 8, (address + i) & 0xff]).flat();
        time.after(60, () => {
          input = withCrc(Uint8Array.of(unit, fn, data.length, ...data));
        });
      },
      read() {
        const bytes = input;
        input = new Uint8Array(0);
        return bytes;
      },
      onArrival: () => {},
      close: async () => {},
    }),
    makeClient,
    clock: time,
    random: { bytes: (n) => new Uint8Array(n), fraction: () => 0 },
    speed: serialSpeed(9_600, 'none', 1),
    shapes: true,
    makeFraming: (quarantine) => new RtuFraming(quarantine),
    requestMs: 300,
    connectMs: 1_000,
    minTimeoutMs: 100,
    restMs: 0,
  });
  const reader = new ProfileReader({
    bus,
    unit: 1,
    profile: {
      registers: [
        ...[registerAt('import', 4, { scale }), registerAt('export', 5, { scale })],
        ...(more.length > 0 ? more : [registerAt('power', 8), registerAt('voltage', 2)]),
      ],
      limits: limitsOf({
        readable: [0, 300, 600].map((first) => ({ function: 3 as const, first, last: first + last })),
        timeoutMinMs: 100,
        quarantineMs: 0,
      }),
    },
    needs: { import: true, export: true },
    readingClock: time.reading,
    clock: time,
    periodMs,
    cost: { charTimeUs: 1_042, turnaroundUs: 50_000, pauseUs: 0, transport: 'rtu' },
  });
  const poll = async () => {
    const sample = reader.read().then(
      (good) => ({ good, failure: null }),
      ({ failure }: { failure: ReadFailure }) => ({ good: null, failure }),
    );
    await time.advance(periodMs);
    return sample;
  };
  return { poll, asked, reader };
}

test('lengths take turns and no poll misses a value for that', async () => {
  const { poll, asked } = setUp(40);
  for (let i = 0; i < 8; i++) {
    const { good } = await poll();
    expect(good).toMatchObject({ importWh: 4n, exportWh: 5n, powerW: 8, voltageDv: 20 });
  }
  const counts = asked.map(({ count }) => count);
  expect(counts).toHaveLength(8);
  expect(counts.every((count, i) => count !== counts[i - 1])).toBe(true);
});

test('where only the energy can be read by another length, that is what comes', async () => {
  const { poll } = setUp(8);
  const samples = [await poll(), await poll(), await poll()];
  expect(samples.every(({ good }) => good?.importWh === 4n && good.exportWh === 5n)).toBe(true);
});

test('energy that does not come is asked for once more, with another length, and not a third time', async () => {
  const { poll, asked } = setUp(40, (request) => request > 2);
  expect((await poll()).failure).toBe(ReadFailure.timeout);
  expect(asked).toHaveLength(2);
  expect((await poll()).good).toMatchObject({ importWh: 4n, powerW: 8 });
  expect(new Set(asked.map(({ count }) => count)).size).toBe(3);
});

test('energy is asked for once more also when the time of the poll is nearly over', async () => {
  const { poll, asked } = setUp(40, (request) => request > 1, { periodMs: 300 });
  expect((await poll()).good).toMatchObject({ importWh: 4n, exportWh: 5n });
  expect(asked).toHaveLength(2);
});

test('of the other values one is asked for once more in a poll, and only within its time', async () => {
  const more = [registerAt('power', 310), registerAt('frequency', 610)];
  const addresses = async (periodMs: number) => {
    const { poll, asked } = setUp(40, (_request, address) => address < 100, { periodMs, more });
    expect((await poll()).good).toMatchObject({ importWh: 4n, powerW: null, frequencyChz: null });
    return asked.map(({ address }) => Math.floor(address / 100));
  };
  expect(await addresses(PERIOD_MS)).toEqual([0, 3, 3, 6]);
  expect(await addresses(450)).toEqual([0, 3, 6]);
  const { poll, asked } = setUp(40, (request) => request === 1 || request === 3, { more });
  expect((await poll()).good).toMatchObject({ powerW: 310, frequencyChz: null });
  expect(asked.map(({ address }) => Math.floor(address / 100))).toEqual([0, 3, 3, 6]);
});

test('a step is that of the register, before any sample as well', async () => {
  const { reader } = setUp(40, () => true, { scale: { num: 10n, den: 1n } });
  expect(reader.stepWh(0n)).toBe(10n);
});

test('a meter on a serial line that refuses long reads is read in its first poll, and loses no poll while it is learnt', async () => {
  const more = [registerAt('power', 20), registerAt('voltage', 2)];
  for (const most of [3, 7, 12]) {
    const { poll, asked } = setUp(40, () => true, { more, most, periodMs: 20_000 });
    for (let polls = 0; polls < 12; polls++) expect((await poll()).good).toMatchObject({ importWh: 4n, exportWh: 5n });
    const before = asked.length;
    await poll();
    expect(asked.slice(before).every(({ count }) => count <= most)).toBe(true);
  }
});
