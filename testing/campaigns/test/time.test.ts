import { describe, expect, it } from 'vitest';
import { timeCampaign } from '../src/time/index.js';

const SHORT = 24;

describe('gateways on machines with every kind of wrong clock', { timeout: 120_000 }, () => {
  it('state errors that hold, and close the windows of a known time only', async () => {
    const figures: Record<string, number> = {};
    for (let seed = 1; seed <= SHORT; seed++) {
      const outcome = await timeCampaign.run(seed);
      expect([seed, outcome.faults]).toEqual([seed, []]);
      for (const [name, count] of Object.entries(outcome.figures)) figures[name] = (figures[name] ?? 0) + count;
    }
    // Two blocks of twelve: each kind of machine is in both.
    expect(timeCampaign.review(figures, 200)).toEqual([]);
    expect(timeCampaign.review({}, 200).length).toBeGreaterThan(0);
  });

  it.each(Object.entries(timeCampaign.controls))('do not with the control %s', async (_name, control) => {
    const repair = control.install();
    let faults = 0;
    try {
      for (let seed = 1; seed <= control.seeds && faults === 0; seed++)
        faults += (await timeCampaign.run(seed)).faults.length;
    } finally {
      repair();
    }
    expect(faults).toBeGreaterThan(0);
  });
});
