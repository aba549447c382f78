import { SlotFlag, Verdict } from '@gridtokenx/chain-client';
import { asMeterId, asWh, asWindow, toHex } from '@gridtokenx/protocol';
import { attestor, keyOf, ZONE } from '@gridtokenx/testing-kit/oracle/deployment';
import { type SettlerHarness, W } from '@gridtokenx/testing-kit/oracle/page-settler-harness';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { zoneSchedule } from '../../src/adapters/chain/cosign/zone.js';
import { LeaderSchedule } from '../../src/domain/settlement/cosigning/judge.js';
import {
  accept,
  caseOf,
  DisputeOracle,
  dispute,
  disputeNode,
  type LiteFixture,
  said,
  slotOf,
} from './disputes-harness.js';
import { DisputeWorld } from './disputes-world.js';

const DAY_SECONDS = 96 * 900;
let world: DisputeWorld;
let fixture: LiteFixture;
let harness: SettlerHarness;
const oracle = (...heard: Uint8Array[]) => world.oracle(...heard);
const isDisputed = () => ((slotOf(fixture, 0)?.flags ?? 0) & SlotFlag.disputed) !== 0;

beforeEach(async () => {
  world = await DisputeWorld.open();
  ({ fixture, harness } = world);
});
afterEach(() => world.close());

