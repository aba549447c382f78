import { asWindow, Quality, type Window, windowOf, windowStartAtMs } from '@gridtokenx/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UndatedReadings } from '../../src/domain/signing/undated.js';
import { WindowTracker } from '../../src/domain/signing/windows.js';

const FIRST = asWindow(2_000_000);
const START = windowStartAtMs(FIRST);
const MINUTE = 60_000;
const WINDOW = 15 * MINUTE;
const UNKNOWN = Quality.unsynchronised;

/** A tracker whose reading at steady time s is at `START` + s, with a register that counts minutes. */
function tracker(closedThrough: Window = asWindow(0)) {
  const windows = new WindowTracker(closedThrough);
  const read = (steadyMs: number, { isKnown = true, wrongMs = 0 } = {}) =>
    windows.add({
      ...{ timeMs: START + steadyMs + wrongMs, steadyMs, uncertaintyMs: isKnown ? 10 : null },
      ...{ importWh: BigInt(Math.floor(steadyMs / MINUTE)), exportWh: 0n, quality: isKnown ? 0 : UNKNOWN },
    });
  const open = () => windows.open.map(({ window, importWh, quality }) => [window - FIRST, Number(importWh), quality]);
  return { windows, read, open };
}

describe('readings of an unknown time', () => {
  test('choose no window, and get theirs from the first known time of the run', () => {
    const { windows, read, open } = tracker();
    for (let minute = 0; minute < 40; minute++) read(minute * MINUTE, { isKnown: false, wrongMs: -4e9 });
    expect([open(), windows.undated]).toEqual([[], 40]);
    read(40 * MINUTE);
    expect(windows.undated).toBe(0);
    expect(open()).toEqual([
      [0, 14, UNKNOWN],
      [1, 29, UNKNOWN],
      [2, 40, UNKNOWN],
    ]);
    expect(windows.due(START + WINDOW)?.uncertaintyMs).toBeNull();
  });

  test('never join a window that is closed', () => {
    const { windows, read, open } = tracker(FIRST);
    for (const minute of [5, 14, 20]) read(minute * MINUTE, { isKnown: false });
    windows.date({ timeMs: START + 21 * MINUTE, steadyMs: 21 * MINUTE });
    expect(open()).toEqual([[1, 20, UNKNOWN]]);
  });

  test('of an earlier run are never dated, and a restored image drops them', () => {
    const { windows, read, open } = tracker();
    windows.add({ timeMs: START, steadyMs: null, uncertaintyMs: null, importWh: 1n, exportWh: 1n, quality: UNKNOWN });
    expect(windows.undated).toBe(0);
    read(0, { isKnown: false });
    windows.dropThrough(FIRST);
    expect(windows.undated).toBe(0);
    windows.date({ timeMs: START + WINDOW, steadyMs: WINDOW });
    expect(open()).toEqual([]);
  });

  test('are kept one for each minute, and never more than a week of minutes', () => {
    const undated = new UndatedReadings();
    for (let second = 0; second < 30 * 86_400; second += 20) {
      const quality = second === 20 ? UNKNOWN | Quality.gap : UNKNOWN;
      undated.add({ steadyMs: second * 1_000, importWh: BigInt(second), exportWh: 0n, quality });
      expect(undated.count).toBeLessThanOrEqual(10_080);
    }
    expect(undated.count).toBeGreaterThan(5_000);
    const dated = undated.dated({ timeMs: START, steadyMs: 30 * 86_400_000 });
    expect(dated.at(-1)).toMatchObject({ importWh: BigInt(30 * 86_400 - 20), timeMs: START - 20_000 });
    expect(dated[0]?.quality).toBe(UNKNOWN | Quality.gap);
    const times = dated.map(({ timeMs }) => timeMs);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });
});

describe('a known time that was wrong', () => {
  test('by less than a window keeps the readings in the newest window', () => {
    const { read, open } = tracker();
    read(10 * MINUTE, { wrongMs: 10 * MINUTE });
    read(11 * MINUTE);
    expect(open()).toEqual([[1, 11, 0]]);
  });

  test('by more brings the open windows back to the present, never attested', () => {
    const { read, open } = tracker();
    read(1 * MINUTE);
    for (const minute of [2, 20, 40]) read(minute * MINUTE, { wrongMs: 30 * 96 * WINDOW });
    read(41 * MINUTE);
    expect(open()).toEqual([
      [0, 1, 0],
      [2, 41, UNKNOWN],
    ]);
    read(46 * MINUTE);
    expect(open().at(-1)).toEqual([3, 46, 0]);
  });

  test('leaves the readings after a closed window in the next one', () => {
    const { windows, read, open } = tracker(asWindow(FIRST + 50));
    read(0);
    read(MINUTE);
    expect(open()).toEqual([[51, 1, 0]]);
    expect(windows.due(START + 10 * WINDOW)).toBeNull();
  });
});

test('windows and registers rise, and nothing joins a closed window, whatever the time does', () => {
  const step = fc.record({
    passMs: fc.integer({ min: 1_000, max: 2 * WINDOW }),
    wrongMs: fc.oneof(fc.constant(0), fc.integer({ min: -100 * WINDOW, max: 100 * WINDOW })),
    isKnown: fc.boolean(),
    closes: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { windows, read } = tracker();
      let steadyMs = 0;
      let closed = { window: 0, importWh: -1n };
      for (const { passMs, wrongMs, isKnown, closes } of steps) {
        steadyMs += passMs;
        read(steadyMs, { isKnown, wrongMs });
        const open = windows.open;
        for (const [i, one] of open.entries()) {
          expect(one.window).toBeGreaterThan(open[i - 1]?.window ?? windows.closedThrough);
          expect(one.importWh >= (open[i - 1]?.importWh ?? closed.importWh)).toBe(true);
        }
        const due = closes && isKnown ? windows.due(START + steadyMs + wrongMs) : null;
        if (!due) continue;
        expect(due.window).toBeGreaterThan(closed.window);
        expect(due.window).toBeLessThan(windowOf(START + steadyMs + wrongMs));
        closed = due;
        windows.close(due.window);
      }
    }),
    { numRuns: 500 },
  );
});
