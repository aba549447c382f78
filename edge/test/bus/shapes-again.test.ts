import { describe, expect, test } from 'vitest';
import { ReplyQuarantine } from '../../src/domain/bus/reply-quarantine.js';

const quarantine = () => new ReplyQuarantine({ quarantineMs: 500, quarantineTimeouts: 12 });

describe('a shape that is used again', () => {
  test('is held from the end of its newest use, not of the one before', () => {
    const shapes = quarantine();
    shapes.onRequest(1, 4, 8, 0, 100);
    shapes.onTimeout(1, 4, 8, 100);
    expect(shapes.freeAt(1, 4, 8, 100)).toBe(1_300);
    shapes.onRequest(1, 4, 8, 1_300, 100);
    // The shape is never free while its request is in flight.
    expect(shapes.freeAt(1, 4, 8, 1_350)).toBe(Number.POSITIVE_INFINITY);
    shapes.onTimeout(1, 4, 8, 1_400);
    expect(shapes.freeAt(1, 4, 8, 1_400)).toBe(2_600);
    shapes.onRequest(1, 4, 10, 1_500, 100);
    shapes.onReply(1, 4, 10, 1_520);
    expect(shapes.freeAt(1, 4, 8, 1_520)).toBe(2_600);
    expect(shapes.mayUse(1, 4, 8, 2_599)).toBe(false);
    expect(shapes.mayUse(1, 4, 8, 2_600)).toBe(true);
  });

  test('right after itself waits as long as after a time-out, although its answer came', () => {
    const shapes = quarantine();
    shapes.onRequest(1, 4, 8, 0, 100);
    shapes.onReply(1, 4, 8, 20);
    expect(shapes.freeAt(1, 4, 8, 20)).toBe(1_220);
    shapes.onRequest(1, 4, 8, 1_220, 100);
    shapes.onReply(1, 4, 8, 1_230);
    expect(shapes.freeAt(1, 4, 8, 1_230)).toBe(2_430);
  });

  test('after an exception is held as after a time-out: the answer may still come', () => {
    const shapes = quarantine();
    shapes.onRequest(1, 4, 8, 0, 100);
    shapes.onException(1, 4, 8, 20);
    shapes.onRequest(1, 4, 10, 30, 100);
    shapes.onReply(1, 4, 10, 40);
    expect(shapes.freeAt(1, 4, 8, 40)).toBe(1_220);
  });

  test('is held longer for an answer that came late while it was held, counted from its end', () => {
    const shapes = quarantine();
    shapes.onRequest(1, 4, 8, 0, 100);
    shapes.onTimeout(1, 4, 8, 100);
    shapes.onRequest(1, 4, 10, 200, 100);
    shapes.onReply(1, 4, 10, 220);
    expect(shapes.classifyUnsolicited(1, 4, 8, 1_000)).toBe('late');
    expect(shapes.freeAt(1, 4, 8, 1_000)).toBe(100 + 2_000);
    shapes.onRequest(1, 4, 8, 2_100, 100);
    shapes.onTimeout(1, 4, 8, 2_200);
    expect(shapes.freeAt(1, 4, 8, 2_200)).toBe(2_200 + 2_000);
  });
});
