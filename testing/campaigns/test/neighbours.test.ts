import { describe, expect, it } from 'vitest';
import { addFigures } from '../src/campaign.js';
import { neighboursCampaign } from '../src/neighbours/index.js';

const { controls, review, run } = neighboursCampaign;
const SEEDS = 12;

/** A seed that notices each control: searching for one would take longer. */
const NOTICED_BY: Readonly<Record<string, number>> = {
  'oldest-first': 50,
  'mints-again': 1,
  'every-second': 3,
  'whole-streams': 176,
  'no-quota': 70,
  'no-split': 2,
};

describe('campaign neighbours, short', { timeout: 120_000 }, () => {
  it('keeps nine homes well whatever the tenth does', async () => {
    const figures: Record<string, number> = {};
    for (let seed = 1; seed <= SEEDS; seed++) {
      const outcome = await run(seed);
      expect(outcome.faults, `seed ${seed}`).toEqual([]);
      addFigures(figures, outcome.figures);
    }
    expect(figures.windows).toBeGreaterThan(SEEDS * 9 * 3);
    expect(figures.transactions).toBeGreaterThan(SEEDS * 8);
    expect(Object.keys(figures).filter((name) => name.startsWith('trick: ')).length).toBeGreaterThan(8);
  });

  it('is the same for the same seed', async () => {
    expect(await run(7)).toEqual(await run(7));
  });

  it.each(Object.entries(controls))('control %s is noticed', async (name, control) => {
    const seed = NOTICED_BY[name] ?? 1;
    const repair = control.install();
    try {
      expect((await run(seed)).faults).not.toEqual([]);
    } finally {
      repair();
    }
    expect((await run(seed)).faults).toEqual([]);
  });

  it('control: a full run that reached nothing is refused', () => {
    expect(review({}, 10_000).length).toBeGreaterThan(15);
    expect(review({}, 40)).toEqual([]);
  });
});
