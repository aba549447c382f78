import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { beforeEach, describe, expect, test } from 'vitest';
import { type LogFields, type LogLevel, MAX_REASONS, PAIR_MS, StateLog } from '../../src/core/index.js';

let clock: VirtualClock;
let lines: [LogLevel, LogFields][];
let states: StateLog;

beforeEach(() => {
  clock = new VirtualClock();
  lines = [];
  const method = (level: LogLevel) => (fields: LogFields) => void lines.push([level, fields]);
  const log = { debug: method('debug'), info: method('info'), warn: method('warn'), error: method('error') };
  states = new StateLog(log, clock);
});

const fails = (err = 'EIO') => states.holds('disk', { event: 'failed', err }, 'Failed');
const works = () => states.ended('disk', { event: 'worked' }, 'Works');
const shown = () => lines.filter(([level]) => level !== 'debug');

describe('a state that repeats', () => {
  test('is two lines over 10,000 repetitions, the second with count and duration', async () => {
    for (let i = 0; i < 10_000; i++) {
      fails();
      await clock.advance(2_000);
    }
    expect(states.lasts('disk')).toBe(true);
    works();
    works();
    expect(shown()).toEqual([
      ['warn', { event: 'failed', err: 'EIO' }],
      ['info', { event: 'worked', count: 10_000, durationMs: 20_000_000 }],
    ]);
    expect(lines.length - 2).toBe(9_999);
    expect(states.lasts('disk')).toBe(false);
  });

  test('names each new reason, of which digits make none, and no more than eight', () => {
    for (let i = 0; i < 10_000; i++) fails(`the time ${i} is wrong`);
    expect(shown()).toHaveLength(1);
    for (let i = 0; i < 10_000; i++) fails(`reason ${String.fromCharCode(97 + (i % 26))}`);
    expect(shown()).toHaveLength(MAX_REASONS);
  });

  test('and ends each time is one pair of lines a minute, and no repetition is lost', async () => {
    const eachMs = 100;
    for (let i = 0; i < 10_000; i++) {
      fails();
      works();
      await clock.advance(eachMs);
    }
    await clock.advance(PAIR_MS);
    fails();
    works();
    const pairs = Math.ceil((10_000 * eachMs) / PAIR_MS) + 1;
    expect(shown().length).toBeLessThanOrEqual(2 * pairs);
    const ends = lines.filter(([level]) => level === 'info');
    expect(ends.reduce((sum, [, { count }]) => sum + (count as number), 0)).toBe(10_001);
  });

  test('is shown after a minute where its begin was too soon after another', async () => {
    fails();
    works();
    fails();
    expect(shown()).toHaveLength(2);
    await clock.advance(PAIR_MS);
    fails();
    expect(shown().at(-1)).toEqual(['warn', { event: 'failed', err: 'EIO', count: 2, durationMs: PAIR_MS }]);
  });
});

test('states do not mix, and no count of them is without end', () => {
  states.holds('a', { event: 'a' }, 'a', 'error');
  states.holds('b', { event: 'b' }, 'b');
  states.ended('c', { event: 'c' }, 'c');
  expect(shown().map(([level, { event }]) => [level, event])).toEqual([
    ['error', 'a'],
    ['warn', 'b'],
  ]);
  for (let i = 0; i < 10_000; i++) states.holds(`stranger ${i}`, { event: 'x' }, 'x');
  expect([states.lasts('a'), states.lasts('stranger 9999')]).toEqual([false, true]);
});
