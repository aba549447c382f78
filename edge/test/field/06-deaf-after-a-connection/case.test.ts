/**
 * Plays a device that ignores requests for 5 s after each connection.
 * Reported for ioBroker/ioBroker.modbus #250 and grid-x/modbus #44.
 */
import { expect, test } from 'vitest';
import { LineReader } from '../../support/line-reader.js';
import { profileMeter } from '../../support/profile-meter.js';

const DEAF_MS = 5_000;

test('a device that is deaf after a connection is read as soon as it hears, and keeps its connection', async () => {
  const meter = profileMeter('eastron-sdm630');
  let openedAtMs = Number.NaN;
  const reader: LineReader = new LineReader(
    'eastron-sdm630',
    (...request) => (reader.clock.monotonicMs() - openedAtMs < DEAF_MS ? null : meter(...request)),
    10_000,
  );
  reader.line.onOpen = () => {
    openedAtMs = reader.clock.monotonicMs();
  };
  await reader.poll(30);
  expect(reader.samples.length).toBeGreaterThanOrEqual(27);
  expect(reader.samples.every(({ importWh }) => importWh === 1_234_560n)).toBe(true);
  expect(reader.line.opened.length).toBeLessThanOrEqual(2);
  expect(reader.failures.length).toBeLessThanOrEqual(3);
});
