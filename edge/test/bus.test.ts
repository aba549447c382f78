import { createServer, type Server, type Socket } from 'node:net';
import { systemClock, systemRandom } from '@gridtokenx/runtime/node';
import { VirtualTime } from '@gridtokenx/testing-kit/virtual-time';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';

import { makeClient } from '../src/adapters/modbus/library.js';
import { busAt } from '../src/adapters/modbus/open.js';

import { Bus } from '../src/domain/bus/bus.js';
import { crc16, withCrc } from '../src/domain/bus/crc.js';
import { frameAt, requestFrame } from '../src/domain/bus/frames.js';
import { RtuFraming } from '../src/domain/bus/framing.js';
import { serialSpeed } from '../src/domain/bus/line.js';
import { mbapAt, toMbap } from '../src/domain/bus/mbap.js';
import { type Line, LineGone } from '../src/domain/bus/ports.js';
import { MOST_OUTSTANDING, ShapeBook, USUAL_RULES } from '../src/domain/bus/shapes.js';
import { TimeoutEstimate } from '../src/domain/bus/timeouts.js';
import { busProblems } from '../src/domain/bus/words.js';
import { ReadFailure } from '../src/domain/ports.js';

const random = { bytes: () => new Uint8Array(8), fraction: () => 0 };
const reply = (unit: number, fn: number, data: readonly number[]) =>
  withCrc(Uint8Array.of(unit, fn, data.length, ...data));

describe('frames', () => {
  test('have the CRC that the Modbus specification gives', () => {
    // Known pair: read 2 holding registers from 0 of unit 1.
    expect(Buffer.from(requestFrame({ unit: 1, fn: 3, address: 0, count: 2 })).toString('hex')).toBe(
      '010300000002c40b',
    );
    expect(crc16(new TextEncoder().encode('123456789'))).toBe(0x4b37);
  });

  test('are found whole, however they are cut; a flipped bit is never a frame', () => {
    const wanted = { unit: 5, fn: 4 as const, count: 2 };
    const whole = reply(5, 4, [1, 2, 3, 4]);
    for (let length = 0; length < whole.length; length++)
      expect(frameAt(whole.subarray(0, length), wanted)).toBe('incomplete');
    expect(frameAt(whole, wanted)).toMatchObject({ type: 'reply', bytes: 4, length: 9 });
    for (let bit = 0; bit < 8 * whole.length; bit++) {
      const bent = Uint8Array.from(whole);
      bent[bit >> 3] = (bent[bit >> 3] as number) ^ (1 << (bit & 7));
      const found = frameAt(bent, wanted);
      expect(found === 'garbage' || found === 'incomplete').toBe(true);
    }
  });

  test('of Modbus TCP are cut by their header, and a wrong header is no stream to trust', () => {
    const message = toMbap(0x1234, reply(5, 4, [1, 2]));
    expect(mbapAt(message.subarray(0, 7))).toBe('incomplete');
    expect(mbapAt(message)).toMatchObject({ transaction: 0x1234, length: message.length });
    expect(mbapAt(Uint8Array.from(message, (byte, i) => (i === 2 ? 1 : byte)))).toBe('violation');
    expect(mbapAt(Uint8Array.of(0, 0, 0, 0, 0, 2, 0, 0))).toBe('violation');
    expect(mbapAt(Uint8Array.of(0, 0, 0, 0, 0xff, 0xff, 0, 0))).toBe('violation');
  });
});

