import { describe, expect, it } from 'vitest';
import { addFigures, type Outcome } from '../src/campaign.js';
import { ledgerCampaign } from '../src/ledger/index.js';

const { controls, review, run } = ledgerCampaign;
/** As many seeds as reach everything that the first test expects, and half as many again. */
const SEEDS = 12;

async function firstFault(seeds: number): Promise<Outcome | null> {
  for (let seed = 1; seed <= seeds; seed++) {
    const outcome = await run(seed);
    if (outcome.faults.length > 0) return outcome;
  }
  return null;
}

describe('campaign ledger, short', { timeout: 240_000 }, () => {
  it('comes to the same verdicts and totals in any order', async () => {
    const figures: Record<string, number> = {};
    for (let seed = 1; seed <= SEEDS; seed++) {
      const outcome = await run(seed);
      expect(outcome.faults, `seed ${seed}`).toEqual([]);
      addFigures(figures, outcome.figures);
    }
    // Enough happened for a meaningful comparison.
    expect(figures.gateways).toBe(SEEDS * 20);
    const share = (figures['hostile messages'] ?? 0) / (figures.messages ?? 1);
    expect(share).toBeGreaterThan(0.04);
    for (const name of ['restarts', 'disk failures', 'deliveries lost and sent again', 'rotations', 'honest meters']) {
      expect(figures[name], name).toBeGreaterThan(0);
    }
  });

  it('is the same for the same seed', async () => {
    expect(await run(7)).toEqual(await run(7));
  });

  it.each(Object.entries(controls))('control %s is noticed', async (_name, control) => {
    const repair = control.install();
    try {
      expect(await firstFault(control.seeds)).not.toBeNull();
    } finally {
      repair();
    }
    expect((await run(2)).faults).toEqual([]);
  });

  it('control: a full run that reached nothing is refused', () => {
    expect(review({}, 10_000).length).toBeGreaterThan(20);
    expect(review({}, 40)).toEqual([]);
  });
});
