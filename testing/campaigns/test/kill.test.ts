import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GapReason } from '@gridtokenx/protocol';
import { testLedger } from '@gridtokenx/testing-kit/oracle/ledger';
import { Random } from '@gridtokenx/testing-kit/random';
import { FakeRegistry, JournalBuilder, meterOf, signerOf } from '@gridtokenx/testing-kit/signed-journal';
import { describe, expect, it } from 'vitest';
import { chainMigrations } from '#oracle/adapters/sqlite/settlement-schema.js';
import { runCuts } from '../src/disk/cuts.js';
import { cutBetween } from '../src/disk/sqlite-files.js';
import { killControls } from '../src/kill/controls.js';
import { compareMessages, judgeSlots, readLedger } from '../src/kill/evidence.js';
import { runInProcess } from '../src/kill/index.js';
import { runOlderChain } from '../src/kill/older-chain.js';
import { scheduleOf } from '../src/kill/schedule.js';

const SEEDS = [1];

/** Expected words of the fault when a rule is off. */
const NOTICED: Readonly<Record<string, RegExp>> = {
  'ack-rule': /never acknowledged: |lost: .* nobody acknowledged it, and the spool does not have it/,
  'drop-rule': /never acknowledged: |lost: .* nobody acknowledged it, and the spool does not have it/,
  'seq-reservation': /seq reused: /,
  'gateway-sync': /lost: /,
  'ledger-sync': /lost: .* the ledger does not have it|the ledger is damaged/,
  'page-version': /what was built on a newer page: .* its statement says otherwise/,
};

/** First seeds that notice each control: a search from seed 1 on would take longer. */
const NOTICED_FROM: Readonly<Record<string, number>> = {
  'ack-rule': 2,
  'drop-rule': 16,
  'gateway-sync': 2,
  'ledger-sync': 2,
};

describe('a rule that is off', () => {
  it.each(Object.keys(killControls))('is noticed: %s', async (name) => {
    const [control, wrong] = [killControls[name], NOTICED[name]];
    if (!control || !wrong) throw new Error(`no control ${name}`);
    // The other layer does not know the rule.
    const play = name === 'page-version' ? runOlderChain : runCuts;
    const repair = control.install();
    const faults: string[] = [];
    try {
      const first = NOTICED_FROM[name] ?? 1;
      for (let seed = first; seed <= control.seeds && !faults.some((fault) => wrong.test(fault)); seed++)
        faults.push(...(await play(seed)).faults);
    } finally {
      repair();
    }
    expect(faults).toContainEqual(expect.stringMatching(wrong));
  });

  it('is a rule of what every seed plays', async () => {
    const { faults, figures } = await runInProcess(1);
    expect(faults).toEqual([]);
    expect(figures).toMatchObject({ cut_runs: 5, 'chains restored under a valid transaction': 1 });
  });
});

// Runs after the controls: a repair without effect is noticed here.
describe('power cuts at any write of gateways and ledger', () => {
  it('lose nothing that was acknowledged, sign no seq twice, and drop no segment too early', async () => {
    for (const seed of SEEDS) {
      const { faults, figures } = await runCuts(seed);
      expect(faults).toEqual([]);
      expect(figures.cuts_of_gateways).toBeGreaterThan(0);
      expect(figures.messages).toBeGreaterThan(20);
      expect(figures['segments dropped after the ack']).toBeGreaterThan(0);
    }
  });
});

describe('a chain restored from a snapshot under a transaction that is still valid', () => {
  it('takes nothing that was built on the newer page, and is settled again', async () => {
    for (const seed of SEEDS) {
      const { faults, figures } = await runOlderChain(seed);
      expect(faults).toEqual([]);
      expect(figures['transactions of a newer page refused']).toBeGreaterThan(0);
    }
  });
});

describe('a log that begins anew', () => {
  it('never has new frames behind its old header', () => {
    const before = { main: new Uint8Array(0), wal: new Uint8Array(4_096).fill(1) };
    const after = { main: new Uint8Array(0), wal: new Uint8Array(4_096).fill(2) };
    let begun = 0;
    for (let seed = 1; seed <= 300; seed++) {
      const { wal } = cutBetween(before, after, new Random(seed));
      if (wal[0] === 1) expect(wal.includes(2)).toBe(false);
      else begun++;
    }
    expect(begun).toBeGreaterThan(100);
    expect(begun).toBeLessThan(300);
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
    expect(compareMessages(new Map(), spool, new Map([['m', 1n]]))).toEqual([expect.stringContaining('lost')]);
    // Signed after the last ack: on its way.
    expect(compareMessages(new Map(), spool, new Map([['m', 0n]]))).toEqual([]);
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

describe('a statement whose root cannot be reproduced', () => {
  /** Returns the faults of a ledger that lacks one reading before the statement, for this declared reason. */
  function faultsWith(reason: number): readonly string[] {
    const folder = mkdtempSync(join(tmpdir(), 'gtx-evidence-'));
    try {
      const path = join(folder, 'ledger.sqlite');
      const log = new JournalBuilder(meterOf(1), signerOf(1));
      const { database, take } = testLedger(new FakeRegistry(meterOf(1)), path);
      for (const { sql } of chainMigrations) database.sqlite.exec(sql);
      const first = [log.enrolment(), log.reading()];
      // Signed by the gateway, and never received.
      const { leaves } = log;
      log.reading();
      log.leaves = leaves;
      log.seq -= 1n;
      take([...first, log.gap(1, reason), log.reading(), log.statement()]);
      database.sqlite.close();
      return readLedger(path).faults;
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  it('is no fault across a tail that a kill damaged, and one for any other reason', () => {
    expect(faultsWith(GapReason.damaged)).toEqual([]);
    expect(faultsWith(GapReason.thinned)).toEqual([expect.stringMatching(/has verdict 17/)]);
  });
});
