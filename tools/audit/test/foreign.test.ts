import { accountDiscriminator, instructions, programIds } from '@gridtokenx/chain-client';
import { base58Encode, sha256 } from '@gridtokenx/protocol';
import { ReadOnlyRpc } from '@gridtokenx/testing-kit/chain/rpc';
import { setStatus } from '@gridtokenx/testing-kit/chain/telemetry';
import { type TestMeter, World } from '@gridtokenx/testing-kit/chain/world';
import { Keypair, type PublicKey, SystemProgram } from '@solana/web3.js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { auditChain } from '../src/main.js';

const trading = programIds.trading as PublicKey;
const stranger = Keypair.generate();
let world: World;
let rpc: ReadOnlyRpc;
let url: string;

beforeEach(async () => {
  world = new World().setUp();
  world.addMeters(1);
  world.chain.svm.airdrop(stranger.publicKey.toBytes(), 10n ** 10n);
  rpc = new ReadOnlyRpc(world.chain, base58Encode(sha256(new TextEncoder().encode('genesis'))));
  url = await rpc.start();
  const { findings, figures } = await auditChain(url);
  expect([findings, figures.foreign_accounts]).toEqual([[], 0]);
});
afterEach(() => rpc.stop());

describe.each([
  ['registry', programIds.registry],
  ['oracle', programIds.oracle],
  ['energy token', programIds.energyToken],
  ['trading', trading],
])('an account that a stranger gave to the program %s', (_name, programId) => {
  test.each([0, 16, 8_288])('with %d zero bytes is a figure and no finding', async (space) => {
    const junk = Keypair.generate();
    const lamports = 100_000_000;
    const from = { fromPubkey: stranger.publicKey, newAccountPubkey: junk.publicKey, lamports, space, programId };
    world.chain.must([SystemProgram.createAccount(from)], [stranger, junk]);
    const { findings, figures } = await auditChain(url);
    expect([findings, figures.foreign_accounts]).toEqual([[], 1]);
  });

  test('control: one that has another kind is a finding', async () => {
    world.chain.put(Keypair.generate().publicKey, { owner: programId, data: new Uint8Array(16).fill(1) });
    const { findings, figures } = await auditChain(url);
    expect(findings).toHaveLength(1);
    expect(figures.foreign_accounts).toBe(0);
  });
});

test('half of a ledger page is a figure and no finding', async () => {
  world.chain.must([instructions.createLedgerPage({ payer: world.payer, zone: world.zone, page: 5 })]);
  const { findings, figures } = await auditChain(url);
  expect([findings, figures.foreign_accounts]).toEqual([[], 1]);
  // Control: an account that only claims to be a page is read, and found.
  const data = new Uint8Array(14_400);
  data.set(accountDiscriminator('LedgerPage'));
  world.chain.put(Keypair.generate().publicKey, { owner: programIds.energyToken, data });
  expect((await auditChain(url)).findings).not.toEqual([]);
});

test('one device that is in force in two zones is a finding, and none once one of them has closed it', async () => {
  const second = new World({ zone: 8 }, world.chain);
  world.chain.must([second.createZone(8), second.announceAttestors()], [world.authority]);
  world.chain.must([instructions.createBudget({ payer: world.payer, zone: 8 })]);
  const users = [second.registerUser(world.owner.publicKey, 1), second.registerUser(world.installer.publicKey, 2)];
  world.chain.must(users, [world.utility]);
  const [meter] = second.addMeters(1) as [TestMeter];
  const shown = async () => (await auditChain(url)).findings.filter((text) => text.includes('two zones'));
  expect(await shown()).toEqual([expect.stringContaining('one device speaks in two zones, 7 and 8')]);
  const { zone } = second;
  world.chain.must([setStatus(second, meter, 'suspended')], [world.utility]);
  world.chain.must([instructions.syncSlot({ meterId: meter.id, zone, page: 0 })]);
  expect(await shown()).toHaveLength(1);
  world.chain.must([setStatus(second, meter, 'closed')], [world.utility]);
  expect(await shown()).toEqual([]);
});
