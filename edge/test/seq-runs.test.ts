import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SeqRuns } from '../src/domain/seq-runs.js';

const step = fc.record({
  isAdded: fc.boolean(),
  first: fc.integer({ min: 1, max: 60 }),
  length: fc.integer({ min: 1, max: 12 }),
});

test('runs say what a set of the same seqs says', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.integer({ min: 1, max: 70 }), (steps, from) => {
      const runs = new SeqRuns();
      const seqs = new Set<number>();
      for (const { isAdded, first, length } of steps) {
        const last = first + length - 1;
        if (isAdded) runs.addRun(first, last);
        else runs.removeRun(first, last);
        for (let seq = first; seq <= last; seq++) isAdded ? seqs.add(seq) : seqs.delete(seq);
      }
      const sorted = [...seqs].sort((a, b) => a - b);
      expect(
        [...runs].flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i)),
      ).toEqual(sorted);
      const bounds = [...runs].flatMap(({ first, last }) => [first, last]);
      expect(bounds.every((bound, i) => i === 0 || i % 2 === 1 || bound > (bounds[i - 1] ?? 0) + 1)).toBe(true);
      expect([runs.lowest, runs.highest]).toEqual([sorted[0] ?? 0, sorted.at(-1) ?? 0]);
      const through = from + 10;
      expect(runs.count(from, through)).toBe(sorted.filter((seq) => seq >= from && seq <= through).length);
      const absent = runs.missing(from, through).flatMap(({ first, last }) => [first, last]);
      expect(SeqRuns.of(runs.missing(from, through)).count(1, 100)).toBe(11 - runs.count(from, through));
      for (const seq of absent) expect(runs.has(seq)).toBe(false);
      expect(runs.lastOf(from, 4)).toBe(
        sorted
          .filter((seq) => seq >= from)
          .slice(0, 4)
          .at(-1) ?? 0,
      );
    }),
    { numRuns: 500 },
  );
});

test('a million seqs in a row are one run', () => {
  const runs = new SeqRuns();
  for (let seq = 1; seq <= 1_000_000; seq++) runs.add(seq);
  expect([runs.runs, runs.count(1, 1_000_000), runs.isEmpty]).toEqual([1, 1_000_000, false]);
});
