import { describe, expect, test } from 'vitest';
import { withCrc } from '../../src/domain/bus/crc.js';
import { type ReadRequest, requestFrame } from '../../src/domain/bus/frames.js';
import { RtuFraming, TcpFraming } from '../../src/domain/bus/framing.js';
import { toMbap } from '../../src/domain/bus/mbap.js';
import { ReplyQuarantine, USUAL_RULES } from '../../src/domain/bus/reply-quarantine.js';

const ASK: ReadRequest = { unit: 5, fn: 4, address: 72, count: 2 };
const reply = (unit: number, fn: number, bytes: number) =>
  withCrc(Uint8Array.of(unit, fn, bytes, ...new Uint8Array(bytes).fill(7)));
const exception = (unit: number, fn: number) => withCrc(Uint8Array.of(unit, fn + 0x80, 2));

describe('an answer on a serial line is taken', () => {
  const judge = (frame: Uint8Array, quarantine = new ReplyQuarantine(USUAL_RULES)) =>
    new RtuFraming(quarantine).judge(frame, ASK, 0).what;

  test('from the unit that was asked, with the function and the length that were asked for, and from no other', () => {
    expect(judge(reply(5, 4, 4))).toBe('answer');
    expect(judge(reply(6, 4, 4))).toBe('foreign');
    expect(judge(reply(4, 4, 4))).toBe('foreign');
    expect(judge(reply(5, 3, 4))).toBe('foreign');
    expect(judge(reply(5, 4, 6))).toBe('foreign');
    expect(judge(exception(5, 4))).toBe('exception');
    expect(judge(exception(6, 4))).toBe('foreign');
    expect(judge(exception(5, 3))).toBe('foreign');
  });

  test('for none that was asked before: a late answer of another unit stays that of the other', () => {
    const quarantine = new ReplyQuarantine(USUAL_RULES);
    quarantine.onRequest(6, 4, 4, 0, 100);
    quarantine.onTimeout(6, 4, 4, 100);
    quarantine.onRequest(5, 4, 4, 200, 100);
    const framing = new RtuFraming(quarantine);
    expect(framing.judge(reply(6, 4, 4), ASK, 210)).toMatchObject({ what: 'skip', count: 'late' });
    expect(framing.judge(reply(5, 4, 4), ASK, 220).what).toBe('answer');
    expect(framing.judge(reply(5, 4, 4), null, 220).what).toBe('skip');
  });

  test('as an exception only while no other answer of that function is outstanding', () => {
    const quarantine = new ReplyQuarantine(USUAL_RULES);
    quarantine.onRequest(5, 4, 8, 0, 100);
    quarantine.onTimeout(5, 4, 8, 100);
    expect(judge(exception(5, 4), quarantine)).toBe('skip');
  });
});

describe('an answer over Modbus TCP', () => {
  const asked = () => {
    const framing = new TcpFraming(new ReplyQuarantine(USUAL_RULES), false, 9);
    framing.begin(ASK, requestFrame(ASK), 0);
    return framing;
  };

  test('of another unit than was asked ends the connection, whatever else fits', () => {
    expect(asked().judge(toMbap(10, reply(5, 4, 4)), ASK, 0).what).toBe('answer');
    expect(asked().judge(toMbap(10, reply(6, 4, 4)), ASK, 0)).toMatchObject({
      what: 'violation',
      why: expect.stringContaining('unit 6'),
    });
    expect(asked().judge(toMbap(10, exception(6, 4)), ASK, 0)).toMatchObject({
      what: 'violation',
      why: expect.stringContaining('unit 6'),
    });
    expect(asked().judge(toMbap(10, reply(5, 3, 4)), ASK, 0).what).toBe('violation');
    expect(asked().judge(toMbap(10, reply(5, 4, 6)), ASK, 0).what).toBe('violation');
    expect(asked().judge(toMbap(11, reply(5, 4, 4)), ASK, 0).what).toBe('violation');
  });
});
