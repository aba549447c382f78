import {
  decodeLedgerPage,
  decodeTokenConfig,
  instructions,
  pda,
  TOKEN_2022_ID,
  UserRole,
} from '@gridtokenx/chain-client';
import { Chain } from '@gridtokenx/testing-kit/chain/harness';
import { hostileVariants, malformedVariants, problem } from '@gridtokenx/testing-kit/chain/hostile';
import { keyOf, START, type TestMeter, World, windowAt } from '@gridtokenx/testing-kit/chain/world';
import { type PublicKey, TransactionInstruction } from '@solana/web3.js';
import { beforeEach, describe, expect, test } from 'vitest';

const ENROLLED = windowAt(START);
const neighbour = keyOf('neighbour');
let world: World;
let mine: TestMeter;
let theirs: TestMeter;

beforeEach(() => {
  world = new World().setUp();
  world.chain.must([world.registerUser(neighbour.publicKey, UserRole.owner)], [world.utility]);
  const [first] = world.addMeters(3);
  const [second] = world.addMeters(1, { owner: neighbour }, 3);
  if (!first || !second) throw new Error('meters');
  mine = first;
  theirs = second;
  world.chain.time = START + 900 * 1_000;
});

/** Attests new totals of exports by slot. */
function exported(step: number, totals: Record<number, bigint>): void {
  const window = ENROLLED + step;
  const map = new Map(Object.entries(totals).map(([slot, exportWh]) => [Number(slot), { exportWh, importWh: 0n }]));
  expect(world.attest({ window, items: world.items(window, map) }).message).toBe('');
}

function destination(meter: TestMeter, to: 'pool' | 'wallet') {
  return instructions.setDestination({
    owner: meter.owner.publicKey,
    meterId: meter.id,
    zone: world.zone,
    page: 0,
    destination: to,
  });
}

const mintMeter = (meter: TestMeter) =>
  instructions.mintMeter({ meterId: meter.id, owner: meter.owner.publicKey, zone: world.zone, page: 0 });
const createAccount = (owner: PublicKey) => instructions.createOwnerTokenAccount({ payer: world.payer, owner });
const vault = () => world.balance(pda.poolVault());

describe('initialize', () => {
  test('makes a Token-2022 mint that only the program can mint, with metadata, and a vault of the trading program', () => {
    const mint = world.chain.account(pda.mint());
    if (!mint) throw new Error('no mint');
    const data = Buffer.from(mint.data);
    expect(mint.owner).toEqual(TOKEN_2022_ID);
    expect(data.readUInt32LE(0)).toBe(1);
    expect(data.subarray(4, 36)).toEqual(pda.mintAuthority().toBuffer());
    expect(data[44]).toBe(6);
    expect(data.readUInt32LE(46)).toBe(0); // no freeze authority
    // After account type (1: mint): metadata pointer (18) without authority, to the mint itself; then the metadata (19).
    expect(data[165]).toBe(1);
    expect([data.readUInt16LE(166), data.readUInt16LE(168)]).toEqual([18, 64]);
    expect(data.subarray(170, 202)).toEqual(Buffer.alloc(32));
    expect(data.subarray(202, 234)).toEqual(pda.mint().toBuffer());
    expect(data.readUInt16LE(234)).toBe(19);
    const text = data.subarray(238 + 64);
    expect(text.subarray(4, 21).toString()).toBe('GridTokenX Energy');
    expect(text.subarray(25, 28).toString()).toBe('GXT');
    expect(data).toHaveLength(338); // and no other extension
    const account = world.chain.account(pda.poolVault());
    expect(Buffer.from(account?.data ?? []).subarray(0, 32)).toEqual(pda.mint().toBuffer());
    expect(Buffer.from(account?.data ?? []).subarray(32, 64)).toEqual(pda.poolAuthority().toBuffer());
    expect(world.chain.get(pda.tokenConfig(), decodeTokenConfig)).toMatchObject({
      mint: pda.mint(),
      vault: pda.poolVault(),
      vaultAuthority: pda.poolAuthority(),
    });
  });

  test('once, with the right accounts only', () => {
    expect(world.chain.send([instructions.initializeToken({ payer: world.payer })]).error?.name).toBe(
      'AccountAlreadyInitialized',
    );
    const chain = new Chain();
    const instruction = instructions.initializeToken({ payer: chain.payer.publicKey });
    for (const variant of [...hostileVariants(chain, instruction), ...malformedVariants(instruction)]) {
      expect(problem(variant, chain.send([variant.instruction]))).toBe('');
    }
    chain.must([instruction]);
  });
});

