import { expect, test } from 'vitest';
import { chainCampaign, chainEpisode, chainRules, reviewFigures } from './src/campaign.js';

const SEED = 7;

test('short form: chain and model agree, and every kind of instruction was reached', async () => {
  const done: number[] = [];
  const { faults, figures } = await chainCampaign({
    seed: SEED,
    instructions: 3_000,
    progress: ({ episodes }) => done.push(episodes),
  });
  expect(faults).toEqual([]);
  expect(reviewFigures(figures)).toEqual([]);
  expect(done).toEqual([1, 2, 3, 4, 5, 6]);
  expect(figures.instructions).toBeGreaterThanOrEqual(3_000);
}, 120_000);

test('a seed does the same again, and a run goes on where it stopped', async () => {
  const whole = await chainCampaign({ seed: 3, instructions: 1_000 });
  const rest = await chainCampaign({ seed: 3, instructions: 1_000, from: 1 });
  const first = chainEpisode(3, 0);
  const sum = (first.figures.instructions ?? 0) + (rest.figures.instructions ?? 0);
  expect(sum).toBe(whole.figures.instructions);
  expect(chainEpisode(3, 0)).toEqual(first);
}, 120_000);

test.each(chainRules)(
  'control: a model without the rule "%s" is caught',
  (rule) => {
    let fault: string | undefined;
    for (let episode = 0; episode < 8 && !fault; episode++) fault = chainEpisode(SEED, episode, rule).fault;
    expect(fault).toMatch(/^seed \d+, instruction \d+: /);
  },
  120_000,
);

test('control: figures that reached too little are named', () => {
  expect(reviewFigures({ instructions: 100_000 })).toContain('only 0 of at least 50: replace accepted');
});
