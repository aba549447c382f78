import { instructions, pda, programIds, TOKEN_2022_ID } from '@gridtokenx/chain-client';
import { base58Encode, sha256 } from '@gridtokenx/protocol';
import { ReadOnlyRpc } from '@gridtokenx/testing-kit/chain/rpc';
import { START, World, windowAt } from '@gridtokenx/testing-kit/chain/world';
import { Keypair, type PublicKey, SystemProgram } from '@solana/web3.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AuditResult, auditChain } from '../src/main.js';

const genesis = base58Encode(sha256(new TextEncoder().encode('genesis')));
let world: World;
let rpc: ReadOnlyRpc;
let url: string;
let honest: AuditResult;

beforeAll(async () => {
  world = new World().setUp();
  world.addMeters(3);
  const { zone, chain } = world;
  const owner = world.owner.publicKey;
  const { id: meterId } = world.meter('2');
  chain.must([instructions.setDestination({ owner, meterId, zone, page: 0, destination: 'wallet' })], [world.owner]);
  chain.must([instructions.createOwnerTokenAccount({ payer: world.payer, owner })]);
  chain.time = START + 9_000;
  for (const step of [1, 2]) {
    const window = windowAt(START) + step;
    const totals = new Map([0, 1, 2].map((slot) => [slot, { exportWh: BigInt(step * (100 + slot)), importWh: 7n }]));
    expect(world.attest({ window, items: world.items(window, totals) }).message).toBe('');
  }
  chain.must([instructions.mintPage({ zone, page: 0 }), instructions.mintMeter({ meterId, owner, zone, page: 0 })]);
  rpc = new ReadOnlyRpc(chain, genesis);
  url = await rpc.start();
  honest = await auditChain(url);
});

afterAll(() => rpc.stop());

/** Changes an account for the length of one check. */
async function checkWith(
  address: PublicKey,
  change: (data: Buffer) => void,
  previous?: AuditResult,
): Promise<readonly string[]> {
  const account = world.chain.account(address);
  if (!account) throw new Error(`no account ${address.toBase58()}`);
  const data = Buffer.from(account.data);
  change(data);
  world.chain.put(address, { owner: account.owner, data });
  const { findings, ok } = await auditChain(url, previous);
  world.chain.put(address, account);
  expect(ok).toBe(findings.length === 0);
  return findings;
}

const page = () => pda.meterPage(world.zone, 0);
const ledger = () => pda.ledgerPage(world.zone, 0);
const add = (at: number, amount: bigint) => (data: Buffer) =>
  data.writeBigUInt64LE(data.readBigUInt64LE(at) + amount, at);

test('an honest chain passes, and the figures are its own', () => {
  expect(honest.findings).toEqual([]);
  expect(honest.ok).toBe(true);
  expect(honest.figures).toMatchObject({
    meters: 3,
    pages: 1,
    export_wh: '606',
    import_wh: '21',
    minted_wh: '606',
    pooled_wh: '402',
    supply_base_units: '606000',
    vault_base_units: '402000',
    gifts_base_units: '0',
    burned_base_units: '0',
  });
});

test('the same moment twice: nothing has fallen', async () => {
  expect((await auditChain(url, JSON.parse(JSON.stringify(honest)))).findings).toEqual([]);
});

