import { decodeMeter, instructions, pda, UserRole } from '@gridtokenx/chain-client';
import {
  type Enrolment,
  encodePayload,
  encodeSign1,
  fromHex,
  Reason,
  sha256,
  sigStructure,
} from '@gridtokenx/protocol';
import { ZONE } from '@gridtokenx/testing-kit/oracle/deployment';
import { liteFixture } from '@gridtokenx/testing-kit/oracle/fixtures';
import { testLedger } from '@gridtokenx/testing-kit/oracle/ledger';
import { SettlerHarness } from '@gridtokenx/testing-kit/oracle/page-settler-harness';
import { FakeRegistry, INITIAL_WINDOW, signerOf } from '@gridtokenx/testing-kit/signed-journal';
import { PublicKey } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { toRecord } from '../../src/adapters/chain/registry.js';
import type { MeterRecord } from '../../src/domain/ports.js';
import { SiteBuilder } from '../support/site.js';

const OWNER = new PublicKey(new Uint8Array(32).fill(200));

/** Registers a site's three meters on chain, as the utility would from their enrolments; the point's slot is activated. */
async function registered(site: SiteBuilder) {
  const fixture = await liteFixture(1);
  const { chain } = fixture.lite;
  chain.time = (INITIAL_WINDOW + 96) * 900;
  const payer = chain.upgradeAuthority.publicKey;
  const must = (list: Parameters<typeof chain.send>[0]) => {
    const outcome = chain.send(list, [], chain.upgradeAuthority);
    if (!outcome.ok) throw new Error(`${outcome.message}\n${outcome.logs.join('\n')}`);
  };
  const user = { authority: payer, payer, zone: ZONE, wallet: OWNER, commitment: sha256(new Uint8Array(1)) };
  must([instructions.registerUser({ ...user, role: UserRole.owner })]);
  const records: MeterRecord[] = [];
  for (const [i, { payload }] of site.enrolments.entries()) {
    const enrolment = { ...(payload as Enrolment), networkId: fixture.networkId };
    const bytes = encodePayload(enrolment);
    const signer = signerOf(i + 1);
    const register = instructions.registerMeter({
      authority: payer,
      authorityIsUtility: true,
      payer,
      zone: ZONE,
      meterId: enrolment.meterId,
      owner: OWNER,
      pointCommitment: sha256(new Uint8Array(2)),
    });
    const confirm = instructions.confirmMeter({
      utility: payer,
      zone: ZONE,
      meterId: enrolment.meterId,
      point: pda.point(ZONE, sha256(new Uint8Array(2))),
      deviceKey: new PublicKey(signer.publicKey),
      enrolment: sha256(bytes).slice(0, 16),
      exportLimitW: 10_000,
      importLimitW: 10_000,
      registerStepWh: 1,
      tariffClass: 1,
      deviceSigned: false,
    });
    const message = encodeSign1(bytes, signer.sign(sigStructure(bytes)));
    must([instructions.signedMessageVerification(signer.publicKey, message), register, confirm]);
    const account = chain.account(pda.meter(ZONE, enrolment.meterId));
    if (!account) throw new Error('not registered');
    records.push(toRecord(decodeMeter(account)));
  }
  const { meterId } = site.records.point;
  must([instructions.activateSlot({ meterId: fromHex(meterId), zone: ZONE, page: 0 })]);
  return { fixture, records: records as [MeterRecord, MeterRecord, MeterRecord] };
}

describe('a site with two meters on chain', () => {
  it('has one slot, that of the derived point, and gets what both meters say attested and minted', async () => {
    const site = new SiteBuilder({ zone: ZONE });
    const { fixture, records } = await registered(site);
    const [production, consumption, point] = records;
    expect([production, consumption].map(({ role, page, slot }) => [role, page, slot])).toEqual([
      [1, null, null],
      [2, null, null],
    ]);
    expect([point.role, point.page, point.slot]).toEqual([0, 0, 1]);
    // An account that claims a slot for evidence gets none here.
    const account = fixture.lite.chain.account(pda.meter(ZONE, fromHex(production.meterId)));
    if (!account) throw new Error('no account');
    expect(toRecord({ ...decodeMeter(account), page: 0, slot: 2 })).toMatchObject({ page: null, slot: null });

    const test = testLedger(new FakeRegistry(...records));
    const harness = new SettlerHarness(fixture, () => ({ statements: test.statements, meters: () => records }));
    const onChain = async () => {
      await harness.untilIdle();
      const { page, ledger } = await fixture.node.readPage(ZONE, 0);
      const slot = page?.slots[point.slot ?? -1];
      return [
        slot?.exportWh,
        slot?.importWh,
        (slot?.window ?? 0) - INITIAL_WINDOW,
        ledger?.slots[point.slot ?? -1]?.mintedWh,
      ];
    };
    const first = site.window(0, 50, 50);
    const noon = site.window(1, 900, 200);
    const night = site.window(2, 0, 300);
    test.take([...site.enrolments, ...first.all, ...noon.all, ...night.all]);
    expect(await onChain()).toEqual([700n, 300n, 2, 700n]);

    // One more watt-hour than the meters show is not attested; the next window that is right is.
    const [p, c] = [site.meter('production', 3, 500), site.meter('consumption', 3, 100)];
    const before = site.state;
    const [lie] = site.derive(p[1], c[1], { exportWh: 1_101n });
    if (!lie) throw new Error('no statement');
    test.take([...p, ...c, lie]);
    expect(test.verdictOf(lie)).toBe(Reason.derivationMismatch);
    expect(await onChain()).toEqual([700n, 300n, 2, 700n]);
    site.state = before;
    test.take(site.window(4, 500, 100).all);
    expect(await onChain()).toEqual([1_500n, 300n, 4, 1_500n]);
    harness.close();
    fixture.close();
  });
});
