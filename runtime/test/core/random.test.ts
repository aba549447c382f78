import { expect, it } from 'vitest';
import { SeededRandom } from '../../src/core/index.js';

const first = (seed: number, count = 3) => {
  const random = new SeededRandom(seed);
  return Array.from({ length: count }, () => random.fraction());
};

it('gives the numbers that a seed has always given: a failing seed must fail again', () => {
  expect(first(0)).toEqual([0.3921251413412392, 0.8505931859835982, 0.684420470148325]);
  expect(first(7 + 2 ** 32)).toEqual(first(7));
  expect(first(7)).not.toEqual(first(8));
});

it('stays within its bounds, and reaches both', () => {
  const random = new SeededRandom(1);
  const drawn = Array.from({ length: 500 }, () => random.int(3, 6));
  expect([...new Set(drawn)].sort()).toEqual([3, 4, 5, 6]);
  for (const value of first(1, 500)) expect(value >= 0 && value < 1).toBe(true);
  expect(new Set(random.bytes(4_096)).size).toBe(256);
});
