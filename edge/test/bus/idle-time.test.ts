import { expect, test } from 'vitest';
import { IdleTime } from '../../src/domain/bus/idle-time.js';

test('nothing is over before a connection was lost, and what survived longer stays trusted', () => {
  const idle = new IdleTime();
  expect([idle.isOver(1e9), idle.limitMs]).toEqual([false, null]);
  idle.lost(10_000);
  expect([idle.isOver(8_999), idle.isOver(9_000), idle.limitMs]).toEqual([false, true, 10_000]);
  idle.lost(20_000);
  expect(idle.limitMs).toBe(10_000);
  // The loss at 10 s was an accident: a connection was answered after 60 s.
  idle.survived(60_000);
  expect([idle.isOver(60_000), idle.isOver(60_001), idle.limitMs]).toEqual([false, true, 60_000]);
});
