import { describe, expect, it } from 'vitest';
import { runCuts } from '../../campaigns/src/disk/cuts.js';
import { killControls } from '../../campaigns/src/kill/controls.js';
import { compareMessages, judgeSlots } from '../../campaigns/src/kill/evidence.js';
import { scheduleOf } from '../../campaigns/src/kill/schedule.js';

describe('power cuts at any write of gateways and ledger', () => {
  it('lose nothing that was acknowledged and sign no seq twice', async () => {
    for (let seed = 1; seed <= 4; seed++) {
      const { faults, figures } = await runCuts(seed);
      expect(faults).toEqual([]);
      expect(figures.cuts_of_gateways).toBeGreaterThan(0);
      expect(figures.messages).toBeGreaterThan(20);
    }
  });

  it.each(Object.keys(killControls))('are noticed with the rule off: %s', async (name) => {
    const control = killControls[name];
    if (!control) throw new Error(`no control ${name}`);
    const repair = control.install();
    let faults: readonly string[] = [];
    try {
      for (let seed = 1; seed <= control.seeds && faults.length === 0; seed++) ({ faults } = await runCuts(seed));
    } finally {
      repair();
    }
    expect(faults.length).toBeGreaterThan(0);
    expect((await runCuts(1)).faults).toEqual([]);
  });
});

describe('what a run of real processes is held against', () => {
  const meter = { meterId: 'm', zone: 1, page: 0, slot: 0, enrolmentWindow: 5, importOffset: -10n, exportOffset: -20n };
  const stored = {
    messages: new Map(),
    statements: new Map([['m/7', { importWh: 15n, exportWh: 30n }]]),
    faults: [],
  };
  const slot = { meterId: 'm', window: 7, importWh: 5n, exportWh: 10n, mintedWh: 10n };

  it('takes a slot that shows a verified statement of its own window, and no other', () => {
    expect(judgeSlots([slot], [meter], stored)).toEqual([]);
    expect(judgeSlots([{ ...slot, window: 8 }], [meter], stored)).toHaveLength(1);
    expect(judgeSlots([{ ...slot, exportWh: 11n }], [meter], stored)).toHaveLength(1);
    expect(judgeSlots([{ ...slot, importWh: 4n }], [meter], stored)).toHaveLength(1);
    expect(judgeSlots([{ ...slot, mintedWh: 11n }], [meter], stored)).toHaveLength(1);
  });

  it('finds a message that is lost on either side, and one with two contents', () => {
    const spool = new Map([['m/1', 'aa']]);
    expect(compareMessages(new Map(spool), spool)).toEqual([]);
    expect(compareMessages(new Map(), spool)).toEqual([expect.stringContaining('lost')]);
    expect(compareMessages(spool, new Map())).toEqual([expect.stringContaining('lost')]);
    expect(compareMessages(new Map([['m/1', 'bb']]), spool)).toEqual([expect.stringContaining('reused')]);
  });

  it('kills the same processes at the same moments for the same seed', () => {
    expect(scheduleOf(3, 10_000)).toEqual(scheduleOf(3, 10_000));
    const all = Array.from({ length: 100 }, (_, seed) => scheduleOf(seed, 10_000).running.flatMap((k) => k.targets));
    const names = new Set(all.flat());
    for (const name of ['chain', 'broker', 'oracle', 'gateway-1', 'launcher', 'everything'])
      expect(names).toContain(name);
  });
});
