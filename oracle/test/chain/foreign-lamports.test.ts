import { createHash } from 'node:crypto';
import { instructions, pda, programIds, Verdict } from '@gridtokenx/chain-client';
import { fromHex, type MeterId, sha256 } from '@gridtokenx/protocol';
import { attestor, ZONE } from '@gridtokenx/testing-kit/oracle/deployment';
import { SettlerHarness, W } from '@gridtokenx/testing-kit/oracle/page-settler-harness';
import { type Connection, type PublicKey, SystemProgram } from '@solana/web3.js';
import { afterEach, describe, expect, it } from 'vitest';
import { made } from '../../src/adapters/chain/accounts.js';
import { toSlotCase } from '../../src/adapters/chain/dispute-case.js';
import { RpcNode } from '../../src/adapters/chain/node.js';
import type { MeterRecord } from '../../src/domain/ports.js';
import {
  caseOf,
  DisputeOracle,
  deviceFixture,
  dispute,
  disputeNode,
  type LiteFixture,
  said,
} from './disputes-harness.js';

/** Enough that an account without data stays. */
const RENT_LAMPORTS = 890_880;
let fixture: LiteFixture;
const open: { close(): void }[] = [];

afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

function gift(to: PublicKey): void {
  const { chain } = fixture.lite;
  const fromPubkey = chain.payer.publicKey;
  chain.must([SystemProgram.transfer({ fromPubkey, toPubkey: to, lamports: RENT_LAMPORTS })]);
}

/** The chain in process behind the client of a node. */
function connectionOf({ chain }: LiteFixture['lite']): Connection {
  const account = (key: PublicKey) => {
    const found = chain.account(key);
    return found ? { ...found, data: Buffer.from(found.data) } : null;
  };
  return {
    getMultipleAccountsInfoAndContext: async (keys: PublicKey[]) => ({
      context: { slot: 1 },
      value: keys.map(account),
    }),
  } as unknown as Connection;
}

/** Slot 0 attested, slot 1 out of step with its suspended record, then a contradiction for slot 0. */
async function disputedBesideSuspended(change: ConstructorParameters<typeof DisputeOracle>[1] = {}) {
  const { chain } = fixture.lite;
  const harness = new SettlerHarness(fixture);
  const oracle = new DisputeOracle(fixture, change);
  open.push(harness, oracle);
  const [first, second] = fixture.meters as [MeterRecord, MeterRecord];
  harness.statements.put(first, W(1), 100n, 200n);
  oracle.hear(said(fixture, 0, 1, 100n));
  await harness.untilIdle();
  const suspend = instructions.setStatus({
    utility: chain.upgradeAuthority.publicKey,
    zone: ZONE,
    meterId: fromHex(second.meterId),
    page: 0,
    status: 'suspended',
    point: pda.point(ZONE, sha256(new TextEncoder().encode('point 1'))),
  });
  await fixture.operator.must([suspend], []);
  dispute(fixture, 0, said(fixture, 0, 2, 50n, 1));
  return oracle;
}

describe('lamports at the address of a case', () => {
  it('are no case: the disputes of the page are answered, and the slot itself is brought in step', async () => {
    fixture = await deviceFixture(2);
    gift(pda.dispute(ZONE, 0, 1));
    const oracle = await disputedBesideSuspended();
    await oracle.look(3);
    expect(caseOf(fixture, 0).verdict).toBe(Verdict.deviceConvicted);
    expect(oracle.intents()).toContain('sync landed');
    expect(oracle.disputes.failures()).toEqual([]);
  });

  it('are no case where the record has none either', () => {
    const lamports = { owner: SystemProgram.programId, data: new Uint8Array() };
    const clock = { owner: attestor.publicKey, data: new Uint8Array(40) };
    expect(toSlotCase(lamports, lamports, clock)).toMatchObject({ meter: null, dispute: null });
    // Control: what a program has made in another form is told.
    const other = { owner: programIds.oracle, data: new Uint8Array(352).fill(1) };
    expect(() => toSlotCase(null, other, clock)).toThrow(/discriminator/);
  });
});

