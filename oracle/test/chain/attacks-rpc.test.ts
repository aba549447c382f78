import { auditChain } from '@gridtokenx/audit/main';
import { decodeBudget, decodeMeterPage, instructions, parseChainError, pda, UserRole } from '@gridtokenx/chain-client';
import { encodePayload, encodeSign1, fromHex, type Signer, sha256, sigStructure } from '@gridtokenx/protocol';
import { errorText } from '@gridtokenx/runtime/core';
import {
  addresses,
  amountAt,
  attestor,
  BASELINE,
  keyOf,
  meterSigner,
  owner,
  ZONE,
} from '@gridtokenx/testing-kit/oracle/deployment';
import { type ChainFixture, figures, reached, surfpoolFixture } from '@gridtokenx/testing-kit/oracle/fixtures';
import { SettlerHarness, W } from '@gridtokenx/testing-kit/oracle/page-settler-harness';
import { Connection, PublicKey, TransactionInstruction } from '@solana/web3.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const TOKEN_2022 = new PublicKey('TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb');
/** Lamports for each signature (the cluster's base fee). */
const FEE = 5_000;
const thief = keyOf('thief');

// Attacks of an audit, over RPC on a real node, as their author ran them.
describe('a real node under attack', () => {
  let fixture: ChainFixture;
  let harness: SettlerHarness;

  beforeAll(async () => {
    fixture = await surfpoolFixture(3, [2]);
    harness = new SettlerHarness(fixture);
  });
  afterAll(() => {
    harness?.close();
    fixture?.close();
  });

  /** The name of the programs' error, or 'done'. */
  async function attempt(list: TransactionInstruction[], signers = [owner]): Promise<string> {
    try {
      await fixture.operator.must(
        list,
        signers.filter((key) =>
          list.some(({ keys }) => keys.some((meta) => meta.isSigner && meta.pubkey.equals(key.publicKey))),
        ),
      );
      return 'done';
    } catch (error) {
      const text = errorText(error);
      return parseChainError(JSON.parse(text))?.name ?? text;
    }
  }

  const utility = () => fixture.operator.authority.publicKey;
  const point = (i: number) => pda.point(ZONE, sha256(new TextEncoder().encode(`point ${i}`)));
  const idOf = (i: number) => fromHex(fixture.meters[i]?.meterId ?? '');
  const check = async () => (await auditChain(fixture.rpcUrl ?? '')).findings;
  const slotAt = async (index: number) => {
    const account = await fixture.account(pda.meterPage(ZONE, 0));
    if (!account) throw new Error('no page');
    return decodeMeterPage(account).slots[index];
  };
  const status = (meterId: Uint8Array, to: 'active' | 'suspended', address: PublicKey) =>
    instructions.setStatus({ utility: utility(), zone: ZONE, meterId, point: address, page: 0, status: to });
  const signedBy = (signer: Signer, payload: Uint8Array) =>
    instructions.signedMessageVerification(signer.publicKey, encodeSign1(payload, signer.sign(sigStructure(payload))));

  it("a utility's key alone names no totals for any slot, active, suspended or never activated", async () => {
    for (const i of [0, 1, 2]) harness.statements.put(fixture.meters[i] as never, W(1), 100n, 0n);
    await harness.untilIdle();
    const before = await figures(fixture);
    expect(await attempt([status(idOf(0), 'active', point(0))])).toBe('SlotNotFrozen');
    expect(await attempt([status(idOf(0), 'suspended', point(0))])).toBe('done');
    expect(await attempt([instructions.syncSlot({ meterId: idOf(0), zone: ZONE, page: 0 })])).toBe('done');
    expect(await attempt([status(idOf(0), 'active', point(0))])).toBe('SignatureMissing');
    const forged = statementOf(fixture, 0, 2, 10n ** 12n);
    expect(await attempt([signedBy(meterSigner(7), forged), status(idOf(0), 'active', point(0))])).toBe(
      'UnauthorizedMeter',
    );
    const honest = statementOf(fixture, 0, 1, 100n);
    expect(await attempt([signedBy(meterSigner(0), honest), status(idOf(0), 'active', point(0))])).toBe('done');
    expect(await attempt([instructions.syncSlot({ meterId: idOf(0), zone: ZONE, page: 0 })])).toBe('done');
    await harness.untilIdle();
    expect((await figures(fixture)).supply).toBe(before.supply);
    expect(await check()).toEqual([]);
  });

  it("an installer's key alone registers what waits: no slot, no statement, nothing minted", async () => {
    const installer = keyOf('installer');
    const user = (wallet: PublicKey, role: UserRole) =>
      instructions.registerUser({
        authority: utility(),
        payer: utility(),
        zone: ZONE,
        wallet,
        commitment: new Uint8Array(32),
        role,
      });
    expect(await attempt([user(installer.publicKey, UserRole.installer)])).toBe('done');
    const signer = meterSigner(66);
    const meterId = sha256(new TextEncoder().encode('self-made')).slice(0, 16);
    const pointCommitment = sha256(new TextEncoder().encode('anywhere'));
    const enrolment = encodePayload({
      kind: 4,
      networkId: fixture.networkId,
      meterId,
      seq: 1n,
      owner: owner.publicKey.toBytes(),
      ...BASELINE,
      zone: ZONE,
      source: 1,
      role: 0,
      deviceSigned: true,
      keyEpoch: 0,
      window: W(0),
    });
    const register = instructions.registerMeter({
      authority: installer.publicKey,
      authorityIsUtility: false,
      payer: utility(),
      zone: ZONE,
      meterId,
      owner: owner.publicKey,
      pointCommitment,
    });
    expect(await attempt([signedBy(signer, enrolment), register], [installer])).toBe('done');
    expect(await attempt([instructions.activateSlot({ meterId, zone: ZONE, page: 0 })])).toBe('MeterHasNoSlot');
    const confirm = instructions.confirmMeter({
      utility: installer.publicKey,
      zone: ZONE,
      meterId,
      point: pda.point(ZONE, pointCommitment),
      deviceKey: new PublicKey(signer.publicKey),
      enrolment: sha256(enrolment).slice(0, 16),
      exportLimitW: 0xffff_ffff,
      importLimitW: 0xffff_ffff,
      registerStepWh: 1,
      tariffClass: 1,
      deviceSigned: true,
    });
    expect(await attempt([confirm], [installer])).toBe('InvalidAuthority');
    const statement = statementOf(fixture, 0, 3, 10n ** 12n, meterId);
    expect(
      await attempt([signedBy(signer, statement), instructions.submitStatement({ meterId, zone: ZONE, page: 0 })]),
    ).toBe('MeterHasNoSlot');
    expect((await slotAt(3))?.flags).toBe(0);
    expect(await check()).toEqual([]);
  });

  it('a home that closes its token account after each mint costs the attestor fees and nothing else', async () => {
    const connection = new Connection(fixture.rpcUrl ?? '', 'confirmed');
    const wallet = addresses.wallet;
    const balance = () => connection.getBalance(attestor.publicKey, 'confirmed');
    let signatures = 0;
    const count = () => harness.intents().length;
    const [lamports, sentBefore] = [await balance(), count()];
    for (let n = 2; n <= 5; n++) {
      const held = amountAt(await fixture.account(wallet), 64);
      const burn = Buffer.alloc(9);
      burn[0] = 8;
      burn.writeBigUInt64LE(held, 1);
      const meta = (pubkey: PublicKey, isWritable: boolean, isSigner = false) => ({ pubkey, isWritable, isSigner });
      const empty = new TransactionInstruction({
        programId: TOKEN_2022,
        keys: [meta(wallet, true), meta(pda.mint(), true), meta(owner.publicKey, false, true)],
        data: burn,
      });
      const close = new TransactionInstruction({
        programId: TOKEN_2022,
        keys: [meta(wallet, true), meta(thief.publicKey, true), meta(owner.publicKey, false, true)],
        data: Buffer.from([9]),
      });
      expect(await attempt([empty, close])).toBe('done');
      for (const i of [0, 1, 2]) harness.statements.put(fixture.meters[i] as never, W(n + 3), BigInt(100 * n), 0n);
      await settled(harness, n + 3);
      expect((await figures(fixture)).slots[2]?.mintedWh).toBe(BigInt(100 * (n - 1)));
      expect(harness.settler.problems().join()).toMatch(/the owner has no GXT token account/);
      // The owner makes it again, and pays: what was due is minted, once.
      const create = instructions.createOwnerTokenAccount({ payer: utility(), owner: owner.publicKey });
      expect(await attempt([create])).toBe('done');
      harness.clock.advanceNow(700_000);
      await harness.untilIdle();
      expect((await figures(fixture)).slots[2]?.mintedWh).toBe(BigInt(100 * n));
    }
    signatures = count() - sentBefore;
    expect(lamports - (await balance())).toBe(signatures * FEE);
    expect(await check()).toEqual([]);
    const budget = await fixture.account(pda.budget(ZONE));
    expect(budget && decodeBudget(budget).mintedWh).toBe(
      (await figures(fixture)).slots.reduce((sum, slot) => sum + slot.mintedWh, 0n),
    );
  });
});

