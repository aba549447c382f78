import { expect, test } from 'vitest';
import { sharedProfiles } from '../../src/wiring/readers.js';

test('meters of one profile share it: a gateway of 500 meters parses its file once', () => {
  const find = sharedProfiles();
  const [first, again, other] = ['eastron-sdm630', 'eastron-sdm630', 'eastron-sdm120'].map((id) => find(id));
  expect([again === first, other?.id]).toEqual([true, 'eastron-sdm120']);
  expect(sharedProfiles()('eastron-sdm630')).not.toBe(first);
  expect(() => find('no-such-profile')).toThrow('no-such-profile');
});
