import { describe, expect, it } from 'vitest';
import { glitchesCampaign } from '../src/glitches/index.js';

describe('meters that glitch, fall silent, restart and are exchanged', { timeout: 120_000 }, () => {
  it('sign nothing wrong, and go on when their registers come back', async () => {
    const faults: string[] = [];
    const sums: Record<string, number> = {};
    for (let seed = 1; seed <= 12; seed++) {
      const outcome = await glitchesCampaign.run(seed);
      faults.push(...outcome.faults.map((fault) => `seed ${seed}: ${fault}`));
      for (const [name, count] of Object.entries(outcome.figures)) sums[name] = (sums[name] ?? 0) + count;
    }
    expect(faults).toEqual([]);
    expect(sums.readings).toBeGreaterThan(1_000);
    expect(sums.statements).toBeGreaterThan(50);
    expect(glitchesCampaign.review({}, 10_000)).toContain('noticed exchange serial');
  });

  it.each(Object.entries(glitchesCampaign.controls))('do not when %s', async (_name, control) => {
    const repair = control.install();
    let faults = 0;
    try {
      for (let seed = 1; seed <= control.seeds && faults === 0; seed++)
        faults += (await glitchesCampaign.run(seed)).faults.length;
    } finally {
      repair();
    }
    expect(faults).toBeGreaterThan(0);
  });
});
