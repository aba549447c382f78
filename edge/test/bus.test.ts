import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { realTime } from '../src/adapters/clock/real-time.js';
import { Bus, type BusConnection } from '../src/adapters/modbus/bus.js';
import { busOpener } from '../src/adapters/modbus/connections.js';
import { meterProfiles } from '../src/adapters/modbus/profiles.js';
import { ModbusMeterReader } from '../src/adapters/modbus/reader.js';
import { systemRandom } from '../src/adapters/random.js';
import { ReadFailure } from '../src/ports.js';
import { settle, VirtualTime } from './support/virtual-time.js';

const random = { bytes: () => new Uint8Array(8), fraction: () => 0 };

/** A line on which the test answers each request by hand. */
class FakeLine {
  opened = 0;
  closed = 0;
  refuse = false;
  readonly asked: {
    unit: number;
    address: number;
    count: number;
    answer: (bytes: Uint8Array) => void;
    fail: (e: Error) => void;
  }[] = [];
  open = async (): Promise<BusConnection> => {
    this.opened++;
    if (this.refuse) throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    return {
      read: (unit, _functionCode, address, count) =>
        new Promise((answer, fail) => this.asked.push({ unit, address, count, answer, fail })),
      close: () => {
        this.closed++;
      },
    };
  };
}

function setUp() {
  const time = new VirtualTime();
  const line = new FakeLine();
  const bus = new Bus({ name: 'bus', open: line.open, real: time, random, requestMs: 100, connectMs: 1_000 });
  return { time, line, bus };
}

describe('a bus', () => {
  test('has one request in flight, in the order they were made', async () => {
    const { line, bus } = setUp();
    const first = bus.read(1, 4, 72, 1);
    const second = bus.read(2, 4, 72, 1);
    await settle();
    expect(line.asked.map(({ unit }) => unit)).toEqual([1]);
    line.asked[0]?.answer(Uint8Array.of(0, 1));
    expect(await first).toEqual(Uint8Array.of(0, 1));
    await settle();
    expect(line.asked.map(({ unit }) => unit)).toEqual([1, 2]);
    line.asked[1]?.answer(Uint8Array.of(0, 2));
    expect(await second).toEqual(Uint8Array.of(0, 2));
    expect(line.opened).toBe(1);
  });

  test('never uses an answer that came after its deadline, and opens a new connection', async () => {
    const { time, line, bus } = setUp();
    const late = bus.read(1, 4, 72, 1);
    const failed = expect(late).rejects.toMatchObject({ failure: ReadFailure.timeout });
    await time.advance(101);
    await failed;
    line.asked[0]?.answer(Uint8Array.of(9, 9));
    expect(line.closed).toBe(1);
    const next = bus.read(1, 4, 74, 1);
    await settle();
    expect(line.opened).toBe(2);
    line.asked[1]?.answer(Uint8Array.of(7, 7));
    expect(await next).toEqual(Uint8Array.of(7, 7));
  });

  test('keeps the connection after an exception, closes it after an answer of another length', async () => {
    const { line, bus } = setUp();
    const refused = bus.read(1, 4, 900, 1);
    await settle();
    const { ReadError } = await import('../src/ports.js');
    line.asked[0]?.fail(new ReadError(ReadFailure.exception, 'exception 2'));
    await expect(refused).rejects.toMatchObject({ failure: ReadFailure.exception });
    expect(line.closed).toBe(0);
    const short = bus.read(1, 4, 72, 2);
    await settle();
    line.asked[1]?.answer(Uint8Array.of(1, 2));
    await expect(short).rejects.toMatchObject({ failure: ReadFailure.badReply });
    expect(line.closed).toBe(1);
  });

  test('waits longer and longer before it connects again, and says so at once meanwhile', async () => {
    const { time, line, bus } = setUp();
    line.refuse = true;
    const attempts: number[] = [];
    for (let ms = 0; ms < 2_000; ms += 10) {
      const before = line.opened;
      await expect(bus.read(1, 4, 72, 1)).rejects.toMatchObject({ failure: ReadFailure.connection });
      if (line.opened > before) attempts.push(ms);
      await time.advance(10);
    }
    expect(attempts).toEqual([0, 100, 300, 700, 1500]);
    line.refuse = false;
    await time.advance(1_200);
    const good = bus.read(1, 4, 72, 1);
    await settle();
    line.asked[0]?.answer(Uint8Array.of(1, 1));
    expect(await good).toEqual(Uint8Array.of(1, 1));
  });
});

