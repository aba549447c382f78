import { ZONE } from '@gridtokenx/testing-kit/oracle/deployment';
import { figures, liteFixture, type Saved } from '@gridtokenx/testing-kit/oracle/fixtures';
import { SettlerHarness, W } from '@gridtokenx/testing-kit/oracle/page-settler-harness';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { MeterRecord } from '../../src/domain/ports.js';
import { type Candidate, planWindow } from '../../src/domain/settlement/plan.js';
import type { ChainNode, TransactionBuilder } from '../../src/domain/settlement/ports.js';

/** An object with some methods replaced. */
function changed<T extends object>(target: T, methods: Partial<T>): T {
  return new Proxy(target, {
    get(_, name) {
      const value = Reflect.get(name in methods ? methods : target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

// One home with a backlog, or whose energy cannot be minted, beside others (issue: one late home stops minting).
describe('one late home on a page', () => {
  let fixture: Awaited<ReturnType<typeof liteFixture>>;
  let clean: Saved;
  let harness: SettlerHarness;
  let meters: MeterRecord[];

  beforeEach(async () => {
    if (!fixture) {
      fixture = await liteFixture(3);
      clean = await fixture.save();
      meters = [...fixture.meters];
    } else await fixture.restore(clean);
    harness = new SettlerHarness(fixture);
    return () => harness.close();
  });
  afterAll(() => fixture?.close());

  const put = (slot: number, window: number, wh: number) => {
    const meter = meters[slot];
    if (meter) harness.statements.put(meter, W(window), BigInt(wh), 0n);
  };
  const attested = () =>
    harness.database.sqlite
      .prepare('SELECT meter, window FROM chain_attested ORDER BY id')
      .all()
      .map((row) => [meters.findIndex(({ meterId }) => meterId === row.meter), Number(row.window) - W(0)]);

  it('2,900 late statements cost one lump; the neighbours have their window first', async () => {
    for (let n = 1; n <= 2_900; n++) put(0, n, n);
    for (const slot of [1, 2]) for (const n of [2_899, 2_900]) put(slot, n, n);
    await harness.untilIdle();
    expect(attested()).toEqual([
      [0, 2_900],
      [1, 2_899],
      [2, 2_899],
      [1, 2_900],
      [2, 2_900],
    ]);
    expect((await figures(fixture)).slots.map(({ mintedWh }) => mintedWh)).toEqual([2_900n, 2_900n, 2_900n]);
  });

  it('a few late windows are attested one by one, after the current one of the others', async () => {
    for (let n = 1; n <= 5; n++) put(0, n, n);
    put(1, 5, 50);
    put(2, 5, 60);
    await harness.untilIdle();
    expect(attested()).toEqual([[1, 5], [2, 5], ...[1, 2, 3, 4, 5].map((n) => [0, n])]);
  });

  it('new windows of the neighbours go before a backlog that is under way', async () => {
    for (let n = 1; n <= 6; n++) put(0, n, n);
    put(1, 6, 50);
    let isOther = false;
    const { node } = fixture;
    const send = async (raw: Uint8Array) => {
      await node.send(raw);
      if (attested().length > 2 && !isOther) {
        isOther = true;
        put(1, 7, 70);
        put(2, 7, 70);
      }
    };
    harness.start(() => ({ node: changed<ChainNode>(node, { send }) }));
    await harness.untilIdle();
    const at = attested().findIndex(([slot, window]) => slot === 1 && window === 7);
    expect(at).toBeGreaterThan(0);
    expect(at).toBeLessThan(6);
    expect(attested()).toHaveLength(9);
  });

  it('a mint that fails holds up no attestation, is named, and is not tried again and again', async () => {
    let mints = 0;
    const failing: Partial<TransactionBuilder> = {
      mintPage: (zone, page, nonce) => {
        mints++;
        return fixture.builder.mintPage(zone, page + 1, nonce);
      },
    };
    harness.start(() => ({ builder: changed(fixture.builder, failing) }));
    for (let n = 1; n <= 4; n++) {
      for (const slot of [0, 1, 2]) put(slot, n, n * 10);
      for (let step = 0; step < 40; step++) {
        const { kind, ...rest } = await harness.settler.step();
        // A quarter of an hour for the mint alone would be too long: time goes on by a second at most.
        if (kind === 'wait' && 'untilMs' in rest) harness.clock.advanceNow(25);
      }
    }
    expect((await figures(fixture)).slots.map(({ window }) => window)).toEqual([W(4), W(4), W(4)]);
    expect((await figures(fixture)).supply).toBe(0n);
    expect(mints).toBeLessThanOrEqual(5);
    expect(harness.settler.problems().join()).toMatch(/energy of the pool is due and not minted: mint_page failed/);
    harness.start();
    await harness.untilIdle();
    expect((await figures(fixture)).supply).toBe(120_000n);
    expect(harness.settler.problems()).toEqual([]);
  });

  it('a mint that leaves energy due is no failure: settled, named, tried again when the page has changed', async () => {
    let mints = 0;
    const { node } = fixture;
    // The chain takes mint_page and mints nothing, as where a zone's budget is used up.
    const builder = changed(fixture.builder, {
      mintPage: async (zone, page, nonce) => {
        mints++;
        const built = await fixture.builder.mintPage(zone, page, nonce);
        landed.add(built.signature);
        return built;
      },
    });
    const landed = new Set<string>();
    const lenient = changed<ChainNode>(node, {
      send: async (raw) => (harness.store.open(ZONE, 0)?.kind === 'attest' ? node.send(raw) : undefined),
      outcome: async (signature) =>
        landed.has(signature) ? { kind: 'landed', slot: 1, event: null } : node.outcome(signature),
    });
    harness.start(() => ({ builder, node: lenient }));
    put(0, 1, 10);
    const kinds: string[] = [];
    for (let step = 0; step < 60; step++) {
      const { kind } = await harness.settler.step();
      kinds.push(kind);
      harness.clock.advanceNow(5);
    }
    expect(kinds.filter((kind) => kind === 'settled')).toHaveLength(1);
    expect(mints).toBe(1);
    expect(harness.settler.problems().join()).toMatch(/due and not minted: the chain took less/);
    put(0, 2, 20);
    harness.clock.advanceNow(1_000);
    for (let step = 0; step < 20; step++) {
      await harness.settler.step();
      harness.clock.advanceNow(5);
    }
    expect(mints).toBe(2);
  });

  it('a slot that the chain leaves for no known reason is not offered for ever', async () => {
    // The read shows a slot with more room than there is, so that no reason is known here.
    const { node } = fixture;
    const readPage = async (zone: number, page: number) => {
      const read = await node.readPage(zone, page);
      const slots = read.page?.slots.map((slot) => ({ ...slot, exportCapWh: 1_000_000 }));
      return { ...read, page: read.page && slots ? { ...read.page, slots } : null };
    };
    harness.start(() => ({ node: changed<ChainNode>(node, { readPage }) }));
    put(0, 1, 500_000);
    put(1, 1, 10);
    await harness.untilIdle();
    expect(harness.intents().filter(({ kind }) => kind === 'attest')).toHaveLength(3);
    expect((await figures(fixture)).slots.map(({ mintedWh }) => mintedWh)).toEqual([0n, 10n, 0n]);
  });

  it('control: with the oldest window first the neighbours wait for the backlog', async () => {
    // Every slot is planned as if its own statement were the newest of the page.
    const plan: typeof planWindow = (slots, candidates, ...rest) => {
      const first = Math.min(...candidates.map(({ oldest }) => oldest?.window ?? Number.POSITIVE_INFINITY));
      const due = candidates.map((one) => (one.oldest?.window === first ? { ...one, newest: one.oldest } : NONE(one)));
      return planWindow(slots, due, ...rest);
    };
    const NONE = ({ meter }: Candidate): Candidate => ({ meter, oldest: undefined, newest: undefined });
    for (let n = 1; n <= 6; n++) put(0, n, n);
    put(1, 6, 50);
    harness.start(() => ({ plan }));
    await harness.untilIdle();
    expect(attested().at(-1)).toEqual([1, 6]);
  });
});
