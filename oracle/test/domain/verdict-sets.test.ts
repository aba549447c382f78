import { Reason } from '@gridtokenx/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IntervalSet } from '../../src/domain/verdicts/intervals.js';
import {
  isAccepted,
  isRefused,
  refusedFor,
  VERIFIED,
  VERIFIED_CODE,
  type VerdictCode,
  verdictName,
} from '../../src/domain/verdicts/verdict.js';

describe('a verdict', () => {
  it('moves watermarks where it is verified, or verified with the note on its root, and nowhere else', () => {
    const codes: VerdictCode[] = [VERIFIED_CODE, ...Object.values(Reason)];
    const accepted = codes.filter(isAccepted);
    expect(accepted).toEqual([VERIFIED_CODE, Reason.rootNotReproducible]);
  });

  it('is told as a refusal once it is settled', () => {
    expect(
      [VERIFIED, refusedFor(Reason.rootNotReproducible), refusedFor(Reason.predecessorPending)].map(isRefused),
    ).toEqual([...[false, false, false]]);
    expect([refusedFor(Reason.equivocation), refusedFor(Reason.equivocation, false)].map(isRefused)).toEqual([
      true,
      false,
    ]);
    expect(isRefused(refusedFor(Reason.overQuota))).toBe(false);
    expect([verdictName(VERIFIED_CODE), verdictName(Reason.equivocation)]).toEqual(['verified', 'equivocation']);
  });
});

describe('a set of intervals', () => {
  const TOP = 24;
  const range = fc.tuple(fc.integer({ min: 0, max: TOP }), fc.integer({ min: -2, max: 6 }));

  it('holds what was added, in any order, and joins what touches or overlaps', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 9 }), (ranges) => {
        const [set, model] = [new IntervalSet(), new Set<number>()];
        for (const [first, length] of ranges) {
          set.add(BigInt(first), BigInt(first + length));
          for (let n = first; n <= first + length; n++) model.add(n);
        }
        for (let n = 0; n <= TOP + 8; n++) {
          expect(set.has(BigInt(n)), `${n}`).toBe(model.has(n));
          let end = n;
          while (model.has(end + 1)) end++;
          expect(set.endOf(BigInt(n)), `end of ${n}`).toBe(model.has(n) ? BigInt(end) : null);
          for (const last of [n - 1, n, n + 3]) {
            const missing = Array.from({ length: last - n + 1 }, (_, i) => n + i).filter((one) => !model.has(one));
            expect(set.covers(BigInt(n), BigInt(last)), `${n} to ${last}`).toBe(missing.length === 0);
            const highest = missing.at(-1);
            expect(set.highestMissing(BigInt(n), BigInt(last))).toBe(highest === undefined ? null : BigInt(highest));
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});
