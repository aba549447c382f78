import { expect, test } from 'vitest';
import { Random64 } from '../src/random.js';

test('a seed of 64 bits goes on meaning the same numbers: those of the reference SplitMix64', () => {
  const random = new Random64(1_234_567n);
  expect([1, 2, 3, 4, 5].map(() => random.next())).toEqual([
    6_457_827_717_110_365_317n,
    3_203_168_211_198_807_973n,
    9_817_491_932_198_370_423n,
    4_593_380_528_125_082_431n,
    16_408_922_859_458_223_821n,
  ]);
});

test('draws from them go on meaning the same, too', () => {
  const random = new Random64(1n);
  const drawn = [1, 2, 3, 4, 5, 6].map(() => [
    random.below(10),
    random.between(5, 9),
    random.oneIn(2),
    random.pick(['a', 'b', 'c']),
    random.weighted([
      [1, 'rare'],
      [9, 'often'],
    ]),
  ]);
  expect(drawn).toEqual([
    [5, 9, true, 'c', 'often'],
    [8, 5, false, 'a', 'rare'],
    [7, 5, true, 'b', 'often'],
    [9, 5, false, 'c', 'often'],
    [6, 9, false, 'c', 'often'],
    [9, 9, false, 'b', 'often'],
  ]);
  expect(() => random.pick([])).toThrow(RangeError);
});
