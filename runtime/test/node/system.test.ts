import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { afterIdle, systemClock, systemRandom } from '../../src/node/index.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());
const DAY_MS = 86_400_000;

test('a timer longer than Node takes runs at its time and not at once', () => {
  const task = vi.fn();
  systemClock.after(60 * DAY_MS, task);
  vi.advanceTimersByTime(60 * DAY_MS - 1);
  expect(task).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(task).toHaveBeenCalledTimes(1);
});

test('a timer below zero runs as soon as it may, and a cancelled one never', () => {
  const [task, never] = [vi.fn(), vi.fn()];
  systemClock.after(-5, task);
  const cancel = systemClock.after(40 * DAY_MS, never);
  vi.advanceTimersByTime(30 * DAY_MS);
  cancel();
  cancel();
  vi.advanceTimersByTime(100 * DAY_MS);
  expect([task.mock.calls.length, never.mock.calls.length]).toEqual([1, 0]);
});

test('shows the time of the machine', () => {
  vi.useRealTimers();
  expect(Math.abs(systemClock.nowMs() - Date.now())).toBeLessThan(1_000);
  const before = systemClock.monotonicMs();
  expect(systemClock.monotonicMs()).toBeGreaterThanOrEqual(before);
});

test('what nobody waits for runs too, while something else keeps the process', () => {
  const task = vi.fn();
  afterIdle(10, task);
  vi.advanceTimersByTime(10);
  expect(task).toHaveBeenCalledTimes(1);
});

test('what nobody waits for keeps no process alive, and a clock does', () => {
  const timers = vi.spyOn(globalThis, 'setTimeout');
  afterIdle(10, vi.fn());
  systemClock.after(10, vi.fn());
  expect(timers.mock.results.map(({ value }) => value.hasRef())).toEqual([false, true]);
});

test('what nobody waits for never runs once it is cancelled', () => {
  const task = vi.fn();
  afterIdle(10, task)();
  vi.advanceTimersByTime(20);
  expect(task).not.toHaveBeenCalled();
});

test('randomness has the length it was asked for, and fractions are below 1', () => {
  expect(systemRandom.bytes(16)).toHaveLength(16);
  expect(systemRandom.bytes(16)).not.toEqual(systemRandom.bytes(16));
  for (let i = 0; i < 100; i++) {
    const fraction = systemRandom.fraction();
    expect(fraction >= 0 && fraction < 1).toBe(true);
  }
});