describe('create_ledger_page', () => {
  test('takes two steps, of which the first is no ledger page yet, and refuses a third', () => {
    const instruction = instructions.createLedgerPage({ payer: world.payer, zone: world.zone, page: 5 });
    const address = pda.ledgerPage(world.zone, 5);
    for (const variant of [...hostileVariants(world.chain, instruction), ...malformedVariants(instruction)]) {
      expect(problem(variant, world.chain.send([variant.instruction]))).toBe('');
    }
    world.chain.must([instruction]);
    expect(() => world.chain.get(address, decodeLedgerPage)).toThrow('10240 bytes instead of 14400');
    for (const variant of hostileVariants(world.chain, instruction)) {
      expect(problem(variant, world.chain.send([variant.instruction]))).toBe('');
    }
    world.chain.must([instruction]);
    expect(world.chain.get(address, decodeLedgerPage)).toMatchObject({
      zone: world.zone,
      page: 5,
      lostWh: 0n,
      format: 1,
    });
    expect(world.chain.send([instruction]).error?.name).toBe('AccountAlreadyInitialized');
  });
});

describe('set_destination', () => {
  test('only the owner of the meter, only its own page', () => {
    const instruction = destination(mine, 'wallet');
    const foreign = { ...mine, owner: neighbour };
    expect(world.chain.send([destination(foreign, 'wallet')], [neighbour]).error?.name).toBe('InvalidAuthority');
    for (const variant of [...hostileVariants(world.chain, instruction), ...malformedVariants(instruction)]) {
      expect(problem(variant, world.chain.send([variant.instruction], [mine.owner]))).toBe('');
    }
    const odd = destination(mine, 'wallet');
    odd.data[8] = 2;
    expect(world.chain.send([odd], [mine.owner]).error?.name).toBe('MalformedInstruction');
    world.createPages(1);
    const other = instructions.setDestination({
      owner: mine.owner.publicKey,
      meterId: mine.id,
      zone: world.zone,
      page: 1,
      destination: 'wallet',
    });
    expect(world.chain.send([other], [mine.owner]).error?.name).toBe('AccountKeyMismatch');
    const evidence = world.meter('evidence');
    world.chain.must(world.register(evidence, { message: { role: 2 } }), world.staff);
    expect(world.chain.send([destination(evidence, 'wallet')], [evidence.owner]).error?.name).toBe('MeterHasNoSlot');
    world.chain.must([instruction], [mine.owner]);
    expect(world.ledgerPage().slots[0]?.destination).toBe('wallet');
    world.chain.must([destination(mine, 'pool')], [mine.owner]);
    expect(world.ledgerPage().slots[0]?.destination).toBe('pool');
  });
});

describe('mint_page', () => {
  test('moves export - minted of the pool slots, once', () => {
    exported(1, { 0: 10n, 1: 20n, 3: 40n });
    expect(world.mintPage().message).toBe('');
    expect(vault()).toBe(70_000n);
    expect(world.supply()).toBe(70_000n);
    const after = world.ledgerPage();
    expect(after.slots.slice(0, 4).map((slot) => [slot.mintedWh, slot.pooledWh])).toEqual([
      [10n, 10n],
      [20n, 20n],
      [0n, 0n],
      [40n, 40n],
    ]);
    expect(world.mintPage().message).toBe('');
    expect(world.ledgerPage()).toEqual(after);
    expect(world.supply()).toBe(70_000n);
    exported(2, { 0: 11n });
    expect(world.mintPage().message).toBe('');
    expect(vault()).toBe(71_000n);
  });

  test('leaves wallet slots and disputed ones', () => {
    world.chain.must([destination(theirs, 'wallet')], [neighbour]);
    exported(1, { 0: 10n, 1: 20n, 3: 40n });
    const address = pda.meterPage(world.zone, 0);
    const account = world.chain.account(address);
    if (!account) throw new Error('no page');
    const disputed = Uint8Array.from(account.data);
    disputed[96 + 32 + 28] = 3;
    world.chain.put(address, { owner: account.owner, data: disputed });
    expect(world.mintPage().message).toBe('');
    expect(vault()).toBe(10_000n);
    world.chain.put(address, account);
    expect(world.mintPage().message).toBe('');
    expect(vault()).toBe(30_000n);
  });

  test('gifts to the vault change nothing', () => {
    world.chain.must([destination(theirs, 'wallet'), createAccount(neighbour.publicKey)], [neighbour]);
    exported(1, { 0: 10n, 3: 40n });
    world.chain.must([mintMeter(theirs)]);
    const data = Buffer.alloc(10);
    data[0] = 12; // TransferChecked
    data.writeBigUInt64LE(5_000n, 1);
    data[9] = 6;
    const meta = (pubkey: PublicKey, isWritable: boolean, isSigner = false) => ({ pubkey, isWritable, isSigner });
    const keys = [
      meta(pda.ownerTokenAccount(neighbour.publicKey), true),
      meta(pda.mint(), false),
      meta(pda.poolVault(), true),
      meta(neighbour.publicKey, false, true),
    ];
    world.chain.must([new TransactionInstruction({ programId: TOKEN_2022_ID, keys, data })], [neighbour]);
    expect(vault()).toBe(5_000n);
    expect(world.mintPage().message).toBe('');
    expect(vault()).toBe(15_000n);
    expect(world.ledgerPage().slots[0]?.pooledWh).toBe(10n);
  });

  test('every wrong account, every malformed form; pages of other numbers', () => {
    exported(1, { 0: 10n });
    const instruction = instructions.mintPage({ zone: world.zone, page: 0 });
    for (const variant of [...hostileVariants(world.chain, instruction), ...malformedVariants(instruction)]) {
      expect(problem(variant, world.chain.send([variant.instruction]))).toBe('');
    }
    world.createPages(1);
    for (const [index, pubkey] of [
      [2, pda.meterPage(world.zone, 1)],
      [3, pda.ledgerPage(world.zone, 1)],
    ] as const) {
      const keys = instruction.keys.map((key, at) => (at === index ? { ...key, pubkey } : key));
      const crossed = new TransactionInstruction({ programId: instruction.programId, keys, data: instruction.data });
      expect(world.chain.send([crossed]).error?.name).toBe('AccountKeyMismatch');
    }
    world.chain.must([instruction]);
  });
});

