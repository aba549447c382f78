import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { benchChain } from '../src/programs/units.js';

const data = join(dirname(fileURLToPath(import.meta.url)), '../../../simulators/data/home-12.csv');

test('the bench runs on the real data and gives every figure beside the peer and the goal', async () => {
  const rows = await benchChain(data);
  expect(rows.map(({ unit, toBeat, goal }) => [unit, toBeat, goal])).toEqual([
    ['meters', '<= 10', '>= 200'],
    ['compute units a meter', '13,376', '<= 80'],
    ['compute units a meter', '29,410', '<= 100'],
    ['meters', '<= 10', '>= 200'],
    ['compute units a meter', '13,376', '<= 80'],
    ['compute units', 'not possible there', '<= 3,000'],
    ['compute units', 'not published', 'none set'],
  ]);
  for (const row of rows) expect(row.value).toBeGreaterThan(0);
});

test('a profile with a damaged line is refused by its line', async () => {
  await expect(benchChain(fileURLToPath(import.meta.url))).rejects.toThrow('line 1: no column time');
});
