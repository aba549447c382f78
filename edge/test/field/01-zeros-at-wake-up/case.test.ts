/**
 * Plays a device whose lifetime energy reads 0 while it wakes up, for one poll or for minutes, then the true value.
 * Reported for victronenergy/dbus-fronius #18, kellerza/pysma #93 and kodebach/hacs-idm-heatpump #322.
 */
import { describe, expect, test } from 'vitest';
import { playMeter } from '../../support/field-meter.js';

/** Registers of the report's device, Wh. */
const BASE = 56_986_966;
const truth = (minute: number) => ({ importWh: BASE + Math.floor(60 * minute), exportWh: 0 });

describe('an energy register that reads 0 at wake-up', () => {
  test.each([
    ['for a single read', 7, 1 / 600],
    ['for four seconds', 7, 4 / 60],
    ['for ten polls', 7, 10],
    ['over the end of a window', 14, 3],
    ['at once after the start', 0, 3],
  ])('%s: nothing of it is signed, and settlement goes on', async (_, from, minutes) => {
    const meter = await playMeter(
      (minute) => (minute >= from && minute < from + minutes ? { importWh: 0, exportWh: 0 } : truth(minute)),
      46,
      BASE,
    );
    expect(meter.signed.every(([minute, wh]) => wh === truth(minute).importWh)).toBe(true);
    expect(meter.windows).toEqual([0, 1, 2]);
    expect(meter.hasDiscontinuity).toBe(false);
    expect(meter.meter.problems()).toEqual([]);
    await meter.end();
  });

  test.each([1, 2, 3, 10])('for exactly %d answers', async (answers) => {
    let zeros = 0;
    const meter = await playMeter(
      (minute) => (minute >= 7 && zeros++ < answers ? { importWh: 0, exportWh: 0 } : truth(minute)),
      31,
      BASE,
    );
    expect(meter.windows).toEqual([0, 1]);
    expect(meter.signed.every(([minute, wh]) => wh === truth(minute).importWh)).toBe(true);
    await meter.end();
  });

  test('says meanwhile that the registers fell, and that the gateway waits for them', async () => {
    const meter = await playMeter((minute) => (minute >= 7 ? { importWh: 0, exportWh: 0 } : truth(minute)), 12, BASE);
    expect(meter.meter.problems()).toEqual([
      'meter main: its registers fell (56987.326/0.000 kWh to 0.000/0.000 kWh): the gateway signs nothing until its registers go on from the last good ones',
    ]);
    await meter.end();
  });
});
