import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ReadLength } from '../../src/domain/bus/read-length.js';

test('without a refusal there is no limit', () => {
  const lengths = new ReadLength();
  lengths.answered(80);
  expect([lengths.limit, lengths.learnt, lengths.open]).toEqual([null, null, null]);
});

test('a limit halves until a read is answered, and the middle of what is open finds the true one', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 124 }), fc.integer({ min: 2, max: 125 }), (most, first) => {
      fc.pre(first > most);
      const lengths = new ReadLength();
      const ask = (count: number) => (count <= most ? lengths.answered(count) : lengths.refused(count));
      ask(first);
      let reads = 1;
      for (; lengths.learnt === null; reads++) ask(lengths.limit ?? 0);
      for (; (lengths.open?.below ?? 0) - (lengths.open?.above ?? 0) > 1; reads++)
        ask(Math.floor(((lengths.open?.above ?? 0) + (lengths.open?.below ?? 0)) / 2));
      expect(lengths.learnt).toBe(most);
      expect(reads).toBeLessThanOrEqual(16);
    }),
  );
});

test('a length that is answered after all disproves its refusal, and forgetting removes the limit', () => {
  const lengths = new ReadLength();
  lengths.refused(40);
  expect(lengths.limit).toBe(20);
  lengths.answered(60);
  expect(lengths.limit).toBeNull();
  lengths.refused(70);
  lengths.forget();
  expect(lengths.limit).toBeNull();
});