describe('a slot that cannot be read', () => {
  it('is named and skipped; the dispute beside it is answered', async () => {
    fixture = await deviceFixture(2);
    const node = disputeNode(fixture.lite);
    const bent = {
      ...node,
      readCase: async (zone: number, page: number, slot: number, meterId: MeterId) => {
        if (slot !== 1) return node.readCase(zone, page, slot, meterId);
        const odd = { owner: programIds.oracle, data: new Uint8Array(352).fill(1) };
        return toSlotCase(null, odd, { owner: attestor.publicKey, data: new Uint8Array(40) });
      },
    };
    const oracle = await disputedBesideSuspended({ node: bent });
    await oracle.look(3);
    expect(caseOf(fixture, 0).verdict).toBe(Verdict.deviceConvicted);
    expect(oracle.disputes.failures()).toEqual([expect.stringContaining('slot 3/0/1')]);
    expect(oracle.log.filter((line) => line === 'Cannot watch a meter slot for disputes')).toHaveLength(1);
  });
});

describe('the address of a ledger page', () => {
  it('that only holds lamports is no ledger page', async () => {
    fixture = await deviceFixture(1);
    const { chain } = fixture.lite;
    gift(pda.ledgerPage(ZONE, 1));
    gift(pda.meterPage(ZONE, 2));
    chain.must([instructions.createPage({ payer: chain.payer.publicKey, zone: ZONE, page: 1 })]);
    const node = new RpcNode(connectionOf(fixture.lite), 'confirmed');
    expect(await node.readPage(ZONE, 1)).toMatchObject({ page: { page: 1 }, ledger: null });
    expect(await node.readPage(ZONE, 2)).toMatchObject({ page: null, ledger: null });
    // Control: one that is there is read.
    expect((await node.readPage(ZONE, 0)).ledger?.slots).toHaveLength(256);
  });

  it('that holds half a page is no ledger page, and attestations go on', async () => {
    fixture = await deviceFixture(1);
    const { chain } = fixture.lite;
    const payer = chain.payer.publicKey;
    const step = instructions.createLedgerPage({ payer, zone: ZONE, page: 1 });
    chain.must([instructions.createPage({ payer, zone: ZONE, page: 1 }), step]);
    const node = new RpcNode(connectionOf(fixture.lite), 'confirmed');
    expect(await node.readPage(ZONE, 1)).toMatchObject({ page: { page: 1 }, ledger: null });
    chain.must([step]);
    expect((await node.readPage(ZONE, 1)).ledger?.slots).toHaveLength(256);

    chain.put(pda.ledgerPage(ZONE, 0), { owner: programIds.energyToken, data: new Uint8Array(10_240) });
    const harness = new SettlerHarness(fixture);
    open.push(harness);
    harness.statements.put(fixture.meters[0] as MeterRecord, W(1), 100n, 200n);
    for (let i = 0; i < 10; i++) {
      const wait = await harness.settler.step();
      if (wait.kind === 'wait') harness.clock.advanceNow(Math.max(0, wait.untilMs - harness.clock.nowMs()));
    }
    expect(harness.intents()).toEqual([{ kind: 'attest', status: 'landed' }]);
  });
});

it('an account counts from the moment at which its program has written its kind', () => {
  const bytes = (first: number) => new Uint8Array(16).fill(first);
  const kind = new Uint8Array(createHash('sha256').update('account:Any').digest());
  expect(made(null)).toBeNull();
  expect(made({ owner: SystemProgram.programId, data: bytes(1) })).toBeNull();
  expect(made({ owner: programIds.oracle, data: new Uint8Array() })).toBeNull();
  expect(made({ owner: programIds.oracle, data: bytes(0) })).toBeNull();
  expect(made({ owner: programIds.oracle, data: kind })?.data).toBe(kind);
});
