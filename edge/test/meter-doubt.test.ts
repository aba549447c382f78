import { EventCode, Kind, Quality, windowOf } from '@gridtokenx/protocol';
import { describe, expect, test } from 'vitest';
import { ReadError, ReadFailure } from '../src/domain/ports.js';
import { DiscontinuityReason } from '../src/domain/signing/discontinuity.js';
import { MINUTE, type Registers, rising, START, setUp } from './support/meter-polls.js';

type Run = Awaited<ReturnType<typeof setUp>>;
const details = (run: Run) =>
  run.of(Kind.event).flatMap(({ code, detail }) => (code === EventCode.registerDiscontinuity ? [detail] : []));
const windows = (run: Run) => run.of(Kind.statement).map(({ window }) => window - windowOf(START));
const { doubtFell, doubtRose, doubtNoValue, over, fell, accepted } = DiscontinuityReason;

/** Shows `shown` instead of the true registers from one minute to another. */
const during = (from: number, until: number, shown: (nowMs: number) => Registers) => (nowMs: number) => {
  const minute = (nowMs - START) / MINUTE;
  return minute >= from && minute < until ? shown(nowMs) : { importWh: 50 + rising(nowMs).importWh, exportWh: 60 };
};
const ZERO = () => ({ importWh: 0, exportWh: 0 });

describe('a meter that shows what cannot be', () => {
  test('once in a poll is read again, and nothing is told', async () => {
    let zeros = 0;
    const run = await setUp((nowMs) =>
      nowMs === START + 2 * MINUTE && zeros++ < 2 ? ZERO() : { importWh: 50, exportWh: 60 },
    );
    await run.time.advance(3 * MINUTE);
    expect(run.of(Kind.reading)).toHaveLength(3);
    expect(details(run)).toEqual([]);
    expect(run.meter.problems()).toEqual([]);
    await run.end();
  });

  test.each([
    ['zeros', ZERO, doubtFell, 'its registers fell (0.350/0.060 kWh to 0.000/0.000 kWh)'],
    ['a wild total', () => ({ importWh: 5_000_000, exportWh: 60 }), doubtRose, 'rose faster than the connection'],
    [
      'no value',
      () => {
        throw new ReadError(ReadFailure.noValue, 'the meter says that its export register is not available');
      },
      doubtNoValue,
      'is not available',
    ],
  ])(
    'for minutes (%s) signs none of it, and its next statement after it came back',
    async (_, shown, detail, words) => {
      const run = await setUp(during(6, 9, shown));
      await run.time.advance(8 * MINUTE);
      expect(run.meter.problems().join()).toContain(words);
      await run.time.advance(23 * MINUTE);
      expect(run.meter.problems()).toEqual([]);
      expect(details(run)).toEqual([detail, over]);
      expect(run.of(Kind.event).every(({ quality }) => (quality & Quality.discontinuity) === 0)).toBe(true);
      for (const { importWh, timeMs } of run.of(Kind.reading))
        expect(importWh).toBe(BigInt(50 + rising(Number(timeMs)).importWh));
      expect(run.of(Kind.reading).filter(({ timeMs }) => Number(timeMs) < START + 9 * MINUTE)).toHaveLength(5);
      expect(windows(run)).toEqual([0, 1]);
      expect(run.of(Kind.statement).map(({ quality }) => quality & Quality.gap)).toEqual([Quality.gap, 0]);
      await run.end();
    },
  );

  test('over the end of a window signs that statement when it came back, with a gap and stale', async () => {
    const run = await setUp(during(14, 17, ZERO));
    await run.time.advance(16 * MINUTE);
    expect(windows(run)).toEqual([]);
    await run.time.advance(16 * MINUTE);
    expect(windows(run)).toEqual([0, 1]);
    const [first] = run.of(Kind.statement);
    expect(first?.quality).toBe(Quality.gatewaySigned | Quality.gap | Quality.stale);
    await run.end();
  });

  test('again and again tells one pair a minute', async () => {
    let reads = 0;
    const run = await setUp((nowMs) => (reads++ % 6 < 3 ? { importWh: 9, exportWh: 9 } : rising(nowMs)));
    await run.time.advance(30 * MINUTE);
    expect(details(run).filter((detail) => detail === doubtFell).length).toBeLessThanOrEqual(31);
    expect(run.counts.get('doubts') ?? 0).toBeGreaterThan(5);
    await run.end();
  });
});