const float = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatBE(value);
  return bytes;
};

describe('a reader', () => {
  const read = async (importKwh: number, exportKwh: number, values: Uint8Array | null) => {
    const { time, line, bus } = setUp();
    const reader = new ModbusMeterReader(bus, 5, meterProfiles['eastron-sdm630'], time.clock);
    const sample = reader.read();
    sample.catch(() => {});
    await settle();
    expect(line.asked[0]).toMatchObject({ unit: 5, address: 72, count: 4 });
    line.asked[0]?.answer(Buffer.concat([float(importKwh), float(exportKwh)]));
    await settle();
    if (values) line.asked[1]?.answer(values);
    else await time.advance(200);
    return sample;
  };

  test('rounds once to the nearest watt-hour, and hashes the frames as they stood on the line', async () => {
    const values = Buffer.alloc(144);
    values.writeFloatBE(230.16, 0);
    values.writeFloatBE(-1234.4, 104);
    values.writeFloatBE(49.987, 140);
    const sample = await read(1234.567, 16_383.999, values);
    expect(sample).toMatchObject({
      importWh: 1_234_567n,
      exportWh: 16_383_999n,
      powerW: -1234,
      voltageDv: 2302,
      frequencyChz: 4999,
    });
    // Unit, function, byte count, the two floats, CRC: worked out with another CRC implementation.
    expect(Buffer.from(sample.raw.subarray(0, 13)).toString('hex')).toBe('050408449a5225467fffff6ba2');
    expect(sample.raw.length).toBe(13 + 149);
  });

  test('has a reading also when the values beside the energy do not come', async () => {
    expect(await read(1, 2, null)).toMatchObject({
      importWh: 1000n,
      exportWh: 2000n,
      powerW: null,
      voltageDv: null,
      frequencyChz: null,
    });
  });

  test.each([[Number.NaN], [-1], [Number.POSITIVE_INFINITY], [2e7]])('takes %s kWh for no reading', async (kwh) => {
    await expect(read(kwh, 1, null)).rejects.toMatchObject({ failure: ReadFailure.badReply });
    await expect(read(1, kwh, null)).rejects.toMatchObject({ failure: ReadFailure.badReply });
  });
});

describe('a real socket', () => {
  const cleanups: (() => void)[] = [];
  afterEach(() => {
    for (const cleanup of cleanups.splice(0)) cleanup();
  });
  const listen = async (serve: (socket: Socket) => void): Promise<number> => {
    const server: Server = createServer((socket) => {
      cleanups.push(() => socket.destroy());
      socket.on('error', () => {});
      serve(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => server.close());
    return (server.address() as { port: number }).port;
  };
  const busOn = (transport: 'tcp' | 'rtu-over-tcp', port: number) => {
    const open = busOpener({ transport, host: '127.0.0.1', port }, 150);
    const bus = new Bus({ name: 'bus', open, real: realTime, random: systemRandom, requestMs: 150, connectMs: 1_000 });
    cleanups.push(() => bus.close());
    return bus;
  };

  test.each(['tcp', 'rtu-over-tcp'] as const)(
    'over %s that is silent, resets or answers noise gives a failure in time and never hangs',
    async (transport) => {
      const behaviours: ((socket: Socket) => void)[] = [
        () => {},
        (socket) => socket.once('data', () => socket.resetAndDestroy()),
        (socket) => socket.once('data', () => socket.end()),
        (socket) => socket.once('data', () => socket.write(Buffer.alloc(64, 0xff))),
      ];
      for (const behave of behaviours) {
        const bus = busOn(transport, await listen(behave));
        const before = performance.now();
        await expect(bus.read(1, 4, 72, 4)).rejects.toMatchObject({ name: 'ReadError' });
        expect(performance.now() - before).toBeLessThan(5_000);
      }
    },
  );

  test('that nobody listens on says what to look at', async () => {
    const port = await listen(() => {});
    for (const cleanup of cleanups.splice(0)) cleanup();
    await expect(busOn('tcp', port).read(1, 4, 72, 4)).rejects.toThrow('is the meter on');
  });
});
