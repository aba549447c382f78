import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeDispute, instructions, pda, Verdict } from '@gridtokenx/chain-client';
import { fromHex } from '@gridtokenx/protocol';
import { systemClock } from '@gridtokenx/runtime/node';
import { ALONE, attestor, meterSigner, ZONE } from '@gridtokenx/testing-kit/oracle/deployment';
import { reached, surfpoolFixture } from '@gridtokenx/testing-kit/oracle/fixtures';
import { SettlerHarness, W } from '@gridtokenx/testing-kit/oracle/page-settler-harness';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { FakeRegistry } from '@gridtokenx/testing-kit/signed-journal';
import { Connection, Transaction, type TransactionInstruction } from '@solana/web3.js';
import { expect, it } from 'vitest';
import { openDatabase } from '../../src/adapters/sqlite/database.js';
import { disputeMigrations } from '../../src/adapters/sqlite/dispute-store.js';
import { watchDisputes } from '../../src/wiring/disputes.js';
import { said } from './disputes-harness.js';

it('a real node over RPC: a dispute is read, answered and seen to be answered', async () => {
  const fixture = await surfpoolFixture(1, [], { ...ALONE, deviceSigned: true });
  const folder = mkdtempSync(join(tmpdir(), 'disputes-rpc-'));
  const [meter] = fixture.meters;
  if (!meter || meter.slot === null || !fixture.rpcUrl) throw new Error('no meter');
  const harness = new SettlerHarness(fixture);
  harness.statements.put(meter, W(1), 100n, 200n);
  await harness.untilIdle();
  const connection = new Connection(fixture.rpcUrl, { commitment: 'confirmed', disableRetryOnRateLimit: true });
  const send = async (...list: TransactionInstruction[]) => {
    const transaction = new Transaction().add(...list);
    transaction.recentBlockhash = (await connection.getLatestBlockhash('confirmed')).blockhash;
    transaction.feePayer = attestor.publicKey;
    transaction.sign(attestor);
    await connection.sendRawTransaction(transaction.serialize(), { skipPreflight: true });
  };
  const place = { meterId: fromHex(meter.meterId), zone: ZONE, page: 0, slot: meter.slot };
  const found = async () => {
    const account = await fixture.account(pda.dispute(ZONE, 0, place.slot));
    return account && decodeDispute(account);
  };
  await send(
    instructions.signedMessageVerification(meterSigner(0).publicKey, said(fixture, 0, 2, 90n)),
    instructions.dispute({ ...place, payer: attestor.publicKey }),
  );
  await reached('the dispute', async () => (await found()) !== null);
  const database = openDatabase(join(folder, 'ledger.sqlite'), disputeMigrations);
  const message = said(fixture, 0, 1, 100n);
  const statements = {
    ...harness.statements,
    saying: () => ({ window: W(1), importWh: 1_000_200n, exportWh: 500_100n, message }),
  };
  const disputes = watchDisputes({
    ...{ connection, commitment: 'confirmed', node: fixture.node, attestor, turns: null, database },
    latestBlockhash: () => connection.getLatestBlockhash('confirmed'),
    registry: new FakeRegistry(meter),
    statements: Object.assign(Object.create(harness.statements), statements),
    clock: systemClock,
    logger: quietLog,
  });
  await reached('the answer', async () => {
    await disputes.step(ZONE, 0);
    return (await found())?.verdict === Verdict.deviceConvicted && disputes.isQuiet(ZONE, 0);
  });
  await disputes.step(ZONE, 0);
  expect(disputes.cases()).toMatchObject([{ state: 'decided', number: 1 }]);
  expect(database.sqlite.prepare('SELECT kind, status FROM dispute_intents').all()).toMatchObject([
    { kind: 'answer', status: 'landed' },
  ]);
  database.sqlite.close();
  harness.close();
  fixture.close();
  rmSync(folder, { recursive: true });
}, 60_000);
