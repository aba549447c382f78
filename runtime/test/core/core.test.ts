import { getEventListeners } from 'node:events';
import { fixedRandom, VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  BackOff,
  Health,
  Mutex,
  nextDelayMs,
  OperatorError,
  sleep,
  unreachable,
  whyNodeIsTooOld,
  within,
} from '../../src/core/index.js';

let clock: VirtualClock;
beforeEach(() => {
  clock = new VirtualClock();
});
/** Follows a promise: `state` is its present outcome. */
function watched(promise: Promise<unknown>): { state: string } {
  const seen = { state: 'open' };
  promise.then(
    (value) => {
      seen.state = `resolved ${String(value)}`;
    },
    (error: Error) => {
      seen.state = `rejected ${error.message}`;
    },
  );
  return seen;
}

describe('back-off', () => {
  test('doubles up to its last delay and begins again after a success', () => {
    const backOff = new BackOff({ initialMs: 250, maxMs: 1_000 }, fixedRandom(0, 1 - 2 ** -32));
    expect([1, 2, 3, 4].map(() => backOff.next())).toEqual([250, 500, 1_000, 1_000]);
    backOff.reset();
    expect(backOff.next()).toBe(250);
  });

  test('is cut by up to a half', () => {
    const backOff = new BackOff({ initialMs: 251, maxMs: 251 }, fixedRandom(0, 0));
    expect(backOff.next()).toBe(126);
  });

  test('gives the delay after one that the caller keeps', () => {
    const limits = { initialMs: 250, maxMs: 900 };
    expect([0, 1, 250, 449, 450, 451, 900].map((ms) => nextDelayMs(ms, limits))).toEqual([
      250, 250, 500, 898, 900, 900, 900,
    ]);
  });
});

describe('mutex', () => {
  test('runs one task at a time, in order, and goes on after one that failed', async () => {
    const mutex = new Mutex();
    const order: string[] = [];
    const task = (name: string, ms: number) => async () => {
      order.push(`${name} begins`);
      await sleep(clock, ms);
      order.push(`${name} ends`);
      return name;
    };
    const first = mutex.run(task('a', 20));
    const failing = watched(mutex.run(() => Promise.reject(new Error('broken'))));
    const last = mutex.run(task('b', 1));
    expect(mutex.size).toBe(3);
    await clock.advance(21);
    expect(order).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
    expect([await first, failing.state, await last, mutex.size]).toEqual(['a', 'rejected broken', 'b', 0]);
  });
});

describe('sleep', () => {
  test('ends with its time or with the signal, and leaves no timer', async () => {
    const stop = new AbortController();
    const [slept, stopped] = [watched(sleep(clock, 10)), watched(sleep(clock, 1_000, stop.signal))];
    await clock.advance(10);
    expect([slept.state, stopped.state]).toEqual(['resolved undefined', 'open']);
    stop.abort();
    await clock.settle();
    expect([stopped.state, clock.pending]).toEqual(['resolved undefined', 0]);
    const other = new AbortController();
    const later = sleep(clock, 10, other.signal);
    await clock.advance(10);
    await later;
    expect(getEventListeners(other.signal, 'abort')).toEqual([]);
    await sleep(clock, 1_000, stop.signal);
    expect(clock.pending).toBe(0);
  });

  test('bounds a step, and takes its timer back', async () => {
    const late = () => new Error('too late');
    const [good, bad] = [watched(within(clock, 10, Promise.resolve(1), late)), sleep(clock, 50)];
    const slow = watched(within(clock, 10, bad, late));
    await clock.advance(10);
    expect([good.state, slow.state]).toEqual(['resolved 1', 'rejected too late']);
    const failing = watched(within(clock, 10, Promise.reject(new Error('its own')), late));
    await clock.advance(100);
    expect([failing.state, clock.pending]).toEqual(['rejected its own', 0]);
  });
});

describe('errors of the operator', () => {
  const fault = { code: 'unknown-key', problem: 'unknown key', advice: 'remove it' };
  test.each([
    [{ file: 'a.yaml', line: 3, key: 'http.port' }, 'a.yaml:3: http.port: unknown key; remove it'],
    [{ file: 'a.yaml', key: 'http' }, 'a.yaml: http: unknown key; remove it'],
    [{ key: '--out' }, '--out: unknown key; remove it'],
    [{ line: 4 }, 'unknown key; remove it'],
    [{ advice: '' }, 'unknown key'],
    [{ file: 'two\nlines', problem: 'one\r\n two' }, 'two lines: one two; remove it'],
  ])('are one line: %j', (more, line) => {
    expect(new OperatorError({ ...fault, ...more }).message).toBe(line);
  });

  test('keep their parts and their cause', () => {
    const cause = new Error('EACCES');
    const error = new OperatorError({ ...fault, file: 'a.yaml' }, { cause });
    expect(error).toMatchObject({ ...fault, file: 'a.yaml', line: null, key: null, name: 'OperatorError', cause });
  });
});

test('an unexpected value throws and is named', () => {
  expect(() => unreachable('blue' as never)).toThrow('unexpected value: blue');
});

test('health names what is wrong and since when', async () => {
  let words: string | null = null;
  const health = new Health({ disk: () => words, line: () => null }, () => clock.nowMs());
  expect(health.report()).toMatchObject({ ok: true, problems: [] });
  words = 'full';
  health.report();
  await clock.advance(500);
  expect(health.report().conditions[0]).toEqual({ name: 'disk', problem: 'full', since_ms: clock.nowMs() - 500 });
});

test('health stays ready beside a condition that a single client can cause, and names it', () => {
  const checks = { disk: () => null, copied: () => 'two sessions use one key' };
  const health = new Health(checks, () => 0, ['copied']);
  expect(health.report()).toMatchObject({ ok: true, problems: ['two sessions use one key'] });
  expect(new Health(checks, () => 0).report().ok).toBe(false);
});

describe('the oldest Node', () => {
  test.each(['22.15.0', '22.20.1', '23.0.0', '24.21.0', '100.0.0'])('takes %s', (version) => {
    expect(whyNodeIsTooOld('gtx', version)).toBeNull();
  });
  test.each(['18.20.0', '20.20.2', '22.14.0', '22.9.9', 'unknown'])('refuses %s in one line', (version) => {
    expect(whyNodeIsTooOld('gtx', version)).toBe(`gtx: Node ${version} is too old; install Node 22.15 or newer`);
  });
});
