import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeDispute, instructions, pda, Verdict } from '@gridtokenx/chain-client';
import { fromHex } from '@gridtokenx/protocol';
import { systemClock } from '@gridtokenx/runtime/node';
import { systemRandom } from '@gridtokenx/runtime/node/system';
import { ALONE, attestor, meterSigner, ZONE } from '@gridtokenx/testing-kit/oracle/deployment';
import { reached, surfpoolFixture } from '@gridtokenx/testing-kit/oracle/fixtures';
import { verifier } from '@gridtokenx/testing-kit/oracle/ledger';
import { SettlerHarness, W } from '@gridtokenx/testing-kit/oracle/page-settler-harness';
import { FakeRegistry } from '@gridtokenx/testing-kit/signed-journal';
import { Connection, Transaction } from '@solana/web3.js';
import { expect, it } from 'vitest';
import { openDatabase } from '../../src/adapters/sqlite/database.js';
import { SqliteLedger } from '../../src/adapters/sqlite/ledger.js';
import { ledgerMigrations } from '../../src/adapters/sqlite/schema.js';
import { SqliteStatements } from '../../src/adapters/sqlite/views.js';
import { admit } from '../../src/domain/intake/admit.js';
import { JUDGING } from '../../src/domain/verdicts/judging.js';
import { chainMigrations } from '../../src/wiring/chain.js';
import { startChain } from '../support/chain.js';
import { said } from './disputes-harness.js';

it('the whole chain side: a dispute that was opened while it was off is answered from its ledger, and named', async () => {
  const fixture = await surfpoolFixture(2, [], { ...ALONE, deviceSigned: true });
  const folder = mkdtempSync(join(tmpdir(), 'disputes-service-'));
  const [meter, other] = fixture.meters;
  if (!meter || meter.slot === null || !other || !fixture.rpcUrl) throw new Error('no meters');
  // Attested by a process that is gone by now.
  const before = new SettlerHarness(fixture);
  for (const one of [meter, other]) before.statements.put(one, W(1), 100n, 200n);
  await before.untilIdle();
  before.close();
  const connection = new Connection(fixture.rpcUrl, { commitment: 'confirmed', disableRetryOnRateLimit: true });
  const place = { meterId: fromHex(meter.meterId), zone: ZONE, page: 0, slot: meter.slot };
  const transaction = new Transaction().add(
    instructions.signedMessageVerification(meterSigner(0).publicKey, said(fixture, 0, 2, 90n)),
    instructions.dispute({ ...place, payer: attestor.publicKey }),
  );
  transaction.recentBlockhash = (await connection.getLatestBlockhash('confirmed')).blockhash;
  transaction.feePayer = attestor.publicKey;
  transaction.sign(attestor);
  await connection.sendRawTransaction(transaction.serialize(), { skipPreflight: true });
  const found = async () => {
    const account = await fixture.account(pda.dispute(ZONE, 0, place.slot));
    return account && decodeDispute(account);
  };
  await reached('the dispute', async () => (await found()) !== null);

  const database = openDatabase(join(folder, 'ledger.sqlite'), [...ledgerMigrations, ...chainMigrations]);
  const statements = new SqliteStatements(database.sqlite);
  const registry = new FakeRegistry(...fixture.meters);
  const ledger = new SqliteLedger(database, registry, systemRandom, () => statements.changed(), JUDGING);
  const nowMs = (W(90) + 1) * 900_000;
  const hear = (message: Uint8Array) =>
    ledger.take(
      [
        {
          ...{ gateway: new Uint8Array(32), topicMeter: null, arrivedAtMs: nowMs, receivedAtMs: 1 },
          admission: admit(message, 1, fixture.networkId, registry, verifier),
        },
      ],
      nowMs,
    );
  hear(said(fixture, 0, 1, 100n));
  hear(said(fixture, 1, 1, 100n));
  const keyFile = join(folder, 'attestor.json');
  writeFileSync(keyFile, JSON.stringify([...attestor.secretKey]), { mode: 0o600 });
  const log: string[] = [];
  const note = (_: object, message: string) => void log.push(message);
  const chain = startChain({
    options: {
      ...{ networkId: fixture.networkId, rpcUrl: fixture.rpcUrl, attestorKeyFile: keyFile },
      ...{ graceMs: 0, commitment: 'confirmed' },
    },
    ...{ database, statements, randomness: systemRandom, clock: systemClock },
    readingClock: { realTimeOf: () => Date.now() - 60_000 },
    logger: { debug: note, info: note, warn: note, error: note },
  });
  chain.start();
  await reached('the answer', async () => (await found())?.verdict === Verdict.deviceConvicted);
  await reached(
    'it is seen',
    () => (chain.settlements.chainHealth()?.disputes ?? []).some((one) => /decided/.test(one)),
    30_000,
  );
  expect(chain.settlements.chainState().problems).toContainEqual(expect.stringMatching(/dispute 1 is decided/));
  // The other meter's slot goes on meanwhile.
  hear(said(fixture, 1, 2, 150n));
  await reached('the other slot', async () => {
    const { page } = await fixture.node.readPage(ZONE, 0);
    return page?.slots[other.slot ?? -1]?.window === W(2);
  });
  await chain.stop();
  const intents = database.sqlite.prepare('SELECT kind, status FROM dispute_intents').all();
  expect(intents).toMatchObject([{ kind: 'answer', status: 'landed' }]);
  expect(log).not.toContain('The chain restored an older state: these transactions are undone');
  database.sqlite.close();
  fixture.close();
  rmSync(folder, { recursive: true });
}, 90_000);
