import { beforeEach, describe, expect, test } from 'vitest';
import { fixedRandom, VirtualClock, VirtualReadingClock } from '../src/virtual-clock.js';

let clock: VirtualClock;
let seen: string[];
const note = (text: string) => () => {
  seen.push(`${clock.monotonicMs()} ${text}`);
};
beforeEach(() => {
  clock = new VirtualClock({ startAtMs: 1_000 });
  seen = [];
});

test('timers run in order of time, then of setting, and see the time they were set for', async () => {
  clock.after(20, note('c'));
  clock.after(10, note('a'));
  clock.after(10, note('b'));
  clock.after(31, note('late'));
  await clock.advance(30);
  expect(seen).toEqual(['10 a', '10 b', '20 c']);
  expect([clock.nowMs(), clock.monotonicMs(), clock.pending, clock.nextDueAtMs]).toEqual([1_030, 30, 1, 1]);
});

test('promises that a timer settles have their turn before the next timer', async () => {
  clock.after(1, () => void Promise.resolve().then(note('promise')));
  clock.after(1, note('timer'));
  await clock.advance(1);
  expect(seen).toEqual(['1 promise', '1 timer']);
});

test('a timer set by a timer runs in the same call when it is due', async () => {
  clock.after(5, () => clock.after(5, note('second')));
  await clock.advance(9);
  expect(seen).toEqual([]);
  await clock.advance(1);
  expect(seen).toEqual(['10 second']);
});

test('a cancelled timer does not run, however often it is cancelled', async () => {
  const cancel = clock.after(5, note('never'));
  cancel();
  cancel();
  expect([clock.pending, clock.nextDueAtMs]).toEqual([0, null]);
  await clock.advance(10);
  expect(seen).toEqual([]);
});

test('a loop in which no time passes ends with an error', async () => {
  const again = () => void clock.after(0, again);
  again();
  expect(() => clock.advanceNow(1)).toThrow('no time passed');
  const few = new VirtualClock({ mostTasks: 3 });
  const tick = () => void few.after(1, tick);
  tick();
  await expect(few.advance(100)).rejects.toThrow('more than 3 timers');
});

test('two movers at once are refused', async () => {
  const first = clock.advance(1);
  await expect(clock.advance(1)).rejects.toThrow('moves time already');
  await first;
});

test('run goes on until the promise settles, and says when nothing is left', async () => {
  const done = new Promise<string>((resolve) => clock.after(500, () => resolve('done')));
  expect(await clock.run(done)).toBe('done');
  expect(clock.monotonicMs()).toBe(500);
  await expect(clock.run(new Promise(() => {}))).rejects.toThrow('no timer is left');
  await expect(clock.run(Promise.reject(new Error('its own')))).rejects.toThrow('its own');
});

test('runs timers in the call itself, one by one or for a time', () => {
  clock.after(5, note('a'));
  clock.after(7, note('b'));
  clock.after(9, note('c'));
  expect(clock.fireNext()).toBe(5);
  clock.advanceNow(2);
  expect(seen).toEqual(['5 a', '7 b']);
  clock.forget();
  expect(() => clock.fireNext()).toThrow('no timer is set');
});

test('a stall lets time pass without a task, which then runs late', () => {
  clock.after(5, note('a'));
  clock.stall(50);
  expect([seen, clock.nextDueAtMs]).toEqual([[], 0]);
  clock.advanceNow(0);
  expect(seen).toEqual(['50 a']);
});

test('a step moves the machine time only', () => {
  clock.after(10, note('a'));
  clock.step(-500);
  expect([clock.nowMs(), clock.monotonicMs(), clock.nextDueAtMs]).toEqual([500, 0, 10]);
});

test('the timers of a process die with it, and the dead set none', async () => {
  const [one, two] = [clock.process(), clock.process()];
  one.clock.after(5, note('one'));
  two.clock.after(5, note('two'));
  one.end();
  one.clock.after(5, note('one again'));
  await clock.advance(10);
  expect(seen).toEqual(['5 two']);
  expect(two.clock.nowMs()).toBe(1_010);
});

describe('the reading clock', () => {
  test('runs at its speed and tells when it shows a moment', async () => {
    const reading = new VirtualReadingClock(clock, { speed: 10, startAtMs: 5_000 });
    await clock.advance(10);
    expect(reading.nowMs()).toBe(5_100);
    expect([reading.realDelayUntil(5_200), reading.realDelayUntil(5_000)]).toEqual([10, 0]);
    expect([reading.realTimeOf(5_200), reading.realTimeOf(5_000)]).toEqual([1_020, 1_000]);
    reading.stepMs = 50;
    expect(reading.nowMs()).toBe(5_150);
    expect(reading.steadyMs()).toBe(100);
    reading.uncertainty = null;
    expect([reading.uncertaintyMs(), reading.source()]).toEqual([null, 2]);
  });
});

test('fixed randomness gives what it was told', () => {
  const random = fixedRandom(7, 0.5);
  expect([random.bytes(3), random.fraction()]).toEqual([Uint8Array.of(7, 7, 7), 0.5]);
});
