import { decodeMeter, instructions, pda } from '@gridtokenx/chain-client';
import { fromHex, sha256 } from '@gridtokenx/protocol';
import { meterSigner, ZONE } from '@gridtokenx/testing-kit/oracle/deployment';
import { liteFixture } from '@gridtokenx/testing-kit/oracle/fixtures';
import { SettlerHarness, W } from '@gridtokenx/testing-kit/oracle/page-settler-harness';
import { afterEach, describe, expect, it } from 'vitest';
import { toRecord } from '../../src/adapters/chain/registry.js';
import type { MeterRecord } from '../../src/domain/ports.js';
import { MovedSlots } from '../../src/domain/settlement/moved.js';
import { deviceFixture, type LiteFixture, said, slotOf } from './disputes-harness.js';
import { Three } from './together.js';
import { ATTESTORS, statementOf } from './together-zone.js';

const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

const chainSlot = async (fixture: LiteFixture) => (await fixture.node.readPage(ZONE, 0)).chainSlot;

/** Suspends meter 0 and takes it back with what its device says of window 3, so that its baseline is another. */
async function reactivate(fixture: LiteFixture): Promise<void> {
  const { chain } = fixture.lite;
  const meterId = fromHex(fixture.meters[0]?.meterId ?? '');
  const point = pda.point(ZONE, sha256(new TextEncoder().encode('point 0')));
  const place = { utility: chain.upgradeAuthority.publicKey, zone: ZONE, meterId, point, page: 0 };
  const sync = instructions.syncSlot({ meterId, zone: ZONE, page: 0 });
  await fixture.operator.must([instructions.setStatus({ ...place, status: 'suspended' }), sync], []);
  const proof = instructions.signedMessageVerification(meterSigner(0).publicKey, said(fixture, 0, 3, 300n));
  await fixture.operator.must([proof, instructions.setStatus({ ...place, status: 'active' }), sync], []);
}

const recordOf = ({ lite }: LiteFixture, meterId: string) =>
  toRecord(lite.chain.get(pda.meter(ZONE, fromHex(meterId)), decodeMeter));

async function steps(harness: SettlerHarness, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const step = await harness.settler.step();
    if (step.kind === 'wait') harness.clock.advanceNow(Math.max(0, step.untilMs - harness.clock.nowMs()));
  }
}

it('a slot that moved waits for a record as new as the move; the others of its page go on', async () => {
  const fixture = await deviceFixture(2);
  let records: readonly MeterRecord[] = fixture.meters;
  let registryChainSlot = Number.MAX_SAFE_INTEGER;
  const harness = new SettlerHarness(fixture, () => ({
    meters: () => records,
    moved: new MovedSlots(() => registryChainSlot),
  }));
  open.push(harness);
  const [first, second] = fixture.meters as [MeterRecord, MeterRecord];
  for (const meter of fixture.meters) harness.statements.put(meter, W(1), 100n, 200n);
  await harness.untilIdle();
  await reactivate(fixture);
  for (const meter of [first, second]) harness.statements.put(meter, W(4), 400n, 800n);
  // The registry was read before, as it is for the seconds until finality and its next poll.
  registryChainSlot = (await chainSlot(fixture)) - 1;
  await steps(harness, 40);
  expect(slotOf(fixture, 0)).toMatchObject({ exportWh: 100n, window: W(3) });
  expect(slotOf(fixture, 1)).toMatchObject({ exportWh: 400n, window: W(4) });
  expect(harness.store.skippedThrough(first.meterId)).toBeLessThan(W(4));

  records = fixture.meters.map(({ meterId }) => recordOf(fixture, meterId));
  registryChainSlot = await chainSlot(fixture);
  await harness.untilIdle();
  // 100 carried, and what the device counted after the 300 of its proof.
  expect(slotOf(fixture, 0)).toMatchObject({ exportWh: 200n, window: W(4) });
});

it('a slot that moves again waits again', async () => {
  const fixture = await deviceFixture(1);
  let registryChainSlot = await chainSlot(fixture);
  const harness = new SettlerHarness(fixture, () => ({ moved: new MovedSlots(() => registryChainSlot) }));
  open.push(harness);
  const [meter] = fixture.meters as [MeterRecord];
  // Control: activated, and read at the same slot as the registry.
  harness.statements.put(meter, W(1), 100n, 200n);
  await harness.untilIdle();
  expect(slotOf(fixture, 0)?.exportWh).toBe(100n);
  await reactivate(fixture);
  registryChainSlot = (await chainSlot(fixture)) - 1;
  harness.statements.put(meter, W(4), 400n, 800n);
  await steps(harness, 10);
  expect(slotOf(fixture, 0)?.exportWh).toBe(100n);
});

describe('together with other oracles', () => {
  async function three(): Promise<{ all: Three; fixture: LiteFixture }> {
    const attestors = ATTESTORS.map(({ publicKey }) => publicKey);
    const fixture = await liteFixture(2, [], { attestors, threshold: 2, capacityW: 2_000_000n, deviceSigned: true });
    const all = new Three(fixture);
    open.push(all);
    return { all, fixture };
  }
  const readAt = (all: Three, place: number, chainSlot: number) => {
    const { registry } = all.node(place);
    registry.asOf = { ...registry.asOf, chainSlot };
  };

  it('none signs for a moved slot while its own record is older, and each does afterwards', async () => {
    const { all, fixture } = await three();
    const now = await chainSlot(fixture);
    for (const place of [1, 2]) readAt(all, place, now - 1);
    all.window(1, () => 100n);
    const end = all.clock.nowMs() + 20_000;
    await all.run(() => all.clock.nowMs() >= end, 'twenty seconds');
    expect(slotOf(fixture, 0)?.exportWh).toBe(0n);
    expect(new Set(all.answers.map(({ refused }) => refused))).toEqual(new Set(['page differs']));
    for (const place of [1, 2]) readAt(all, place, now);
    await all.settled();
  });

  it('a leader whose record is older leaves the moved slot out, and the others sign that', async () => {
    const { all, fixture } = await three();
    all.window(1, () => 100n);
    await all.settled();
    const { chain } = fixture.lite;
    const meterId = fromHex(fixture.meters[1]?.meterId ?? '');
    const { message } = statementOf(fixture, 1, 2, 200n);
    const proof = instructions.signedMessageVerification(meterSigner(1).publicKey, message);
    chain.must([proof, instructions.submitStatement({ meterId, zone: ZONE, page: 0 })]);
    const now = await chainSlot(fixture);
    readAt(all, 0, now - 1);
    for (const place of [1, 2]) readAt(all, place, now);
    all.window(3, () => 300n);
    // Only the first leads.
    const before = all.answers.length;
    for (let i = 0; i < 400 && slotOf(fixture, 0)?.exportWh !== 300n; i++) {
      const step = await all.node(0).settler.step();
      all.clock.advanceNow(
        Math.max(25, step.kind === 'wait' ? Math.min(step.untilMs, all.clock.nowMs() + 500) : 0 - all.clock.nowMs()),
      );
    }
    expect([slotOf(fixture, 0)?.exportWh, slotOf(fixture, 1)?.exportWh]).toEqual([300n, 200n]);
    expect(all.answers.slice(before).map(({ refused }) => refused)).not.toContain('left out');
    readAt(all, 0, now);
    await all.settled();
  });
});
