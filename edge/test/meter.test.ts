import { EventCode, Kind, Quality, windowOf } from '@gridtokenx/protocol';
import { describe, expect, test } from 'vitest';
import { ReadError, ReadFailure } from '../src/domain/ports.js';

import { MINUTE, rising, START, setUp } from './support/meter-polls.js';

describe('a meter', () => {
  test('is read on the grid and before each boundary, and each window is closed at its end', async () => {
    const run = await setUp(rising);
    await run.time.advance(31 * MINUTE);
    const offsets = run.of(Kind.reading).map(({ timeMs }) => (Number(timeMs) - START) / 1000);
    const expected = Array.from({ length: 31 }, (_, i) => (i + 1) * 60);
    expect(offsets).toEqual([...expected, 880, 1780].sort((a, b) => a - b));
    expect(
      run.of(Kind.statement).map(({ window, importWh, quality }) => [window - windowOf(START), importWh, quality]),
    ).toEqual([
      [0, 880n, Quality.gatewaySigned],
      [1, 1780n, Quality.gatewaySigned],
    ]);
    await run.end();
  });

  test('at sixty times the speed has the same rhythm', async () => {
    const run = await setUp(rising, 60);
    await run.time.advance(31_000);
    expect(run.of(Kind.reading).length).toBe(33);
    expect(run.of(Kind.statement).map(({ quality }) => quality)).toEqual([
      Quality.gatewaySigned,
      Quality.gatewaySigned,
    ]);
    await run.end();
  });

  test('that does not answer at the boundary is asked again until it does, else the window is stale', async () => {
    let dead = (_nowMs: number) => false;
    const run = await setUp((nowMs) => {
      if (dead(nowMs)) throw new ReadError(ReadFailure.timeout, 'no answer');
      return rising(nowMs);
    });
    dead = (nowMs) => nowMs > START + 850_000 && nowMs < START + 890_000;
    await run.time.advance(16 * MINUTE);
    expect(run.of(Kind.statement).map(({ importWh, quality }) => [importWh, quality])).toEqual([
      [890n, Quality.gatewaySigned],
    ]);
    expect(run.meter.problems()).toEqual([]);
    dead = (nowMs) => nowMs > START + 1_700_000;
    await run.time.advance(15 * MINUTE);
    expect(run.of(Kind.statement).at(-1)?.quality).toBe(Quality.gatewaySigned | Quality.stale);
    expect(run.meter.problems()).toEqual(['meter main: no answer']);
    await run.end();
  });

  test('whose windows may not be closed yet gets all its statements later, in order', async () => {
    const run = await setUp(rising);
    run.allowClosing(false);
    await run.time.advance(32 * MINUTE);
    expect(run.of(Kind.statement)).toEqual([]);
    run.allowClosing(true);
    await run.time.advance(2 * MINUTE);
    expect(
      run
        .of(Kind.statement)
        .map(({ window, importWh, readingCount }) => [window - windowOf(START), importWh, readingCount]),
    ).toEqual([
      [0, 880n, 34],
      [1, 1780n, 0],
    ]);
    await run.end();
  });

  test('whose registers rise faster than its connection allows is not believed', async () => {
    const run = await setUp((nowMs) => ({ importWh: nowMs === START + 3 * MINUTE ? 1_000_000 : 5, exportWh: 0 }));
    await run.time.advance(5 * MINUTE);
    expect(run.of(Kind.reading).map(({ importWh }) => importWh)).toEqual([5n, 5n, 5n, 5n]);
    expect(run.counts.get('poll_errors')).toBe(1);
    await run.end();
  });

  test('that its line cannot poll so often is polled less often, and says so', async () => {
    const least = { ms: 2.5 * MINUTE, because: 'line' } as const;
    const { time, of, meter, end } = await setUp(() => ({ importWh: 1, exportWh: 0 }), 1, undefined, {
      leastPeriod: () => least,
    });
    await time.advance(13 * MINUTE);
    expect(of(Kind.reading)).toHaveLength(5);
    expect(meter.problems()[0]).toContain('is polled every 150 s, not every 60 s');
    await end();
  });

  test('keeps what was on the line when its registers fall, once for each fall', async () => {
    let kept = 0;
    const { time, end } = await setUp(
      (now) => ({ importWh: now < START + 3 * MINUTE ? 100 : 5, exportWh: 0 }),
      1,
      undefined,
      {
        keepFrames: async () => void kept++,
      },
    );
    await time.advance(2 * MINUTE);
    expect(kept).toBe(0);
    await time.advance(8 * MINUTE);
    expect(kept).toBe(1);
    await end();
  });
});

test('registers that stand still under power are an event and a line, and are signed as the meter gives them', async () => {
  const run = await setUp(() => ({ importWh: 77, exportWh: 5, powerW: 3_000 }));
  await run.time.advance(20 * MINUTE);
  expect(run.of(Kind.event).map(({ code, detail }) => [code, detail])).toEqual([[EventCode.selfTestFailed, 1]]);
  expect(run.meter.problems()[0]).toContain('0.077/0.005 kWh while it showed power for');
  expect(run.of(Kind.reading).every(({ importWh }) => importWh === 77n)).toBe(true);
  expect(run.of(Kind.statement)).toHaveLength(1);
  await run.end();
});
