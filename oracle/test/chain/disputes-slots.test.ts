import { instructions, pda, SlotFlag } from '@gridtokenx/chain-client';
import { fromHex, sha256 } from '@gridtokenx/protocol';
import { ZONE } from '@gridtokenx/testing-kit/oracle/deployment';
import { type SettlerHarness, W } from '@gridtokenx/testing-kit/oracle/page-settler-harness';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dispute, disputeNode, type LiteFixture, said, slotOf } from './disputes-harness.js';
import { DisputeWorld } from './disputes-world.js';

let world: DisputeWorld;
let fixture: LiteFixture;
let harness: SettlerHarness;
const oracle = (...heard: Uint8Array[]) => world.oracle(...heard);

beforeEach(async () => {
  world = await DisputeWorld.open();
  ({ fixture, harness } = world);
});
afterEach(() => world.close());

describe('a chain that came back to just after a dispute', () => {
  it('what was attested before the dispute is not undone, what came after it is', async () => {
    dispute(fixture, 0, said(fixture, 0, 2, 90n));
    await harness.untilIdle();
    const saved = await fixture.save();
    const [, other] = fixture.meters;
    if (other) harness.statements.put(other, W(2), 150n, 300n);
    await harness.untilIdle();
    await fixture.restore(saved);
    if (other) harness.statements.put(other, W(3), 170n, 340n);
    await harness.untilIdle();
    expect(harness.log).toContain('The chain restored an older state: these transactions are undone');
    const rows = harness.settlements().map(({ window, undone }) => [window - W(0), undone]);
    expect(rows).toEqual([
      [1, false],
      [1, false],
      [2, true],
      [3, false],
    ]);
    expect(slotOf(fixture, 1)).toMatchObject({ exportWh: 170n, window: W(3) });
  });
});

describe('a slot that differs from the registry', () => {
  const suspend = () => {
    const { chain } = fixture.lite;
    const [meter] = fixture.meters;
    const utility = chain.upgradeAuthority.publicKey;
    const meterId = fromHex(meter?.meterId ?? '');
    const point = pda.point(ZONE, sha256(new TextEncoder().encode('point 0')));
    const change = instructions.setStatus({ utility, zone: ZONE, meterId, point, page: 0, status: 'suspended' });
    chain.must([change], [chain.upgradeAuthority]);
  };

  it('is synchronised once, and left alone when it agrees', async () => {
    const node = oracle();
    await node.look(3);
    expect(node.intents()).toEqual([]);
    suspend();
    await node.look(3);
    expect(node.intents()).toEqual(['sync landed']);
    expect((slotOf(fixture, 0)?.flags ?? 0) & (SlotFlag.active | SlotFlag.suspended)).toBe(SlotFlag.suspended);
    expect(slotOf(fixture, 1)).toMatchObject({ flags: SlotFlag.active });
  });

  it('what does not help is tried ever more rarely', async () => {
    suspend();
    const node = oracle();
    const whole = disputeNode(fixture.lite);
    // A chain on which the instruction lands and changes nothing.
    const outcome = async () => ({ kind: 'landed', slot: 1, event: null }) as const;
    node.start({ node: { ...whole, send: async () => {}, outcome } });
    await node.look(360);
    expect(node.intents().length).toBeLessThanOrEqual(13);
    expect(node.intents().length).toBeGreaterThan(3);
  });
});
