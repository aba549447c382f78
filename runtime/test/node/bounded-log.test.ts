import { beforeEach, expect, test } from 'vitest';
import type { LogFields } from '../../src/core/index.js';
import { BoundedLog, type BoundedLogOptions, LOG_LIMITS } from '../../src/node/bounded-log.js';

interface Line {
  level: string;
  message: string;
  fields: Record<string, unknown>;
}
let lines: Line[];
let timers: { ms: number; task: () => void }[];
let log: BoundedLog;

function makeLog(change: Partial<BoundedLogOptions> = {}): BoundedLog {
  const sink = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, message, fields: fields as Line['fields'] });
  const sinks = { debug: sink('debug'), info: sink('info'), warn: sink('warn'), error: sink('error') };
  return new BoundedLog(sinks, (ms, task) => timers.push({ ms, task }), {
    ...{ limits: LOG_LIMITS, isWritten: () => true },
    ...change,
  });
}

/** The period that is running ends. */
function endPeriod(): void {
  for (const { task } of timers.splice(0)) task();
}
const bytes = () => lines.reduce((sum, line) => sum + JSON.stringify(line).length, 0);

beforeEach(() => {
  lines = [];
  timers = [];
  log = makeLog();
});

test('shows the first lines of a reason and counts the others once a period', () => {
  for (let i = 0; i < 4_332; i++) log.warn({ event: 'refused', i }, 'sign-in refused');
  log.info({ event: 'other' }, 'another thing');
  expect(lines.filter(({ message }) => message === 'sign-in refused')).toHaveLength(20);
  expect(lines.at(-1)?.message).toBe('another thing');
  expect(timers).toHaveLength(1);
  expect(timers[0]?.ms).toBe(60_000);
  endPeriod();
  expect(lines.at(-1)).toEqual({
    level: 'warn',
    message: 'sign-in refused: and 4,312 more',
    fields: { event: 'refused', held: 4_312 },
  });
  expect(log.size).toBe(0);
  // Nothing is due while nothing happens, and counting begins anew.
  expect(timers).toHaveLength(0);
  log.warn({ event: 'refused' }, 'sign-in refused');
  expect(lines.at(-1)?.message).toBe('sign-in refused');
});

test('tells reasons apart by their stable word', () => {
  for (let i = 0; i < 100; i++) log.warn({ event: 'refused', reason: 'bad_token' }, 'sign-in refused');
  log.warn({ event: 'refused', reason: 'revoked_key' }, 'sign-in refused');
  expect(lines.at(-1)?.fields).toEqual({ event: 'refused', reason: 'revoked_key' });
  endPeriod();
  expect(lines.at(-1)?.fields).toEqual({ event: 'refused', reason: 'bad_token', held: 80 });
});

test('bounds its own table when somebody makes up reasons', () => {
  for (let i = 0; i < 100_000; i++) log.error({ event: `event_${i}`, reason: `made up ${i}` }, `message ${i}`);
  expect(log.size).toBeLessThanOrEqual(LOG_LIMITS.reasons + 1);
  endPeriod();
  expect(lines.at(-1)?.message).toMatch(/^Lines of further events: and [\d,]+ more$/);
});

test('cuts long texts, long lists and long lines', () => {
  log.warn({ event: 'long', detail: 'x'.repeat(100_000), list: Array.from({ length: 1_000 }, (_, i) => i) }, 'long');
  expect(bytes()).toBeLessThan(1_000);
  const wide = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`field${i}`, 'y'.repeat(400)]));
  log.warn({ ...wide, event: 'wide' }, 'wide');
  expect(lines.at(-1)?.fields.event).toBe('wide');
  expect(JSON.stringify(lines.at(-1)).length).toBeLessThan(6_000);
});

test('writes errors with their place, big numbers and bytes, and survives what cannot be printed', () => {
  log.error({ event: 'fields', err: new RangeError('too far'), n: 2n ** 64n, bytes: new Uint8Array(9) }, 'fields');
  expect(lines[0]?.fields).toMatchObject({ n: '18446744073709551616', bytes: '9 bytes' });
  expect(lines[0]?.fields.err).toMatchObject({ error: 'RangeError: too far' });
  expect(JSON.stringify(lines[0]?.fields.err)).toContain('"at":["at ');
  const round: LogFields & Record<string, unknown> = { event: 'round' };
  round.round = round;
  log.error(round, 'round');
  expect(lines[1]?.fields).toHaveProperty('unprintable');
});

test('stays below 350 kB a period whatever is thrown at it', () => {
  for (let i = 0; i < 50_000; i++)
    log.warn({ event: 'flood', reason: `r${i % 500}`, detail: 'x'.repeat(499), i, more: 'y'.repeat(499) }, 'm');
  endPeriod();
  expect(bytes()).toBeLessThan(350_000);
});

test('a level that is not written uses up nothing', () => {
  log = makeLog({ isWritten: (level) => level !== 'debug' });
  for (let i = 0; i < 1_000; i++) log.debug({ event: 'detail', i }, 'detail');
  expect([lines.length, log.size, timers.length]).toEqual([0, 0, 0]);
  log.info({ event: 'news' }, 'news');
  expect(lines).toHaveLength(1);
});

test('bounds details by their characters alone', () => {
  for (let i = 0; i < 100; i++) log.debug({ event: 'detail', i }, 'detail');
  expect(lines).toHaveLength(100);
  for (let i = 0; i < 10_000; i++) log.debug({ event: 'detail', text: 'x'.repeat(400) }, 'detail');
  endPeriod();
  expect(bytes()).toBeLessThan(350_000);
  expect(lines.at(-1)?.message).toMatch(/^detail: and [\d,]+ more$/);
});

test('counts by event, whatever the message says', () => {
  for (let i = 0; i < 40; i++) log.warn({ event: 'one' }, `message ${i}`);
  expect(lines).toHaveLength(20);
});
