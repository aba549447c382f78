import { expect, it } from 'vitest';
import { chainCampaign } from '../src/chain/index.js';

// Seeds and a control for each rule are under test beside the programs; here: that the campaign hands on what they find.

it('a seed of the campaign is an episode of 500 instructions, the same at each run', { timeout: 60_000 }, async () => {
  const first = await chainCampaign.run(1);
  expect(first.faults).toEqual([]);
  expect(first.figures.instructions).toBeGreaterThanOrEqual(500);
  expect(await chainCampaign.run(1)).toEqual(first);
});

it('a control breaks the model until it is repaired', { timeout: 60_000 }, async () => {
  const control = Object.values(chainCampaign.controls)[0];
  if (!control) throw new Error('no control');
  const repair = control.install();
  let faults: readonly string[] = [];
  for (let seed = 1; seed <= control.seeds && faults.length === 0; seed++) ({ faults } = await chainCampaign.run(seed));
  repair();
  expect(faults).toHaveLength(1);
  expect((await chainCampaign.run(1)).faults).toEqual([]);
});

it('names what a long run never reached, and does not ask it of a few seeds', () => {
  expect(chainCampaign.review({ instructions: 120_000 }, 240).length).toBeGreaterThan(10);
  expect(chainCampaign.review({ instructions: 500 }, 1)).toEqual([]);
});
