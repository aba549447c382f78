import { decodeLedgerPage, instructions, pda, programIds, UserRole } from '@gridtokenx/chain-client';
import { asWh } from '@gridtokenx/protocol';
import { dispute, said } from '@gridtokenx/testing-kit/chain/telemetry';
import { keyOf, START, World, windowAt } from '@gridtokenx/testing-kit/chain/world';
import { Keypair, type PublicKey, SystemProgram, type TransactionInstruction } from '@solana/web3.js';
import { beforeEach, describe, expect, test } from 'vitest';

/**
 * The rent of an account without data, in lamports. The runtime keeps no account with less, so no stranger can leave less at an
 * address.
 */
const LEAST = 890_880;
/** Lamports above the rent of any account here. */
const MUCH = 10 ** 9;

let world: World;
beforeEach(() => {
  world = new World().setUp();
  world.addMeters(2, { message: { deviceSigned: true } });
  world.chain.time = START + 9_000;
});

/** Returns a new wallet with `lamports`. */
function stranger(lamports: number): Keypair {
  const key = Keypair.generate();
  world.chain.must([SystemProgram.transfer({ fromPubkey: world.payer, toPubkey: key.publicKey, lamports })]);
  return key;
}

const refusal = (list: TransactionInstruction[], signers: Keypair[] = []) => {
  const outcome = world.chain.send(list, signers);
  return outcome.ok ? 'accepted' : (outcome.error?.name ?? outcome.message);
};

/** Each address that an instruction creates, with the transaction that does it. */
const creations: readonly (readonly [
  string,
  () => { at: PublicKey; list: TransactionInstruction[]; fresh?: World },
])[] = [
  ['Zone', () => ({ at: pda.zone(3), list: [world.createZone(3)] })],
  [
    'User',
    () => ({
      at: pda.user(7, keyOf('x').publicKey),
      list: [world.registerUser(keyOf('x').publicKey, UserRole.owner)],
    }),
  ],
  [
    'Point',
    () => ({
      at: pda.point(7, world.meter('9').commitment),
      list: world.register(world.meter('9'), { pending: true }),
    }),
  ],
  [
    'Meter',
    () => ({ at: pda.meter(7, world.meter('9').id), list: world.register(world.meter('9'), { pending: true }) }),
  ],
  ['MeterPage', () => ({ at: pda.meterPage(7, 2), list: [instructions.createPage({ ...by(), page: 2 })] })],
  ['LedgerPage, first step', () => ({ at: pda.ledgerPage(7, 2), list: [ledgerStep(2)] })],
  ['LedgerPage, both steps', () => ({ at: pda.ledgerPage(7, 2), list: [ledgerStep(2), ledgerStep(2)] })],
  ['Dispute', () => ({ at: pda.dispute(7, 0, 0), list: dispute(world, world.meter('0'), 0, said(3, 100n)) })],
  [
    'Budget',
    () => ({ at: pda.budget(3), list: [world.createZone(3), instructions.createBudget({ ...by(), zone: 3 })] }),
  ],
];

const by = (payer: PublicKey = world.payer) => ({ payer, zone: 7 });
const ledgerStep = (page: number, payer?: PublicKey) => instructions.createLedgerPage({ ...by(payer), page });

describe.each(creations)('%s', (name, create) => {
  test.each([LEAST, MUCH])('is created the same where a stranger left %d lamports', (lamports) => {
    if (name === 'Dispute') {
      const window = windowAt(START) + 1;
      const totals = new Map([[0, { exportWh: 300n, importWh: 20n }]]);
      expect(world.attest({ window, items: world.items(window, totals) }).message).toBe('');
    }
    const clean = world.fork();
    const { at, list } = create();
    clean.chain.must(list, [...world.staff, world.authority]);
    world.chain.must([SystemProgram.transfer({ fromPubkey: world.payer, toPubkey: at, lamports })]);
    world.chain.must(list, [...world.staff, world.authority]);
    const found = world.chain.account(at);
    expect(found?.data.length).toBeGreaterThan(0);
    expect(found).toEqual(clean.chain.account(at));
    const rent = world.chain.svm.minimumBalanceForRentExemption(BigInt(found?.data.length ?? 0));
    expect(world.chain.svm.getBalance(at.toBytes())).toBe(lamports === MUCH ? BigInt(MUCH) : rent);
  });
});

