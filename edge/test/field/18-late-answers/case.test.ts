/**
 * Plays a converter that delivers each fifth answer 1.3 s late.
 * Reported for pymodbus-dev/pymodbus #538 and jgyates/genmon #312.
 */
import { expect, test } from 'vitest';
import { LineReader } from '../../support/line-reader.js';
import { profileMeter } from '../../support/profile-meter.js';

test('late answers are never the value of another request', async () => {
  const shown = { import: 1_000, export: 500_000, power: 1_230, voltage: 230, frequency: 50 };
  let reads = 0;
  const reader: LineReader = new LineReader(
    'eastron-sdm630',
    // The registers move with each read, so an answer that belongs to an earlier request would show.
    (...request) => {
      reads++;
      const values = { ...shown, import: shown.import + 10 * reads, export: shown.export + 10 * reads };
      return profileMeter('eastron-sdm630', { values })(...request);
    },
    10_000,
  );
  let answers = 0;
  reader.line.bend = (answer, delayMs) => ({ answer, delayMs: ++answers % 5 === 0 ? delayMs + 1_300 : delayMs });
  await reader.poll(200);
  expect(reader.samples.length).toBeGreaterThan(160);
  let last = 0n;
  for (const { importWh, exportWh } of reader.samples) {
    // Import and export belong to one read: their distance is that of the meter.
    expect(exportWh - importWh).toBe(499_000n);
    expect(importWh).toBeGreaterThan(last);
    last = importWh;
  }
});