describe('registers that fell and rise from there', () => {
  /** Counts 1 Wh a minute from 0. */
  const exchanged = (nowMs: number) => ({ importWh: Math.floor((nowMs - START) / MINUTE) - 6, exportWh: 0 });

  test('for two windows are a discontinuity; readings go on with bit 3, statements stop', async () => {
    const run = await setUp(during(6, 1_000, exchanged));
    await run.time.advance(35 * MINUTE);
    expect(details(run)).toEqual([doubtFell]);
    expect(run.of(Kind.reading)).toHaveLength(5);
    await run.time.advance(10 * MINUTE);
    expect(details(run)).toEqual([doubtFell, fell]);
    expect(run.of(Kind.reading).at(-1)?.quality).toBe(Quality.gatewaySigned | Quality.discontinuity);
    expect(windows(run)).toEqual([]);
    expect(run.meter.problems().join()).toContain('accept-register');
    await run.end();
  });

  test('and then come back end the discontinuity by themselves', async () => {
    const run = await setUp(during(6, 50, exchanged));
    await run.time.advance(66 * MINUTE);
    expect(details(run)).toEqual([doubtFell, fell, over]);
    expect(run.of(Kind.reading).at(-1)).toMatchObject({ quality: Quality.gatewaySigned });
    expect(windows(run)).toEqual([3]);
    expect(run.meter.problems()).toEqual([]);
    await run.end();
  });

  test('that stand at zero for hours are no discontinuity: an inverter sleeps', async () => {
    const run = await setUp(during(6, 600, ZERO));
    await run.time.advance(595 * MINUTE);
    expect(details(run)).toEqual([doubtFell]);
    await run.time.advance(40 * MINUTE);
    expect(details(run)).toEqual([doubtFell, over]);
    expect(windows(run).length).toBeGreaterThanOrEqual(2);
    await run.end();
  });

  test('count on from the last good ones once a person accepts them, so that nothing is gained', async () => {
    const run = await setUp(during(6, 1_000, exchanged));
    expect(await run.meter.accept('too early')).toContain('nothing to accept');
    await run.time.advance(45 * MINUTE);
    const before = run.of(Kind.reading).filter(({ quality }) => quality === Quality.gatewaySigned);
    const last = before.at(-1)?.importWh ?? 0n;
    expect(await run.meter.accept('the electrician reset the meter')).toBeNull();
    // The gateway may end before it answers: the next run finds the request again.
    expect(await run.meter.accept('the electrician reset the meter')).toBeNull();
    expect(await run.meter.accept('another reason')).toContain('nothing to accept');
    await run.time.advance(16 * MINUTE);
    expect(details(run)).toEqual([doubtFell, fell, accepted]);
    const after = run.of(Kind.reading).filter(({ quality }) => quality === Quality.gatewaySigned);
    const [first] = after.slice(before.length);
    // One poll passed since the registers were accepted: 1 Wh.
    expect(first?.importWh).toBe(last + 1n);
    expect(windows(run)).toHaveLength(1);
    expect(run.meter.view()).toMatchObject({
      registers: { is_discontinuous: false, accepted: [{ reason: 'the electrician reset the meter' }] },
    });
    await run.end();
  });

  test('above the bound are never accepted as energy', async () => {
    const run = await setUp(
      during(6, 1_000, (nowMs) => ({ importWh: 900_000 + rising(nowMs).importWh, exportWh: 60 })),
    );
    await run.time.advance(10 * MINUTE);
    const last = run.of(Kind.reading).at(-1)?.importWh ?? 0n;
    expect(await run.meter.accept('the meter was exchanged')).toBeNull();
    await run.time.advance(2 * MINUTE);
    expect(run.of(Kind.reading).at(-1)?.importWh).toBe(last + 120n);
    await run.end();
  });

  test('that a person accepted during a glitch take the offset back when the former ones return', async () => {
    const glitch = () => ({ importWh: 5, exportWh: 0 });
    const run = await setUp(during(6, 12, glitch));
    await run.time.advance(9 * MINUTE);
    expect(await run.meter.accept('somebody believed the display')).toBeNull();
    await run.time.advance(2 * MINUTE);
    expect(run.meter.view()).toMatchObject({ registers: { accepted: [{ reason: 'somebody believed the display' }] } });
    await run.time.advance(60 * MINUTE);
    expect(run.meter.view()).toMatchObject({
      registers: { is_doubtful: false, offsets: { import_wh: '0', export_wh: '0' }, accepted: [] },
    });
    const truth = (timeMs: bigint) => BigInt(50 + rising(Number(timeMs)).importWh);
    const last = run.of(Kind.reading).at(-1);
    expect(last?.importWh).toBe(truth(last?.timeMs ?? 0n));
    for (const { importWh, timeMs } of run.of(Kind.reading)) expect(importWh).toBeLessThanOrEqual(truth(timeMs));
    expect(run.meter.problems()).toEqual([]);
    await run.end();
  });

  test('above the bound, accepted and gone again, do not end in a fall for good', async () => {
    const run = await setUp(during(6, 12, (nowMs) => ({ importWh: 900_000 + rising(nowMs).importWh, exportWh: 60 })));
    await run.time.advance(9 * MINUTE);
    expect(await run.meter.accept('the meter was exchanged')).toBeNull();
    await run.time.advance(30 * MINUTE);
    const last = run.of(Kind.reading).at(-1);
    expect(last?.importWh).toBe(BigInt(50 + rising(Number(last?.timeMs)).importWh));
    expect(run.meter.problems()).toEqual([]);
    await run.end();
  });
});
