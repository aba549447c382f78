import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { beforeEach, describe, expect, test } from 'vitest';
import { type ClockFileAccess, nodeClockFile, SimulatedClockFile, systemReadingClock } from '../../src/node/index.js';

const START_MS = 1_800_000_000_000;
let clock: VirtualClock;
let content: string;
let stamp: string;
let reads: number;
const warnings: string[] = [];
const log = { warn: (_fields: object, message: string) => void warnings.push(message) };
const access: ClockFileAccess = {
  stamp: () => {
    if (stamp === '') throw Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT' });
    return stamp;
  },
  read: () => {
    reads++;
    return content;
  },
};
const clockText = (speed: number, reservedMs = 86_400_000) =>
  JSON.stringify({
    version: 1,
    speed,
    anchorSimMs: START_MS - 100_000_000,
    anchorRealMs: START_MS,
    reservedThroughMs: START_MS - 100_000_000 + reservedMs,
    segments: [],
  });
const simStartMs = START_MS - 100_000_000;

beforeEach(() => {
  clock = new VirtualClock({ startAtMs: START_MS });
  content = clockText(10);
  stamp = '1';
  reads = 0;
  warnings.length = 0;
});

describe('the simulated clock in a file', () => {
  test('runs at its speed and tells both ways between its time and real time', async () => {
    const reading = new SimulatedClockFile('clock.json', clock, access, log);
    await clock.advance(1_000);
    expect(reading.nowMs()).toBe(simStartMs + 10_000);
    expect(reading.realTimeOf(simStartMs + 20_000)).toBe(START_MS + 2_000);
    expect(reading.realDelayUntil(simStartMs + 20_000)).toBe(1_000);
    expect(reading.realDelayUntil(simStartMs)).toBe(0);
    expect([reading.uncertaintyMs(), reading.source()]).toEqual([1_000, 3]);
  });

  test('is held by its reservation, and looks again then', async () => {
    content = clockText(10, 5_000);
    const reading = new SimulatedClockFile('clock.json', clock, access, log);
    expect(reading.realDelayUntil(simStartMs + 5_000)).toBe(500);
    await clock.advance(10_000);
    expect(reading.nowMs()).toBe(simStartMs + 5_000);
    expect(reading.realDelayUntil(simStartMs + 5_001)).toBe(200);
  });

  test('is read again when the file is another one, at most every 200 ms', async () => {
    const reading = new SimulatedClockFile('clock.json', clock, access, log);
    [content, stamp] = [clockText(20), '2'];
    await clock.advance(199);
    expect(reading.nowMs()).toBe(simStartMs + 1_990);
    await clock.advance(1);
    expect(reading.nowMs()).toBe(simStartMs + 4_000);
    await clock.advance(1_000);
    expect([reading.current().speed, reads]).toEqual([20, 2]);
  });

  test('keeps its last content while the file is away or half a file, and says so once', async () => {
    const reading = new SimulatedClockFile('clock.json', clock, access, log);
    stamp = '';
    for (let i = 0; i < 5; i++) {
      await clock.advance(500);
      expect(reading.current().speed).toBe(10);
    }
    [content, stamp] = ['{"version": 1, "spe', '2'];
    await clock.advance(500);
    expect(reading.current().speed).toBe(10);
    expect(warnings).toHaveLength(1);
    content = clockText(5);
    await clock.advance(500);
    expect(reading.current().speed).toBe(5);
    stamp = '';
    await clock.advance(500);
    reading.nowMs();
    expect(warnings).toHaveLength(2);
  });

  test('a start without a usable file is the operator to mend, in one line', () => {
    expect(() => new SimulatedClockFile('/nowhere/clock.json', clock, nodeClockFile)).toThrow(
      '/nowhere/clock.json: the simulated clock cannot be read (ENOENT); correct clock.simulated',
    );
    content = '{"version": 2}';
    expect(() => new SimulatedClockFile('c.json', clock, access, log)).toThrow('c.json: the simulated clock cannot be');
  });
});

test('readings by the machine own time', () => {
  const reading = systemReadingClock(clock);
  expect([reading.nowMs(), reading.realTimeOf(5), reading.uncertaintyMs(), reading.source()]).toEqual([
    START_MS,
    5,
    null,
    0,
  ]);
  expect(reading.steadyMs()).toBe(clock.monotonicMs());
  expect([reading.realDelayUntil(START_MS + 7), reading.realDelayUntil(5)]).toEqual([7, 0]);
});

describe('a file that holds no clock', () => {
  test.each([
    ['null', 'simulated clock: the content is no object'],
    ['[]', 'simulated clock: the content is no object'],
    [JSON.stringify({ version: 1, speed: 1, segments: [null] }), 'simulated clock: a segment is no object'],
    ['3f9a3f9a3f9a secret', 'is not JSON'],
  ])('%s', (text, why) => {
    content = text;
    const open = () => new SimulatedClockFile('clock.json', clock, access, log);
    const line = `clock.json: the simulated clock cannot be read (${why}); correct clock.simulated`;
    expect(open).toThrow(expect.objectContaining({ message: line }));
  });
});
