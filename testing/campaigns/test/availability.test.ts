import { describe, expect, it } from 'vitest';
import { availabilityCampaign } from '../src/availability/index.js';

describe('polls on a line with late and dropped answers, and meters beside dead ones', { timeout: 120_000 }, () => {
  it('bring their energy in time, and keep their period', async () => {
    const { faults, figures } = await availabilityCampaign.run(1);
    expect(faults).toEqual([]);
    expect(availabilityCampaign.review(figures, 1)).toEqual([]);
    expect(availabilityCampaign.review({}, 0).length).toBeGreaterThan(0);
  });

  it.each(Object.entries(availabilityCampaign.controls))('do not when %s', async (_name, control) => {
    const repair = control.install();
    let faults = 0;
    try {
      for (let seed = 1; seed <= control.seeds && faults === 0; seed++)
        faults += (await availabilityCampaign.run(seed)).faults.length;
    } finally {
      repair();
    }
    expect(faults).toBeGreaterThan(0);
  });
});
