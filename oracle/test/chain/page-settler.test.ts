import { toHex } from '@gridtokenx/protocol';
import { ZONE } from '@gridtokenx/testing-kit/oracle/deployment';
import {
  type ChainFixture,
  figures,
  liteFixture,
  type Saved,
  surfpoolFixture,
} from '@gridtokenx/testing-kit/oracle/fixtures';
import { SettlerHarness, W } from '@gridtokenx/testing-kit/oracle/page-settler-harness';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { MeterRecord } from '../../src/domain/ports.js';
import type { ChainNode, SettlementStore } from '../../src/domain/settlement/ports.js';
import { changed, keptUnits, through, withoutIntents } from './page-settler-support.js';

// One suite on both: the programs in process, and a real node over RPC.
const fixtures: [string, () => Promise<ChainFixture>][] = [
  ['LiteSVM', () => liteFixture(3, [2])],
  ['Surfpool', () => surfpoolFixture(3, [2])],
];

describe.each(fixtures)('settlement on %s', (_name, make) => {
  let fixture: ChainFixture;
  let clean: Saved;
  let meters: [MeterRecord, MeterRecord, MeterRecord];
  let harness: SettlerHarness;

  beforeEach(async () => {
    if (!fixture) {
      fixture = await make();
      clean = await fixture.save();
      meters = fixture.meters as [MeterRecord, MeterRecord, MeterRecord];
    } else await fixture.restore(clean);
    const made = new SettlerHarness(fixture);
    harness = made;
    return () => made.close();
  });
  afterAll(() => fixture?.close());

  const put = (window: number, ...exports: (number | null)[]) => {
    exports.forEach((wh, i) => {
      const meter = meters[i];
      if (meter && wh !== null) harness.statements.put(meter, W(window), BigInt(wh), BigInt(wh * 2));
    });
  };
  const totals = async () =>
    (await figures(fixture)).slots.map((slot) => [slot.exportWh, slot.window - W(0), slot.mintedWh]);

  it('attests and mints each window once, to pool and wallet, exactly', async () => {
    put(1, 100, 20, 7);
    const steps = await harness.untilIdle();
    put(2, 250, 20, 9);
    steps.push(...(await harness.untilIdle()));
    expect(steps.filter((step) => step.kind === 'settled').length).toBe(2);
    const got = await figures(fixture);
    expect(got.slots).toEqual([
      { exportWh: 250n, importWh: 500n, window: W(2), mintedWh: 250n },
      { exportWh: 20n, importWh: 40n, window: W(2), mintedWh: 20n },
      { exportWh: 9n, importWh: 18n, window: W(2), mintedWh: 9n },
    ]);
    expect([got.supply, got.vault, got.wallet]).toEqual([279_000n, 270_000n, 9_000n]);
    const rows = harness.settlements();
    expect(rows.map((row) => [row.window - W(0), row.minted])).toEqual([
      [1, 100_000n],
      [1, 20_000n],
      [1, 7_000n],
      // Nothing to mint, so it is settled first.
      [2, 0n],
      [2, 150_000n],
      [2, 2_000n],
    ]);
    expect(rows.every((row) => !row.undone && row.minted > 0n === (row.mint !== null))).toBe(true);
    // All again: nothing to do, nothing sent.
    const before = harness.intents().length;
    await harness.untilIdle();
    expect(harness.intents().length).toBe(before);
    expect(await figures(fixture)).toEqual(got);
  });

  it('a late statement gets its own attest_page for its own window', async () => {
    put(1, 10, null, 5);
    put(2, 30, null, 6);
    await harness.untilIdle();
    expect(await totals()).toEqual([
      [30n, 2, 30n],
      [0n, 0, 0n],
      [6n, 2, 6n],
    ]);
    put(1, null, 11, null);
    await harness.untilIdle();
    expect(await totals()).toEqual([
      [30n, 2, 30n],
      [11n, 1, 11n],
      [6n, 2, 6n],
    ]);
    expect((await figures(fixture)).supply).toBe(47_000n);
  });

  it('killed between store and send: the stored bytes are sent, once', async () => {
    put(1, 100, 50, 25);
    // The process dies where `send` would have been.
    harness.start(() => ({ node: { ...through(fixture.node), send: () => Promise.reject(new Error('killed')) } }));
    await expect(harness.untilIdle()).rejects.toThrow('killed');
    expect(harness.intents()).toEqual([{ kind: 'attest', status: 'open' }]);
    const stored = harness.store.open(ZONE, 0)?.raw ?? new Uint8Array();
    const sent: string[] = [];
    const send = (raw: Uint8Array) => {
      sent.push(toHex(raw));
      return fixture.node.send(raw);
    };
    harness.start(() => ({ node: { ...through(fixture.node), send } }));
    await harness.untilIdle();
    expect(sent[0]).toBe(toHex(stored));
    expect(await totals()).toEqual([
      [100n, 1, 100n],
      [50n, 1, 50n],
      [25n, 1, 25n],
    ]);
    expect((await figures(fixture)).version).toBe(1n);
  });

  it('killed after send: the outcome is found, nothing is sent anew', async () => {
    put(1, 100, 50, 25);
    let step = await harness.settler.step();
    expect(step.kind).toBe('wait');
    const open = harness.store.open(ZONE, 0);
    harness.start();
    await harness.untilIdle();
    expect(harness.intents().filter(({ kind }) => kind === 'attest')).toEqual([{ kind: 'attest', status: 'landed' }]);
    expect((await figures(fixture)).supply).toBe(175_000n);
    // The same bytes once more, as a resend that was under way: refused by the chain, nothing moves.
    const before = await figures(fixture);
    if (open) await fixture.node.send(open.raw);
    step = await harness.settler.step();
    expect(await figures(fixture)).toEqual(before);
  });

  it('an expired transaction that never arrived is built anew, and only then', async () => {
    let isCut = true;
    const cut: ChainNode = {
      ...through(fixture.node),
      send: async (raw) => (isCut ? undefined : fixture.node.send(raw)),
    };
    const lost = new SettlerHarness(fixture, () => ({ node: cut }));
    for (const meter of meters) lost.statements.put(meter, W(1), 40n, 0n);
    for (let i = 0; i < 20; i++) {
      const step = await lost.settler.step();
      expect(step.kind).toBe('wait');
      if (step.kind === 'wait') lost.clock.advanceNow(step.untilMs - lost.clock.nowMs());
    }
    expect(lost.intents()).toEqual([{ kind: 'attest', status: 'open' }]);
    await fixture.expireBlockhashes();
    isCut = false;
    await lost.untilIdle();
    expect(lost.intents().map(({ status }) => status)).toEqual(['expired', 'landed', 'landed', 'landed']);
    expect((await figures(fixture)).supply).toBe(120_000n);
    expect((await figures(fixture)).version).toBe(1n);
    lost.close();
  });

  it('what the chain skips is recorded with its reason and not tried again in a loop', async () => {
    // Cap: 4,000 W x 0.25 h x 1.1 + 1 Wh = 1,101 Wh a window, twice that at once.
    put(1, 5_000, 30, 3);
    await harness.untilIdle();
    expect(await totals()).toEqual([
      [0n, 0, 0n],
      [30n, 1, 30n],
      [3n, 1, 3n],
    ]);
    expect(harness.store.skippedThrough(meters[0].meterId)).toBe(W(1));
    const count = harness.intents().length;
    await harness.untilIdle();
    expect(harness.intents().length).toBe(count);
    // More windows passed: 5,000 Wh are plausible after four more.
    put(5, 5_000, 31, 4);
    await harness.untilIdle();
    expect(await totals()).toEqual([
      [5_000n, 5, 5_000n],
      [31n, 5, 31n],
      [4n, 5, 4n],
    ]);
  });

  it('a chain that came back older is noticed, and settled again from what it shows', async () => {
    put(1, 10, 20, 30);
    await harness.untilIdle();
    const saved = await fixture.save();
    put(2, 110, 120, 130);
    put(3, 210, 220, 230);
    await harness.untilIdle();
    const before = await figures(fixture);
    await fixture.restore(saved);
    put(4, 310, 320, 330);
    await harness.untilIdle();
    const after = await figures(fixture);
    expect(after.slots.map((slot) => [slot.exportWh, slot.window])).toEqual([
      [310n, W(4)],
      [320n, W(4)],
      [330n, W(4)],
    ]);
    expect([after.supply, before.supply]).toEqual([960_000n, 660_000n]);
    expect(harness.intents().filter(({ status }) => status === 'undone').length).toBe(2);
    const kept = harness.settlements().filter((row) => !row.undone);
    expect(kept.reduce((sum, row) => sum + row.minted, 0n)).toBe(960_000n);
    expect(harness.settlements().filter((row) => row.undone).length).toBe(6);
    expect(harness.log).toContain('The chain restored an older state: these transactions are undone');
  });

  it('a mint that the chain lost is made again', async () => {
    put(1, 10, 20, 30);
    await harness.untilIdle();
    const saved = await fixture.save();
    put(2, 110, 120, 130);
    await harness.untilIdle();
    const attested = await fixture.save();
    // The page kept, the ledger page, mint and vault of before: as if the snapshot had been taken between the two.
    const mixed = new Map([...saved].map(([key, value], i) => [key, i === 0 ? (attested.get(key) ?? null) : value]));
    await fixture.restore(mixed);
    await harness.untilIdle();
    const got = await figures(fixture);
    expect([got.supply, got.slots.map((slot) => slot.mintedWh)]).toEqual([360_000n, [110n, 120n, 130n]]);
    const kept = harness.settlements().filter((row) => !row.undone);
    expect(kept.reduce((sum, row) => sum + row.minted, 0n)).toBe(360_000n);
  });

  it('the archive explains the page: folding it gives the history on chain', async () => {
    put(1, 10, 20, 30);
    put(2, 11, 22, 33);
    put(3, 12, 23, 34);
    await harness.untilIdle();
    const { page } = await fixture.node.readPage(ZONE, 0);
    const archive = harness.archive();
    expect(archive.map(({ version }) => version)).toEqual([1n, 2n, 3n]);
    for (const [i, entry] of archive.entries()) {
      // The program wrote the state that was foretold before sending, and each state builds on the one before.
      expect(toHex(entry.after)).toBe(toHex(entry.foretold));
      if (i > 0) expect(toHex(entry.before)).toBe(toHex(archive[i - 1]?.after ?? new Uint8Array()));
    }
    expect(toHex(page?.history ?? new Uint8Array())).toBe(toHex(archive.at(-1)?.after ?? new Uint8Array()));
  });

  it('a chain that came back older while a transaction was on its way', async () => {
    put(1, 10, 20, 30);
    await harness.untilIdle();
    const saved = await fixture.save();
    put(2, 110, 120, 130);
    await harness.untilIdle();
    put(3, 210, 220, 230);
    let isCut = true;
    const cut: ChainNode = {
      ...through(fixture.node),
      send: async (raw) => (isCut ? undefined : fixture.node.send(raw)),
    };
    harness.start(() => ({ node: cut }));
    await harness.settler.step();
    expect(harness.intents().at(-1)).toEqual({ kind: 'attest', status: 'open' });
    await fixture.restore(saved);
    isCut = false;
    await harness.untilIdle();
    const got = await figures(fixture);
    expect(got.slots.map((slot) => [slot.exportWh, slot.window, slot.mintedWh])).toEqual([
      [210n, W(3), 210n],
      [220n, W(3), 220n],
      [230n, W(3), 230n],
    ]);
    expect([got.supply, got.version]).toEqual([660_000n, 2n]);
    expect(keptUnits(harness)).toBe(got.supply);
  });

  it('control: with the archive check off, settlements and supply differ after a rollback', async () => {
    put(1, 10, 20, 30);
    await harness.untilIdle();
    const saved = await fixture.save();
    put(2, 110, 120, 130);
    await harness.untilIdle();
    expect(keptUnits(harness)).toBe((await figures(fixture)).supply);
    await fixture.restore(saved);
    harness.start(({ store }) => ({
      store: changed(store, { head: () => undefined, reopenUnminted: () => 0 }),
    }));
    await harness.untilIdle();
    expect(keptUnits(harness)).not.toBe((await figures(fixture)).supply);
  });

  it('control: without the stored intent, a restart sends a second transaction', async () => {
    put(1, 40, 40, 40);
    const sent = new Set<string>();
    const silent = { ...through(fixture.node), send: async (raw: Uint8Array) => void sent.add(toHex(raw)) };
    const runTwice = async (change: (store: SettlementStore) => SettlementStore) => {
      sent.clear();
      for (let run = 0; run < 2; run++) {
        harness.start(({ store }) => ({ node: silent, store: changed(change(store), { nonce: () => run }) }));
        await harness.settler.step();
      }
      return sent.size;
    };
    expect(await runTwice(withoutIntents)).toBe(2);
    expect(await runTwice((store) => store)).toBe(1);
  });
});