/** A statement payload of meter `i` for the window `step` after the enrolment, or under another meter's name. */
function statementOf(
  fixture: ChainFixture,
  i: number,
  step: number,
  exportWh: bigint,
  meterId?: Uint8Array,
): Uint8Array {
  return encodePayload({
    kind: 2,
    networkId: fixture.networkId,
    meterId: meterId ?? fromHex(fixture.meters[i]?.meterId ?? ''),
    seq: BigInt(step + 1),
    window: W(step),
    exportWh: BASELINE.exportWh + exportWh,
    importWh: BASELINE.importWh,
    readingCount: 15,
    quality: 0,
    timeUncertaintyMs: 1,
    readingsRoot: new Uint8Array(32),
  });
}

/** Steps until the pool's homes have their window minted; the wallet waits. */
async function settled(harness: SettlerHarness, window: number): Promise<void> {
  await reached('the pool is minted', async () => {
    const step = await harness.settler.step();
    const { slots } = await figures(harness.fixture);
    const isDone = slots[0]?.window === W(window) && slots[0].mintedWh === slots[0].exportWh;
    if (step.kind === 'wait' && !isDone) harness.clock.advanceNow(Math.max(0, step.untilMs - harness.clock.nowMs()));
    return isDone && harness.settler.problems().length > 0;
  });
}
