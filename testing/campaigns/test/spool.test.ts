import { describe, expect, it } from 'vitest';
import { spoolCampaign } from '../src/spool/index.js';
import { playCuts, playErrors, playFlips, playReadOnly, playTruncations } from '../src/spool/play.js';

describe('a spool on a failing disk', { timeout: 120_000 }, () => {
  it('loses nothing unsaid when the power fails at any call', async () => {
    const { faults, figures } = await playCuts(1);
    expect(faults).toEqual([]);
    expect(figures.cuts).toBeGreaterThan(50);
    expect(figures['sectors dropped']).toBeGreaterThan(10);
  });

  it('loses the flipped records alone, and declares them', async () => {
    const { faults, figures } = await playFlips(1);
    expect(faults).toEqual([]);
    expect(figures['states flipped']).toBeGreaterThan(0);
  });

  it('goes on after an error at any call', async () => {
    const { faults, figures } = await playErrors(3);
    expect(faults).toEqual([]);
    expect(figures['errors EIO']).toBeGreaterThan(50);
  });

  it('starts on a disk that refuses every change', async () => {
    for (let seed = 1; seed <= 5; seed++) expect((await playReadOnly(seed)).faults).toEqual([]);
  });

  it('starts whatever the length of its newest files', async () => {
    const { faults, figures } = await playTruncations(3);
    expect(faults).toEqual([]);
    expect(figures.truncations).toBeGreaterThan(300);
  });

  it.each(Object.keys(spoolCampaign.controls))('notices the control %s', async (name) => {
    const control = spoolCampaign.controls[name];
    if (!control) throw new Error('no control');
    const repair = control.install();
    let faults = 0;
    try {
      for (let seed = 1; seed <= control.seeds && faults === 0; seed++)
        faults += (await spoolCampaign.run(seed)).faults.length;
    } finally {
      repair();
    }
    expect(faults).toBeGreaterThan(0);
  });
});
