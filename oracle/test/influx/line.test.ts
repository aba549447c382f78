import { asMeterId, asWh, type MeterId, type Wh } from '@gridtokenx/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lineOf, pointOf, Unwritable } from '../../src/adapters/influx/line.js';
import type { SeriesRow } from '../../src/domain/ports.js';
import { readingOf } from './support.js';

const golden =
  'reading,feeder=unassigned,meter=00000000000000000000000000000000,role=point,source=solar,zone=1 ' +
  'import_wh=5000i,export_wh=1000i,power_w=-240i,voltage=2301i,frequency=5000i,seq=1i,quality=64i,sig_ok=1i 1700000000000';

/** Returns the columns of the server's answer for a line. */
function columnsOf(line: string): (column: string) => string | undefined {
  const [head = '', fields = '', time = ''] = line.split(' ');
  const columns = new Map<string, string>();
  for (const pair of [...head.split(',').slice(1), ...fields.split(',')]) {
    const [name = '', value = ''] = pair.split('=');
    columns.set(name, value.replace(/^(-?\d+)i$/, '$1'));
  }
  columns.set('_time', new Date(Number(time)).toISOString());
  return (column) => columns.get(column);
}

const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const points: fc.Arbitrary<SeriesRow> = fc.record({
  timeMs: fc.integer({ min: -8_000_000_000_000, max: 9_000_000_000_000 }),
  meterId: fc.stringMatching(/^[0-9a-f]{32}$/).map((text) => asMeterId(text)),
  zone: fc.integer({ min: 0, max: 65_535 }),
  role: fc.constantFrom(0, 1, 2),
  source: fc.integer({ min: 0, max: 255 }),
  importWh: u64.map(asWh),
  exportWh: u64.map(asWh),
  powerW: fc.option(fc.integer({ min: -(2 ** 31) + 1, max: 2 ** 31 - 1 })),
  voltageDv: fc.option(fc.integer({ min: 0, max: 65_534 })),
  frequencyChz: fc.option(fc.integer({ min: 0, max: 65_534 })),
  quality: fc.integer({ min: 0, max: 65_535 }),
  seq: u64,
  isVerified: fc.boolean(),
});

describe('line protocol of a reading', () => {
  it('has these bytes', () => {
    expect(lineOf(readingOf(0))).toBe(golden);
  });

  it('leaves out what the meter does not measure', () => {
    const line = lineOf({ ...readingOf(0), powerW: null, voltageDv: null, frequencyChz: null });
    expect(line).toContain(' import_wh=5000i,export_wh=1000i,seq=1i,quality=64i,sig_ok=1i ');
  });

  it('says of one that is verified no longer that it is not', () => {
    expect(lineOf({ ...readingOf(0), isVerified: false })).toBe(golden.replace('sig_ok=1i', 'sig_ok=0i'));
  });

  it('comes back as it was, for every point', () => {
    fc.assert(
      fc.property(points, (point) => {
        expect(pointOf(columnsOf(lineOf(point)))).toEqual(point);
      }),
    );
  });

  it('keeps a hostile meter name inside its tag', () => {
    expect(lineOf({ ...readingOf(0), meterId: 'a,zone=9 b=1i\nreading x' as MeterId })).toContain(
      ',meter=a\\,zone\\=9\\ b\\=1i\\nreading\\ x,role=',
    );
  });

  it.each<[string, Partial<SeriesRow>]>([
    ['a register beyond 64 bits', { importWh: (2n ** 64n) as Wh }],
    ['a negative register', { exportWh: -1n as Wh }],
    ['a fraction', { powerW: 0.5 }],
    ['no number', { voltageDv: Number.NaN }],
    ['a time after the year 2262', { timeMs: 9_223_372_036_855 }],
    ['half a millisecond', { timeMs: 0.5 }],
    ['no meter', { meterId: '' as MeterId }],
  ])('refuses %s', (_, changes) => {
    expect(() => lineOf({ ...readingOf(0), ...changes })).toThrow(Unwritable);
  });
});
