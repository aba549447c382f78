import { expect, it } from 'vitest';
import { chainCampaign } from '../src/chain/index.js';

// The programs' tests cover seeds and a control for each rule; this file tests that the campaign reports their
// findings.

it('a seed of the campaign is an episode, which a control breaks until it is repaired', {
  timeout: 60_000,
}, async () => {
  const honest = await chainCampaign.run(1);
  expect(honest.faults).toEqual([]);
  expect(honest.figures.instructions).toBeGreaterThanOrEqual(500);
  const control = Object.values(chainCampaign.controls)[0];
  if (!control) throw new Error('no control');
  const repair = control.install();
  let faults: readonly string[] = [];
  for (let seed = 1; seed <= control.seeds && faults.length === 0; seed++) ({ faults } = await chainCampaign.run(seed));
  repair();
  expect(faults).toHaveLength(1);
  expect(await chainCampaign.run(1)).toEqual(honest);
});

it('names what a long run never reached, and does not ask it of a few seeds', () => {
  expect(chainCampaign.review({ instructions: 120_000 }, 240).length).toBeGreaterThan(10);
  expect(chainCampaign.review({ instructions: 500 }, 1)).toEqual([]);
});