describe('shapes', () => {
  const book = () => new ShapeBook({ quarantineMs: 500, quarantineTimeouts: 12 });

  test('are held one time-out after an answer, and never used twice in a row', () => {
    const shapes = book();
    shapes.sent(1, 4, 8, 0, 100);
    shapes.answered(1, 4, 8, 20);
    expect(shapes.mayUse(1, 4, 8, 119)).toBe(false);
    expect(shapes.mayUse(1, 4, 8, 121)).toBe(false);
    shapes.sent(1, 4, 12, 50, 100);
    shapes.answered(1, 4, 12, 60);
    expect(shapes.mayUse(1, 4, 8, 119)).toBe(false);
    expect(shapes.mayUse(1, 4, 8, 120)).toBe(true);
    // Alone it waits as long as after a time-out.
    expect(shapes.freeAt(1, 4, 12, 60)).toBe(60 + 1_200);
    expect(shapes.mayUse(2, 4, 8, 0)).toBe(true);
  });

  test('are held twelve time-outs after one, longer for what came later, and a late answer frees nothing', () => {
    const shapes = book();
    shapes.sent(1, 4, 8, 0, 100);
    shapes.failed(1, 4, 8, 100);
    expect(shapes.freeAt(1, 4, 8, 100)).toBe(1_300);
    expect(shapes.recognise(1, 4, 8, 900)).toBe('late');
    expect(shapes.freeAt(1, 4, 8, 900)).toBe(100 + 1_800);
    expect(shapes.recognise(1, 4, 10, 900)).toBe('foreign');
    expect(shapes.recognise(3, 4, 8, 900)).toBe('foreign');
  });

  test('count the largest time-out of the last hour', () => {
    const shapes = book();
    shapes.sent(1, 4, 8, 0, 400);
    shapes.answered(1, 4, 8, 10);
    shapes.sent(1, 4, 10, 1_000, 100);
    shapes.failed(1, 4, 10, 1_100);
    expect(shapes.freeAt(1, 4, 10, 1_100)).toBe(1_100 + 4_800);
    shapes.sent(1, 4, 12, 3_700_000, 100);
    expect(shapes.quarantineMs(1)).toBe(1_200);
  });

  test('let a unit rest when too many answers are outstanding, until the first can no longer come', () => {
    const shapes = book();
    for (let i = 0; i < MOST_OUTSTANDING; i++) {
      expect(shapes.mayUse(1, 4, 2 * i + 2, 100 * i)).toBe(true);
      shapes.sent(1, 4, 2 * i + 2, 100 * i, 100);
      shapes.failed(1, 4, 2 * i + 2, 100 * i + 100);
    }
    expect(shapes.mayUse(1, 4, 100, 500)).toBe(false);
    expect(shapes.freeAt(1, 4, 100, 500)).toBe(1_300);
    expect(shapes.mayUse(2, 4, 100, 500)).toBe(true);
  });

  test('are never free while an answer to their last use may come, whatever happened', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 5 }), gap: fc.nat(2_000), end: fc.nat(2) }), {
          maxLength: 60,
        }),
        (steps) => {
          const shapes = book();
          const until = new Map<number, number>();
          let now = 0;
          for (const { bytes, gap, end } of steps) {
            now += gap;
            if (!shapes.mayUse(1, 4, 2 * bytes, now)) continue;
            expect(now).toBeGreaterThanOrEqual(until.get(bytes) ?? 0);
            shapes.sent(1, 4, 2 * bytes, now, 100);
            now += 100;
            if (end === 0) shapes.answered(1, 4, 2 * bytes, now);
            else if (end === 1) shapes.failed(1, 4, 2 * bytes, now);
            else shapes.excepted(1, 4, 2 * bytes, now);
            until.set(bytes, now + (end === 0 ? 100 : 1_200));
          }
        },
      ),
    );
  });
});

describe('a time-out', () => {
  const bounds = { initialMs: 1_000, minMs: 50, maxMs: 3_000 };
  test('follows the answers that came in time, within its bounds, and is forgotten when none comes', () => {
    const estimate = new TimeoutEstimate(bounds);
    expect(estimate.timeoutMs()).toBe(1_000);
    for (let i = 0; i < 100; i++) estimate.answered(80);
    expect(estimate.timeoutMs()).toBe(120);
    estimate.answered(200);
    expect(estimate.timeoutMs()).toBe(300);
    for (let i = 0; i < 3; i++) estimate.failed();
    expect(estimate.timeoutMs()).toBe(1_000);
    for (let i = 0; i < 20; i++) estimate.answered(1);
    expect(estimate.timeoutMs()).toBe(50);
  });
});