test('controls: each altered account is found', async () => {
  const SLOT = 96;
  const LEDGER = 64;
  const cases: [string, PublicKey, (data: Buffer) => void, RegExp][] = [
    [
      'a total that was lowered below the mint',
      page(),
      add(SLOT, -1n),
      /slot 7\/0\/0: 200 Wh minted of 199 Wh exported/,
    ],
    ['a cursor that was raised', ledger(), add(LEDGER, 5n), /minted of/],
    ['a cursor that was lowered', ledger(), add(LEDGER, -5n), /the cursors explain only/],
    ['pooled that was raised', ledger(), add(LEDGER + 8, 1n), /the vault holds 402000 base units of 403000 pooled/],
    ['a supply from nowhere', pda.mint(), add(36, 1n), /all token accounts hold 606000/],
    ['a balance from nowhere', pda.ownerTokenAccount(world.owner.publicKey), add(64, 1n), /supply is 606000/],
    ['a vault that was emptied', pda.poolVault(), add(64, -1n), /the vault holds 401999/],
    [
      'a vault of another owner',
      pda.poolVault(),
      (data) => world.payer.toBuffer().copy(data, 32),
      /not to the trading program/,
    ],
    ['another mint authority', pda.mint(), (data) => world.payer.toBuffer().copy(data, 4), /the mint authority is/],
    ['a freeze authority', pda.mint(), (data) => data.writeUInt32LE(1, 46), /freeze authority/],
    ['retired above the import', ledger(), add(LEDGER + 16, 8n), /more retired than imported/],
    ['certified above the mint', ledger(), add(LEDGER + 32, 201n), /more certified than minted/],
    ['the market closed above the import', ledger(), add(LEDGER + 40, 8n), /closed above the import/],
    [
      'a page with another number',
      page(),
      (data) => data.writeUInt32LE(9, 88),
      /another address than its numbers give/,
    ],
    ['a slot without a meter', page(), (data) => data.writeUInt16LE(1, SLOT + 32 * 9 + 28), /no meter has it/],
    [
      'two meters with one slot',
      pda.meter(world.zone, world.meter('1').id),
      (data) => data.writeUInt16LE(0, 190),
      /belongs to the meters/,
    ],
    ['a zone that counts wrong', pda.zone(7), (data) => data.writeUInt32LE(4, 24), /counts 4 meters, there are 3/],
    ['another network_id', pda.config(), (data) => data.writeUInt8(data.readUInt8(88) ^ 1, 88), /network_id is/],
    [
      'an unknown account',
      pda.user(world.zone, world.owner.publicKey),
      (data) => data.writeUInt8(data.readUInt8(0) ^ 1, 0),
      /of no type in the IDL/,
    ],
  ];
  for (const [name, address, change, expected] of cases) {
    expect((await checkWith(address, change)).join('\n'), name).toMatch(expected);
  }
});

test('controls between two moments: a window, a version or another network', async () => {
  const back = await checkWith(page(), (data) => data.writeUInt32LE(data.readUInt32LE(96 + 16) - 1, 96 + 16), honest);
  expect(back.join()).toMatch(/slot 7\/0\/0 window fell from/);
  expect((await checkWith(page(), (data) => data.writeBigUInt64LE(1n, 8), honest)).join()).toMatch(
    /version fell from 2 to 1/,
  );
  const other = { ...honest, figures: { ...honest.figures, network_id: '00' } };
  expect((await auditChain(url, other)).findings).toEqual(['the earlier result is of another network']);
});

test('gifts to the vault only add; accounts of the trading program are no longer the present state', async () => {
  const vault = pda.poolVault();
  const wallet = pda.ownerTokenAccount(world.owner.publicKey);
  const account = world.chain.account(wallet);
  if (!account) throw new Error('no token account');
  const given = Buffer.from(account.data);
  add(64, -4_000n)(given);
  world.chain.put(wallet, { owner: TOKEN_2022_ID, data: given });
  const findings = await checkWith(vault, add(64, 4_000n));
  world.chain.put(wallet, account);
  expect(findings).toEqual([]);
  const seat = Keypair.generate().publicKey;
  world.chain.put(seat, {
    owner: programIds.trading,
    data: sha256(new TextEncoder().encode('account:SeatPage')).slice(0, 8),
  });
  expect((await auditChain(url)).findings.join()).toMatch(/knows no seats yet/);
  world.chain.put(seat, { owner: SystemProgram.programId, data: new Uint8Array(0) });
});

test('another genesis hash: a finding, except on a development chain, where it is said', async () => {
  const other = new ReadOnlyRpc(world.chain, base58Encode(new Uint8Array(32).fill(5)));
  const otherUrl = await other.start();
  expect((await auditChain(otherUrl)).findings.join()).toMatch(/made for another chain/);
  await other.stop();
  const development = new World({ development: true }).setUp();
  const restored = new ReadOnlyRpc(development.chain, base58Encode(new Uint8Array(32).fill(5)));
  const result = await auditChain(await restored.start());
  await restored.stop();
  expect(result.findings).toEqual([]);
  expect(result.figures.genesis_hash_matches).toBe(false);
  expect(honest.figures.genesis_hash_matches).toBe(true);
});