describe('mint_meter', () => {
  beforeEach(() => {
    world.chain.must([destination(theirs, 'wallet'), createAccount(neighbour.publicKey)], [neighbour]);
    world.chain.must([createAccount(mine.owner.publicKey)]);
    exported(1, { 0: 10n, 3: 40n });
  });
  const balance = () => world.balance(pda.ownerTokenAccount(neighbour.publicKey));

  test('moves export - minted of a wallet slot to its owner, once; pooled stays', () => {
    world.chain.must([mintMeter(theirs)]);
    expect(balance()).toBe(40_000n);
    const after = world.ledgerPage();
    expect(after.slots[3]).toMatchObject({ mintedWh: 40n, pooledWh: 0n });
    world.chain.must([mintMeter(theirs)]);
    expect(world.ledgerPage()).toEqual(after);
    expect(balance()).toBe(40_000n);
    expect(world.supply()).toBe(40_000n);
  });

  test('skips a pool slot and a disputed one', () => {
    world.chain.must([mintMeter(mine)]);
    expect(world.ledgerPage().slots[0]?.mintedWh).toBe(0n);
    const address = pda.meterPage(world.zone, 0);
    const account = world.chain.account(address);
    if (!account) throw new Error('no page');
    const disputed = Uint8Array.from(account.data);
    disputed[96 + 32 * 3 + 28] = 3;
    world.chain.put(address, { owner: account.owner, data: disputed });
    world.chain.must([mintMeter(theirs)]);
    expect(balance()).toBe(0n);
  });

  test('a slot that changes its destination keeps one cursor', () => {
    world.chain.must([mintMeter(theirs)]);
    world.chain.must([destination(theirs, 'pool')], [neighbour]);
    exported(2, { 3: 45n });
    world.chain.must([mintMeter(theirs)]);
    expect(world.mintPage().message).toBe('');
    expect(world.ledgerPage().slots[3]).toMatchObject({ mintedWh: 45n, pooledWh: 5n });
    expect([balance(), vault()]).toEqual([40_000n, 15_000n]);
  });

  test('to nobody else: every wrong account, another owner, an account that is not the associated one', () => {
    const instruction = mintMeter(theirs);
    for (const variant of [...hostileVariants(world.chain, instruction), ...malformedVariants(instruction)]) {
      expect(problem(variant, world.chain.send([variant.instruction]))).toBe('');
    }
    const send = (index: number, pubkey: PublicKey) => {
      const keys = instruction.keys.map((key, at) => (at === index ? { ...key, pubkey } : key));
      const outcome = world.chain.send([
        new TransactionInstruction({ programId: instruction.programId, keys, data: instruction.data }),
      ]);
      return outcome.ok ? 'accepted' : outcome.error?.name;
    };
    expect(send(7, pda.ownerTokenAccount(mine.owner.publicKey))).toBe('AccountKeyMismatch');
    expect(send(7, pda.poolVault())).toBe('AccountKeyMismatch');
    const ata = world.chain.account(pda.ownerTokenAccount(neighbour.publicKey));
    if (!ata) throw new Error('no token account');
    const second = keyOf('second token account').publicKey;
    world.chain.put(second, ata);
    expect(send(7, second)).toBe('AccountKeyMismatch');
    expect(send(2, pda.meter(world.zone, mine.id))).toBe('AccountKeyMismatch');
    world.createPages(1);
    expect(send(3, pda.meterPage(world.zone, 1))).toBe('AccountKeyMismatch');
    expect(send(4, pda.ledgerPage(world.zone, 1))).toBe('AccountKeyMismatch');
    const evidence = world.meter('evidence');
    world.chain.must(world.register(evidence, { message: { role: 2 } }), world.staff);
    expect(send(2, pda.meter(world.zone, evidence.id))).toBe('MeterHasNoSlot');
    expect(balance()).toBe(0n);
    world.chain.must([instruction]);
  });
});
