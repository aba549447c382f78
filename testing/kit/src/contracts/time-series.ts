import { asMeterId, asWh } from '@gridtokenx/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TimeSeries } from '#oracle/domain/live/ports.js';
import type { SeriesRow } from '#oracle/domain/ports.js';

/** A store under test; `reopen` closes it and opens the same data again. */
export interface SeriesUnderTest {
  readonly series: TimeSeries;
  reopen(): Promise<TimeSeries>;
  remove(): Promise<void>;
}

export function point(changes: Partial<SeriesRow> = {}): SeriesRow {
  return {
    timeMs: 1_700_000_000_000,
    meterId: asMeterId('aa'.repeat(16)),
    zone: 3,
    role: 0,
    source: 1,
    importWh: asWh(5_000n),
    exportWh: asWh(1_000n),
    powerW: -1_250,
    voltageDv: 2_301,
    frequencyChz: 4_998,
    quality: 64,
    seq: 12n,
    isVerified: true,
    ...changes,
  };
}

const none = { importWh: asWh(0n), exportWh: asWh(0n) };

/** Tests the contract of every implementation of the `TimeSeries` port; `make` creates one. */
export function timeSeriesContract(name: string, make: () => Promise<SeriesUnderTest>): void {
  describe(`time series: ${name}`, () => {
    let under: SeriesUnderTest;
    beforeEach(async () => {
      under = await make();
    });
    afterEach(() => under.remove());
    const all = (series: TimeSeries, meterId = point().meterId) => series.range(meterId, 0, 9_999_999_999_999, 1_000);

    it('gives back what was written, all fields at their bounds', async () => {
      const top = asWh((1n << 64n) - 1n);
      const points = [
        point(),
        point({ timeMs: 1_700_000_000_001, powerW: null, voltageDv: null, frequencyChz: null }),
        point({ timeMs: 1_700_000_000_002, importWh: top, exportWh: top, seq: top, quality: 65_535, zone: 65_535 }),
        point({ timeMs: 1_700_000_000_003, ...none, powerW: -2_147_483_647, role: 2, source: 5 }),
      ];
      await under.series.write(points);
      expect(await all(under.series)).toEqual(points);
    });

    it('is the same after writing twice, and the later value of a place stands', async () => {
      await under.series.write([point(), point({ timeMs: 1_700_000_060_000 })]);
      await under.series.write([point(), point({ timeMs: 1_700_000_060_000 })]);
      await under.series.write([point({ quality: 68 })]);
      const found = await all(under.series);
      expect(found.map((p) => [p.timeMs, p.quality])).toEqual([
        [1_700_000_000_000, 68],
        [1_700_000_060_000, 64],
      ]);
    });

    it('shows a reading that is verified no longer as such', async () => {
      await under.series.write([point(), point({ timeMs: 1_700_000_060_000 })]);
      await under.series.write([point({ isVerified: false })]);
      expect((await all(under.series)).map((p) => p.isVerified)).toEqual([false, true]);
      expect((await all(await under.reopen())).map((p) => p.isVerified)).toEqual([false, true]);
    });

    it('keeps meters apart at the same time', async () => {
      const other = asMeterId('bb'.repeat(16));
      await under.series.write([point({ seq: 1n }), point({ meterId: other, seq: 2n })]);
      expect((await all(under.series)).map((p) => p.seq)).toEqual([1n]);
      expect((await all(under.series, other)).map((p) => p.seq)).toEqual([2n]);
    });

    it('cuts a range at its start (inclusive), its end (exclusive) and its limit, times rising', async () => {
      const times = [30, 10, 20, 40, 50];
      await under.series.write(times.map((timeMs) => point({ timeMs })));
      const range = async (from: number, to: number, limit: number) =>
        (await under.series.range(point().meterId, from, to, limit)).map((p) => p.timeMs);
      expect(await range(10, 40, 100)).toEqual([10, 20, 30]);
      expect(await range(11, 51, 100)).toEqual([20, 30, 40, 50]);
      expect(await range(0, 100, 2)).toEqual([10, 20]);
      expect(await range(60, 100, 10)).toEqual([]);
    });

    it('has everything after it was closed and opened again', async () => {
      await under.series.write([point(), point({ timeMs: 1_700_000_060_000 })]);
      expect(await all(await under.reopen())).toHaveLength(2);
    });

    it('rejects after it was closed, so that nobody takes a lost write for a stored one', async () => {
      await under.series.close();
      await expect(under.series.write([point()])).rejects.toThrow();
      await under.reopen();
    });
  });
}