describe('a dispute on a page', () => {
  const lie = () => said(fixture, 0, 2, 90n);

  it('is answered from the ledger, exactly once, and freed when the utility has named the totals', async () => {
    const node = oracle(said(fixture, 0, 1, 100n));
    dispute(fixture, 0, lie());
    await node.look();
    expect(caseOf(fixture, 0).verdict).toBe(Verdict.deviceConvicted);
    expect(toHex(caseOf(fixture, 0).answer)).toBe(toHex(said(fixture, 0, 1, 100n).slice(9, 105)));
    await node.look(5);
    expect(node.intents()).toEqual(['answer landed']);
    expect(node.disputes.cases()).toMatchObject([{ state: 'decided', number: 1 }]);
    expect(isDisputed()).toBe(true);
    accept(fixture, 0, 1);
    await node.look();
    expect(isDisputed()).toBe(false);
    expect(node.intents()).toEqual(['answer landed', 'conclude landed']);
    await node.look(5);
    expect(node.intents().length).toBe(2);
    expect(node.disputes.cases()).toEqual([]);
  });

  it('stays open in a ledger without the statement, and is answered when the statement comes hours later', async () => {
    const node = oracle();
    dispute(fixture, 0, lie());
    await node.look(3);
    expect(node.intents()).toEqual([]);
    expect(node.disputes.cases()).toMatchObject([{ state: 'no answer here', windowsLeft: 96 }]);
    fixture.lite.chain.time += DAY_SECONDS - 1_800;
    node.hear(said(fixture, 0, 1, 100n));
    await node.look(8);
    expect(node.intents()).toEqual(['answer landed']);
    expect(caseOf(fixture, 0).verdict).toBe(Verdict.deviceConvicted);
  });

  it('is answered by an oracle that was off since before it was opened', async () => {
    const node = oracle(said(fixture, 0, 1, 100n));
    dispute(fixture, 0, lie());
    fixture.lite.chain.time += 95 * 900;
    node.start();
    await node.look();
    expect(caseOf(fixture, 0).verdict).toBe(Verdict.deviceConvicted);
  });

  it('after 96 windows: no answer is sent, the verdict is recorded', async () => {
    const node = oracle(said(fixture, 0, 1, 100n));
    dispute(fixture, 0, lie());
    fixture.lite.chain.time += DAY_SECONDS;
    await node.look(4);
    expect(node.intents()).toEqual(['conclude landed']);
    expect(caseOf(fixture, 0).verdict).toBe(Verdict.attestorsConvicted);
    expect(node.disputes.cases()).toMatchObject([{ state: 'decided', verdict: Verdict.attestorsConvicted }]);
  });

  it('killed between store and send: the stored bytes are sent, and nothing else', async () => {
    const node = oracle(said(fixture, 0, 1, 100n));
    dispute(fixture, 0, lie());
    const whole = disputeNode(fixture.lite);
    node.start({ node: { ...whole, send: () => Promise.reject(new Error('killed')) } });
    await expect(node.look()).rejects.toThrow('killed');
    expect(node.intents()).toEqual(['answer open']);
    const stored = toHex(node.database.sqlite.prepare('SELECT raw FROM dispute_intents').get()?.raw as Uint8Array);
    const sent: string[] = [];
    const send = (raw: Uint8Array) => {
      sent.push(toHex(raw));
      return whole.send(raw);
    };
    node.start({ node: { ...whole, send } });
    await node.look(3);
    expect(new Set(sent)).toEqual(new Set([stored]));
    expect(node.intents()).toEqual(['answer landed']);
    expect(caseOf(fixture, 0).verdict).toBe(Verdict.deviceConvicted);
  });

  it('a transaction that never arrived is built anew once its blockhash is gone', async () => {
    const node = oracle(said(fixture, 0, 1, 100n));
    dispute(fixture, 0, lie());
    const whole = disputeNode(fixture.lite);
    node.start({ node: { ...whole, send: async () => {} } });
    await node.disputes.step(ZONE, 0);
    expect(node.intents()).toEqual(['answer open']);
    fixture.lite.expire();
    node.start();
    await node.look();
    expect(node.intents()).toEqual(['answer expired', 'answer landed']);
  });

  it('several oracles: with turns one sends, without them the second is refused and stops', async () => {
    dispute(fixture, 0, lie());
    const statement = said(fixture, 0, 1, 100n);
    const [first, second] = [oracle(statement), oracle(statement)];
    // Both see the open case before either has sent.
    const builders = [first, second];
    for (const one of builders) one.start();
    const held = { ...disputeNode(fixture.lite), send: async () => {} };
    second.start({ node: held });
    await second.disputes.step(ZONE, 0);
    await first.look();
    second.start();
    await second.look(4);
    expect(first.intents()).toEqual(['answer landed']);
    expect(second.intents().length).toBe(1);
    expect(second.intents()[0]).toMatch(/^answer (failed|landed|expired)$/);
    expect(caseOf(fixture, 0).verdict).toBe(Verdict.deviceConvicted);
  });

  it('several oracles: whoever is not in turn waits, and stops when it is answered', async () => {
    dispute(fixture, 0, lie());
    const statement = said(fixture, 0, 1, 100n);
    const other = keyOf('another attestor').publicKey;
    const set = async () => ({ attestors: [other, attestor.publicKey], threshold: 1, capacityW: 1n });
    const made = [0, 1].map((place) => {
      const clock = { nowMs: () => node.clock.nowMs(), monotonicMs: () => node.clock.nowMs(), after: () => () => {} };
      const key = place === 0 ? other : attestor.publicKey;
      const node: DisputeOracle = new DisputeOracle(fixture, {
        turns: zoneSchedule(new LeaderSchedule(), key, set, clock),
      });
      world.oracles.push(node);
      node.hear(statement);
      return node;
    });
    // Case 1: place 1 of 2 leads first.
    await made[0]?.disputes.step(ZONE, 0);
    expect(made[0]?.intents()).toEqual([]);
    await made[1]?.look();
    await made[0]?.look(4);
    expect(made.map((one) => one.intents())).toEqual([[], ['answer landed']]);
  });

  it('an oracle that is no attestor of the zone any more answers all the same', async () => {
    dispute(fixture, 0, lie());
    const set = async () => ({ attestors: [keyOf('another').publicKey], threshold: 1, capacityW: 1n });
    const clock = { nowMs: () => 0, monotonicMs: () => 0, after: () => () => {} };
    const node = new DisputeOracle(fixture, {
      turns: zoneSchedule(new LeaderSchedule(), attestor.publicKey, set, clock),
    });
    world.oracles.push(node);
    node.hear(said(fixture, 0, 1, 100n));
    await node.look();
    expect(caseOf(fixture, 0).verdict).toBe(Verdict.deviceConvicted);
  });

  it('a device that contradicts itself is answered by what it said, whatever the ledger thinks of it now', async () => {
    const node = oracle(said(fixture, 0, 1, 100n));
    node.database.sqlite.exec('UPDATE messages SET verdict = 8');
    // The control: settlement itself would not touch such a statement any more.
    expect(node.statements.attestable(asMeterId(fixture.meters[0]?.meterId ?? ''), asWindow(0), 1_000)).toEqual([]);
    dispute(fixture, 0, lie());
    await node.look();
    expect(caseOf(fixture, 0).verdict).toBe(Verdict.deviceConvicted);
  });

  it('a flood of other statements for the same window hides nothing', async () => {
    const node = oracle(said(fixture, 0, 1, 100n));
    node.hear(...Array.from({ length: 3_000 }, (_, n) => said(fixture, 0, 1, 1n, n + 1)));
    dispute(fixture, 0, lie());
    await node.look();
    expect(caseOf(fixture, 0).verdict).toBe(Verdict.deviceConvicted);
  });

  it('many disputed slots are looked at in turn, and a ledger without answers is searched once a minute', async () => {
    const signer = fixture.meters[0];
    if (!signer) throw new Error('no meter');
    const meters = Array.from({ length: 200 }, (_, slot) => ({ ...signer, slot }));
    const looked: number[] = [];
    let searches = 0;
    const slot = slotOf(fixture, 0);
    const page = { slots: meters.map(() => ({ ...slot, flags: SlotFlag.active | SlotFlag.disputed })) };
    const dispute = {
      ...{ number: 1, verdict: Verdict.open, openedWindow: asWindow(10), slotWindow: asWindow(5) },
      ...{ slotExportWh: asWh(1n), slotImportWh: asWh(1n) },
    };
    const node = oracle();
    node.start({
      meters: () => meters,
      statements: Object.assign(Object.create(node.statements), {
        saying: () => undefined,
        signedBy: () => {
          searches++;
          return [];
        },
      }),
      node: {
        ...disputeNode(fixture.lite),
        readPage: async () => ({ chainSlot: 1, page: page as never, ledger: null }),
        readCase: async (_zone, _page, at) => {
          looked.push(at);
          return { chainSeconds: 9_000, meter: meters[at] ?? null, acceptedCase: 0, dispute };
        },
      },
    });
    await node.disputes.step(ZONE, 0);
    expect(looked.length).toBe(16);
    await node.look(13);
    expect(new Set(looked).size).toBe(200);
    expect(node.disputes.cases().length).toBe(200);
    // Two minutes and some: each slot was searched at most three times.
    expect(searches).toBeLessThanOrEqual(600);
  });

  it('what does not cover the slot, or came later, is never sent', async () => {
    const node = oracle(said(fixture, 0, 1, 99n), said(fixture, 0, 2, 500n));
    dispute(fixture, 0, lie());
    await node.look(3);
    expect(node.intents()).toEqual([]);
    expect(node.disputes.cases()).toMatchObject([{ state: 'no answer here' }]);
  });

  it('holds up neither the other slots of the page nor what was settled before', async () => {
    const settled = harness.settlements();
    expect(settled.length).toBe(2);
    const node = oracle(said(fixture, 0, 1, 100n));
    dispute(fixture, 0, lie());
    await node.look();
    const [, other] = fixture.meters;
    if (other) harness.statements.put(other, W(2), 150n, 300n);
    await harness.untilIdle();
    expect(harness.log).not.toContain('The chain restored an older state: these transactions are undone');
    expect(harness.settlements().slice(0, 2)).toEqual(settled);
    expect(slotOf(fixture, 1)).toMatchObject({ exportWh: 150n, window: W(2) });
  });
});
