import { describe, expect, it } from 'vitest';
import { ALL_FAULTS } from '../../campaigns/src/misattribution/faults.js';
import { misattributionCampaign } from '../../campaigns/src/misattribution/index.js';
import { play } from '../../campaigns/src/misattribution/play.js';

describe('reads on a disturbed line', { timeout: 120_000 }, () => {
  it('never give the value of one register for another', async () => {
    for (let seed = 1; seed <= 6; seed++) {
      const { faults, figures } = await play(seed, { reads: 1_000, rates: ALL_FAULTS, isShort: false });
      expect(faults).toEqual([]);
      expect(figures.reads).toBeGreaterThan(500);
      expect(figures['bus: late']).toBeGreaterThan(0);
    }
  });

  it('do so when answers come later than the quarantine is long', async () => {
    const control = misattributionCampaign.controls.quarantine;
    if (!control) throw new Error('no control');
    const repair = control.install();
    let wrong = 0;
    try {
      for (let seed = 1; seed <= control.seeds && wrong === 0; seed++)
        wrong += (await misattributionCampaign.run(seed)).faults.length;
    } finally {
      repair();
    }
    expect(wrong).toBeGreaterThan(0);
  });
});
