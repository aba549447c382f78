import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { describe, expect, test } from 'vitest';

import { makeClient } from '../src/adapters/modbus/library.js';

import { Bus } from '../src/domain/bus/bus.js';
import { withCrc } from '../src/domain/bus/crc.js';
import { requestFrame } from '../src/domain/bus/frames.js';
import { RtuFraming } from '../src/domain/bus/framing.js';
import { serialSpeed } from '../src/domain/bus/line.js';
import { busProblems } from '../src/domain/bus/messages.js';
import { type Line, LineGone } from '../src/domain/bus/ports.js';
import { ReplyQuarantine, USUAL_RULES } from '../src/domain/bus/reply-quarantine.js';
import { ReadFailure } from '../src/domain/ports.js';

const random = { bytes: () => new Uint8Array(8), fraction: () => 0 };
const reply = (unit: number, fn: number, data: readonly number[]) =>
  withCrc(Uint8Array.of(unit, fn, data.length, ...data));

/** A serial line on which the test answers explicitly. */
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
  const time = new VirtualClock();
  const lines: HandLine[] = [];
  const bus = new Bus({
    log: quietLog,
    quarantine: new ReplyQuarantine(USUAL_RULES),
    name: 'bus',
    open: async () => {
      lines.push(new HandLine());
      return lines.at(-1) as HandLine;
    },
    makeClient,
    clock: time,
    random,
    speed: serialSpeed(9_600, 'none', 1),
    shapes: true,
    makeFraming: (quarantine) => new RtuFraming(quarantine),
    requestMs: 200,
    connectMs: 1_000,
    minTimeoutMs: 50,
    restMs: 0,
  });
  const read = async (variants = CHOICES, unit = 1) => {
    const result = bus.read(unit, 4, variants, { periodMs: 10_000 }).then(
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

  test("takes an answer of a unit that was never asked for a second master's", async () => {
    const { read, line } = setUp();
    await read();
    line().answer = () => line().say(reply(7, 4, words(4, 1)));
    expect((await read()).error).toMatchObject({ failure: ReadFailure.secondMaster });
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

  test('reads nothing for a minute after a second master was heard', async () => {
    const { read, line, answerWith, bus, time } = setUp();
    await read();
    answerWith((count) => [reply(1, 4, words(count, 7))]);
    line().say(requestFrame({ unit: 9, fn: 3, address: 40_000, count: 2 }));
    await time.advance(1_000);
    const asked = line().requests.length;
    expect((await read()).error?.failure).toBe(ReadFailure.secondMaster);
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
    expect(busProblems(bus, time.monotonicMs())[0]).toContain('other units on this line answer');
    line().answer = (request) => line().say(reply(request[0] as number, 4, words(request[5] as number, 3)));
    await time.advance(30_000);
    expect(bus.units.get(1)?.silenceBeganAtMs).toBeNull();
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
