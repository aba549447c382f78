/**
 * Plays a device with single wild totals: 180.1, 180.2, 5000.0, 180.4 kWh.
 * Reported for MichielVanwelsenaere/HomeAutomation.CoDeSys3 #114 and evcc-io/evcc #30267.
 */
import { describe, expect, test } from 'vitest';
import { playMeter } from '../../support/field-meter.js';

const truth = (minute: number) => ({ importWh: Math.floor(60 * minute), exportWh: 0 });
const wild = { importWh: 5_000_000, exportWh: 0 };

describe('a wild total', () => {
  test.each([
    ['as the first reading after the enrolment', 0, 1.5],
    ['in one poll', 7.5, 1],
    ['for eleven minutes', 7.5, 11],
  ])('%s is never signed, and the true registers go on', async (_, from, minutes) => {
    const meter = await playMeter((minute) => (minute >= from && minute < from + minutes ? wild : truth(minute)), 46);
    expect(meter.signed.length).toBeGreaterThan(30);
    expect(meter.signed.every(([minute, wh]) => wh === truth(minute).importWh)).toBe(true);
    expect(meter.windows).toEqual([0, 1, 2]);
    expect(meter.meter.problems()).toEqual([]);
    await meter.end();
  });

  test('says that the registers rose faster than the connection allows', async () => {
    const meter = await playMeter((minute) => (minute > 3 ? wild : truth(minute)), 6);
    expect(meter.meter.problems().join()).toContain(
      'its registers rose faster than the connection allows (0.180/0.000 kWh to 5000.000/0.000 kWh)',
    );
    await meter.end();
  });
});
