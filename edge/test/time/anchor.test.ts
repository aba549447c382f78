import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Anchor, agree, errorAt, medianOf, timeAt } from '../../src/domain/time/anchor.js';

const TRUE_MS = Date.UTC(2026, 11, 1);
const steady = fc.integer({ min: 0, max: 600_000 });
/** An oracle that is right: its error bounds its deviation. */
const right = fc
  .record({
    steadyAtMs: steady,
    errorMs: fc.integer({ min: 0, max: 5_000 }),
    part: fc.double({ min: -1, max: 1, noNaN: true }),
  })
  .map(
    ({ steadyAtMs, errorMs, part }): Anchor => ({ steadyAtMs, errorMs, timeMs: TRUE_MS + steadyAtMs + part * errorMs }),
  );
const wrong = fc
  .record({
    steadyAtMs: steady,
    errorMs: fc.integer({ min: 0, max: 5_000 }),
    byMs: fc.integer({ min: -1e12, max: 1e12 }),
  })
  .map(({ steadyAtMs, errorMs, byMs }): Anchor => ({ steadyAtMs, errorMs, timeMs: TRUE_MS + steadyAtMs + byMs }));
const isTrue = (anchor: Anchor, steadyMs: number) =>
  Math.abs(timeAt(anchor, steadyMs) - (TRUE_MS + steadyMs)) <= errorAt(anchor, steadyMs) + 1e-3;

describe("the median of the oracles' answers", () => {
  test('holds while fewer than half of them are wrong', () => {
    const answers = fc
      .integer({ min: 1, max: 4 })
      .chain((count) =>
        fc.tuple(
          fc.array(right, { minLength: count, maxLength: count }),
          fc.array(wrong, { minLength: 0, maxLength: count - 1 }),
        ),
      );
    fc.assert(
      fc.property(answers, fc.integer({ min: 600_000, max: 6_000_000 }), ([good, bad], steadyMs) => {
        const median = medianOf([...bad, ...good], steadyMs) as Anchor;
        expect(isTrue(median, steadyMs)).toBe(true);
      }),
    );
  });

  test('holds where one of two is right: its error covers both', () => {
    fc.assert(
      fc.property(right, wrong, (good, bad) => {
        const median = medianOf([good, bad], 600_000) as Anchor;
        expect(isTrue(median, 600_000)).toBe(true);
      }),
    );
  });

  test('is none without an answer', () => expect(medianOf([], 5)).toBeNull());
});

test('an anchor widens by 200 ppm, and two agree where both can be right', () => {
  const anchor = { steadyAtMs: 1_000, timeMs: TRUE_MS, errorMs: 40 };
  expect([timeAt(anchor, 1_001_000), errorAt(anchor, 1_001_000)]).toEqual([TRUE_MS + 1_000_000, 240]);
  const other = (byMs: number) => ({ steadyAtMs: 1_001_000, timeMs: TRUE_MS + 1_000_000 + byMs, errorMs: 10 });
  expect([249, 250, 251, -250, -251].map((byMs) => agree(anchor, other(byMs), 1_001_000))).toEqual([
    true,
    true,
    false,
    true,
    false,
  ]);
});
