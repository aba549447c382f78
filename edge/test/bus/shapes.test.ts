import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc16, withCrc } from '../../src/domain/bus/crc.js';
import { frameAt, requestFrame } from '../../src/domain/bus/frames.js';
import { mbapAt, toMbap } from '../../src/domain/bus/mbap.js';
import { MAX_OUTSTANDING, ReplyQuarantine } from '../../src/domain/bus/reply-quarantine.js';
import { TimeoutEstimate } from '../../src/domain/bus/timeouts.js';

const _random = { bytes: () => new Uint8Array(8), fraction: () => 0 };
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
  const quarantine = () => new ReplyQuarantine({ quarantineMs: 500, quarantineTimeouts: 12 });

  test('are held one time-out after an answer, and never used twice in a row', () => {
    const shapes = quarantine();
    shapes.onRequest(1, 4, 8, 0, 100);
    shapes.onReply(1, 4, 8, 20);
    expect(shapes.mayUse(1, 4, 8, 119)).toBe(false);
    expect(shapes.mayUse(1, 4, 8, 121)).toBe(false);
    shapes.onRequest(1, 4, 12, 50, 100);
    shapes.onReply(1, 4, 12, 60);
    expect(shapes.mayUse(1, 4, 8, 119)).toBe(false);
    expect(shapes.mayUse(1, 4, 8, 120)).toBe(true);
    // A meter's only shape waits as long as after a time-out.
    expect(shapes.freeAt(1, 4, 12, 60)).toBe(60 + 1_200);
    expect(shapes.mayUse(2, 4, 8, 0)).toBe(true);
  });

  test('are held twelve time-outs after one, longer for what came later, and a late answer frees nothing', () => {
    const shapes = quarantine();
    shapes.onRequest(1, 4, 8, 0, 100);
    shapes.onTimeout(1, 4, 8, 100);
    expect(shapes.freeAt(1, 4, 8, 100)).toBe(1_300);
    expect(shapes.classifyUnsolicited(1, 4, 8, 900)).toBe('late');
    expect(shapes.freeAt(1, 4, 8, 900)).toBe(100 + 1_800);
    expect(shapes.classifyUnsolicited(1, 4, 10, 900)).toBe('foreign');
    expect(shapes.classifyUnsolicited(3, 4, 8, 900)).toBe('foreign');
  });

  test('count the largest time-out of the last hour', () => {
    const shapes = quarantine();
    shapes.onRequest(1, 4, 8, 0, 400);
    shapes.onReply(1, 4, 8, 10);
    shapes.onRequest(1, 4, 10, 1_000, 100);
    shapes.onTimeout(1, 4, 10, 1_100);
    expect(shapes.freeAt(1, 4, 10, 1_100)).toBe(1_100 + 4_800);
    shapes.onRequest(1, 4, 12, 3_700_000, 100);
    expect(shapes.quarantineMs(1)).toBe(1_200);
  });

  test('let a unit rest when too many answers are outstanding, until the first can no longer come', () => {
    const shapes = quarantine();
    for (let i = 0; i < MAX_OUTSTANDING; i++) {
      expect(shapes.mayUse(1, 4, 2 * i + 2, 100 * i)).toBe(true);
      shapes.onRequest(1, 4, 2 * i + 2, 100 * i, 100);
      shapes.onTimeout(1, 4, 2 * i + 2, 100 * i + 100);
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
          const shapes = quarantine();
          const until = new Map<number, number>();
          let now = 0;
          for (const { bytes, gap, end } of steps) {
            now += gap;
            if (!shapes.mayUse(1, 4, 2 * bytes, now)) continue;
            expect(now).toBeGreaterThanOrEqual(until.get(bytes) ?? 0);
            shapes.onRequest(1, 4, 2 * bytes, now, 100);
            now += 100;
            if (end === 0) shapes.onReply(1, 4, 2 * bytes, now);
            else if (end === 1) shapes.onTimeout(1, 4, 2 * bytes, now);
            else shapes.onException(1, 4, 2 * bytes, now);
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