test.each([LEAST, MUCH])(
  'Config, TokenConfig, mint and vault are created where a stranger left %d lamports',
  (lamports) => {
    const empty = new World();
    empty.chain.time = START;
    const { chain, payer } = empty;
    const addresses = [pda.config(), pda.tokenConfig(), pda.mint(), pda.poolVault()];
    for (const toPubkey of addresses) chain.must([SystemProgram.transfer({ fromPubkey: payer, toPubkey, lamports })]);
    chain.must([empty.initialize()], [chain.upgradeAuthority]);
    chain.must([instructions.initializeToken({ payer })]);
    for (const [index, address] of addresses.entries()) {
      expect(chain.account(address)?.data, `address ${index}`).toEqual(world.chain.account(address)?.data);
    }
  },
);

describe('a ledger page between its two steps', () => {
  const at = () => pda.ledgerPage(7, 1);
  const bytes = () => world.chain.account(at())?.data.length;

  test('is finished by whoever comes, and is then as one that one payer made', () => {
    const other = stranger(MUCH);
    world.chain.must([ledgerStep(1, other.publicKey)], [other]);
    expect(bytes()).toBe(10_240);
    expect(() => world.ledgerPage(1)).toThrow('10240 bytes instead of 14400');
    world.chain.must([ledgerStep(1)]);
    expect(world.chain.get(at(), decodeLedgerPage)).toMatchObject({ zone: 7, page: 1, format: 1, lostWh: 0n });
    const before = world.chain.account(at());
    expect(refusal([ledgerStep(1)])).toBe('AccountAlreadyInitialized');
    expect(world.chain.account(at())).toEqual(before);
  });

  test('stays as it is when its payer cannot pay the second step, and goes on with another', () => {
    world.chain.must([ledgerStep(1)]);
    const poor = stranger(LEAST + 5_000);
    expect(refusal([ledgerStep(1, poor.publicKey)], [poor])).not.toBe('accepted');
    expect(bytes()).toBe(10_240);
    world.chain.must([SystemProgram.transfer({ fromPubkey: world.payer, toPubkey: at(), lamports: 5 })]);
    world.chain.must([ledgerStep(1)]);
    const rent = world.chain.svm.minimumBalanceForRentExemption(14_400n);
    expect(world.chain.svm.getBalance(at().toBytes())).toBe(rent);
  });

  test('is no ledger page for any instruction', () => {
    const meter = world.meter('0');
    const { owner } = world;
    const record = world.chain.account(pda.meter(7, meter.id));
    if (!record) throw new Error('no meter');
    const moved = Uint8Array.from(record.data);
    moved[184] = 1; // its page
    world.chain.put(pda.meter(7, meter.id), { owner: record.owner, data: moved });
    world.chain.must([instructions.createPage({ ...by(), page: 1 }), ledgerStep(1)]);
    const place = { meterId: meter.id, zone: 7, page: 1, owner: owner.publicKey };
    for (const instruction of [
      instructions.mintPage({ zone: 7, page: 1 }),
      instructions.mintMeter(place),
      instructions.retire({ ...place, wh: asWh(1n) }),
      instructions.setDestination({ ...place, destination: 'wallet' }),
    ]) {
      expect(refusal([instruction], [owner])).toBe('AccountTypeMismatch');
    }
    expect(world.chain.account(at())?.data.every((byte) => byte === 0)).toBe(true);
  });

  test('is not taken for the page of another number or zone', () => {
    world.chain.must([ledgerStep(1)]);
    const [first] = [ledgerStep(2)];
    if (!first) throw new Error('a step');
    const keys = first.keys.map((meta) =>
      meta.pubkey.equals(pda.ledgerPage(7, 2)) ? { ...meta, pubkey: at() } : meta,
    );
    expect(refusal([Object.assign(first, { keys })])).toBe('AccountKeyMismatch');
    expect(bytes()).toBe(10_240);
  });

  test.each([
    ['a discriminator', 10_240, 1, programIds.energyToken, 'AccountAlreadyInitialized'],
    ['a last byte of its head', 10_240, 0x0100_0000_0000_0000, programIds.energyToken, 'AccountAlreadyInitialized'],
    ['fewer bytes than a head', 7, 0, programIds.energyToken, 'AccountAlreadyInitialized'],
    ['all bytes and no discriminator', 14_400, 0, programIds.energyToken, 'AccountAlreadyInitialized'],
    ['another owner', 10_240, 0, programIds.oracle, 'AccountOwnerMismatch'],
  ])('with %s it does not grow', (_, size, head, owner, error) => {
    const data = Buffer.alloc(size);
    if (size >= 8) data.writeBigUInt64LE(BigInt(head));
    world.chain.put(at(), { owner, data });
    expect(refusal([ledgerStep(1)])).toBe(error);
    expect(world.chain.account(at())).toEqual({ owner, data: Uint8Array.from(data) });
  });
});
