/**
 * Plays a device that shows all ones where it has no value.
 * Reported for zbigniewmotyka/home-assistant-solplanet #31 and wlcrs/huawei_solar #1258.
 */
import { describe, expect, test } from 'vitest';
import { ReadError, ReadFailure } from '../../../src/domain/ports.js';
import { decodeRaw, type RegisterType } from '../../../src/profiles/register.js';
import { playMeter } from '../../support/field-meter.js';
import { registerAt } from '../../support/registers.js';

const noValue = (): never => {
  throw new ReadError(ReadFailure.noValue, 'the meter says that its export register is not available');
};

describe('an energy register of all ones', () => {
  test.each<[RegisterType, number]>([
    ['u16', 2],
    ['u32', 4],
    ['acc32', 4],
    ['u64', 8],
    ['acc64', 8],
    ['i32', 4],
    ['f32', 4],
    ['f64', 8],
  ])('in %s is never a value', (type, bytes) => {
    const register = registerAt('export', 0, { type });
    expect(decodeRaw(register, new Uint8Array(bytes).fill(0xff))).toEqual({ kind: 'not-available' });
  });

  test.each([
    ['the first answer after the enrolment', 0, 2],
    ['in the middle of a run', 8, 3],
  ])('is not signed as %s', async (_, from, minutes) => {
    const truth = (minute: number) => ({ importWh: Math.floor(60 * minute), exportWh: 0 });
    const meter = await playMeter(
      (minute) => (minute >= from && minute < from + minutes ? noValue() : truth(minute)),
      31,
    );
    expect(meter.signed.every(([minute, wh]) => wh === truth(minute).importWh)).toBe(true);
    expect(meter.windows).toEqual([0, 1]);
    await meter.end();
  });

  test('is named while it lasts', async () => {
    const meter = await playMeter(() => noValue(), 5);
    expect(meter.meter.problems().join()).toContain('the meter says that its export register is not available');
    expect(meter.signed).toEqual([]);
    await meter.end();
  });
});