/** A serial line on which the test answers by hand. */
class HandLine implements Line {
  readonly requests: Uint8Array[] = [];
  isGone = false;
  isClosed = false;
  #input: Uint8Array[] = [];
  answer: (request: Uint8Array) => void = () => {};
  async write(bytes: Uint8Array): Promise<void> {
    this.requests.push(bytes);
    this.answer(bytes);
  }
  say(...frames: readonly Uint8Array[]): void {
    this.#input.push(...frames);
  }
  read(): Uint8Array {
    if (this.isGone) throw new LineGone('unplugged');
    const bytes = Buffer.concat(this.#input);
    this.#input = [];
    return bytes;
  }
  onArrival(): void {}
  async close(): Promise<void> {
    this.isClosed = true;
  }
}

const CHOICES = [4, 6, 8].map((count) => ({ address: 72, count }));
const words = (count: number, value: number) => Array.from({ length: 2 * count }, () => value);

function setUp() {
  const time = new VirtualTime();
  const lines: HandLine[] = [];
  const bus = new Bus({
    book: new ShapeBook(USUAL_RULES),
    name: 'bus',
    open: async () => {
      lines.push(new HandLine());
      return lines.at(-1) as HandLine;
    },
    makeClient,
    real: time,
    random,
    speed: serialSpeed(9_600, 'none', 1),
    shapes: true,
    makeFraming: (book) => new RtuFraming(book),
    requestMs: 200,
    connectMs: 1_000,
    leastTimeoutMs: 50,
    restMs: 0,
  });
  const read = async (choices = CHOICES, unit = 1) => {
    const result = bus.read(unit, 4, choices, { periodMs: 10_000 }).then(
      (good) => ({ good, error: null }),
      (error: { failure: number; message: string }) => ({ good: null, error }),
    );
    await time.advance(600);
    return result;
  };
  const line = () => lines.at(-1) as HandLine;
  const answerWith = (say: (count: number) => readonly Uint8Array[]) => {
    line().answer = (request) => line().say(...say(request[5] as number));
  };
  return { time, bus, lines, line, read, answerWith };
}

describe('a bus', () => {
  test('gives what was asked for, and listens only for a while after it was first opened', async () => {
    const { read, line, answerWith } = setUp();
    await read();
    answerWith((count) => [reply(1, 4, words(count, 7))]);
    const { good } = await read();
    expect(good?.data).toHaveLength(2 * (good?.count ?? 0));
    expect([...new Set(good?.data)]).toEqual([7]);
    expect(line().requests).toHaveLength(2);
  });

  test('asks with another length after a time-out, and takes no late answer for the new one', async () => {
    const { read, line, answerWith, bus } = setUp();
    expect((await read()).error?.failure).toBe(ReadFailure.timeout);
    const first = line().requests[0]?.[5] as number;
    // The late answer to the first request, then the answer to the second, without a silence between them.
    answerWith((count) => [reply(1, 4, words(first, 99)), reply(1, 4, words(count, 7))]);
    const { good } = await read();
    expect(good?.count).not.toBe(first);
    expect([...new Set(good?.data)]).toEqual([7]);
    expect(bus.stats.counts).toMatchObject({ late: 1, answers: 1 });
  });

  test('takes an exception for nothing while another answer is outstanding', async () => {
    const { read, line, bus } = setUp();
    await read();
    line().answer = () => line().say(withCrc(Uint8Array.of(1, 0x84, 2)));
    expect((await read()).error?.failure).toBe(ReadFailure.timeout);
    expect(bus.stats.counts.exceptions).toBe(0);
  });

  test('says an exception as such when nothing is outstanding', async () => {
    const { read, line } = setUp();
    await read();
    line().answer = () => line().say(withCrc(Uint8Array.of(3, 0x84, 2)));
    expect((await read(CHOICES, 3)).error).toMatchObject({ failure: ReadFailure.exception });
  });

  test("takes an answer of a unit that was never asked for another master's", async () => {
    const { read, line } = setUp();
    await read();
    line().answer = () => line().say(reply(7, 4, words(4, 1)));
    expect((await read()).error).toMatchObject({ failure: ReadFailure.foreignMaster });
  });

  test('skips its own echo, and drops a damaged answer up to the silence', async () => {
    const { read, line, answerWith, bus } = setUp();
    await read();
    line().answer = (request) => line().say(request, reply(1, 4, words(request[5] as number, 5)));
    expect([...new Set((await read()).good?.data)]).toEqual([5]);
    expect(bus.stats.counts.echoes).toBe(1);
    answerWith((count) => [Uint8Array.from(reply(1, 4, words(count, 5)), (byte, i) => (i === 4 ? byte ^ 1 : byte))]);
    const { error } = await read();
    expect(error?.message).toContain('damaged');
    expect(bus.stats.counts.damaged).toBe(1);
  });

  test('reads nothing for a minute after another master was heard', async () => {
    const { read, line, answerWith, bus, time } = setUp();
    await read();
    answerWith((count) => [reply(1, 4, words(count, 7))]);
    line().say(requestFrame({ unit: 9, fn: 3, address: 40_000, count: 2 }));
    await time.advance(1_000);
    const asked = line().requests.length;
    expect((await read()).error?.failure).toBe(ReadFailure.foreignMaster);
    expect(line().requests).toHaveLength(asked);
    expect(busProblems(bus, time.monotonicMs())[0]).toContain('another device');
    await time.advance(60_000);
    expect((await read()).good).not.toBeNull();
  });

  test('rests rather than ask with a shape whose answer may still come', async () => {
    const { read, line } = setUp();
    const single = [{ address: 72, count: 4 }];
    expect((await read(single)).error?.failure).toBe(ReadFailure.timeout);
    expect((await read(single)).error?.failure).toBe(ReadFailure.resting);
    expect(line().requests).toHaveLength(1);
  });

  test('asks a silent unit rarely and by itself, and others as before', async () => {
    const { read, line, bus, time } = setUp();
    for (let i = 0; i < 3; i++) await read();
    line().answer = (request) => {
      if (request[0] === 2) line().say(reply(2, 4, words(request[5] as number, 3)));
    };
    const asked = line().requests.length;
    for (let i = 0; i < 20; i++) expect((await read()).error?.failure).toBe(ReadFailure.timeout);
    expect(line().requests.length - asked).toBeLessThan(8);
    expect((await read(CHOICES, 2)).good).not.toBeNull();
    expect(busProblems(bus, time.monotonicMs())[0]).toContain('others on this line answer');
    line().answer = (request) => line().say(reply(request[0] as number, 4, words(request[5] as number, 3)));
    await time.advance(30_000);
    expect(bus.units.get(1)?.silentSinceMs).toBeNull();
    expect((await read()).good).not.toBeNull();
  });

  test('opens an unplugged line anew, and what was held back stays so', async () => {
    const { read, lines, line, answerWith, time } = setUp();
    await read();
    line().isGone = true;
    expect((await read()).error?.failure).toBe(ReadFailure.connection);
    expect(line().isClosed).toBe(true);
    await time.advance(10_000);
    await read();
    expect(lines.length).toBeGreaterThan(1);
    answerWith((count) => [reply(1, 4, words(count, 7))]);
    await time.advance(30_000);
    expect((await read()).good).not.toBeNull();
  });
});

describe('a real socket', () => {
  const cleanups: (() => unknown)[] = [];
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
    const base = { host: '127.0.0.1', port };
    const address = transport === 'tcp' ? { transport, ...base, converter: false } : { transport, ...base };
    const options = { requestMs: 150, connectMs: 1_000, timeoutMinMs: 50, restMs: 0, book: new ShapeBook(USUAL_RULES) };
    const bus = busAt({ name: 'bus', address, real: systemClock, random: systemRandom, ...options });
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
        await expect(bus.read(1, 4, CHOICES, { periodMs: 10_000 })).rejects.toMatchObject({ name: 'ReadError' });
      }
    },
  );

  test('with a wrong transaction id, unit or length closes the connection and gives no value', async () => {
    const wrong: ((request: Buffer) => Uint8Array)[] = [
      (request) => toMbap(request.readUInt16BE(0) ^ 1, reply(1, 4, words(4, 9))),
      (request) => toMbap(request.readUInt16BE(0), reply(2, 4, words(4, 9))),
      (request) => toMbap(request.readUInt16BE(0), reply(1, 4, words(5, 9))),
      (request) => toMbap(request.readUInt16BE(0), reply(1, 3, words(4, 9))),
    ];
    for (const answer of wrong) {
      let closed = 0;
      const port = await listen((socket) => {
        socket.on('data', (request) => socket.write(answer(request)));
        socket.on('close', () => closed++);
      });
      const bus = busOn('tcp', port);
      const failed = bus.read(1, 4, CHOICES, { periodMs: 10_000 });
      await expect(failed).rejects.toMatchObject({ failure: ReadFailure.connection });
      expect(bus.stats.counts).toMatchObject({ violations: 1, lost_connections: 1, answers: 0 });
      await expect.poll(() => closed).toBe(1);
    }
  });

  test('that nobody listens on says what to look at', async () => {
    const port = await listen(() => {});
    for (const cleanup of cleanups.splice(0)) cleanup();
    await expect(busOn('tcp', port).read(1, 4, CHOICES, { periodMs: 10_000 })).rejects.toThrow('is the meter on');
  });
});
