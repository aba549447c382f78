import { instructions, pda } from '@gridtokenx/chain-client';
import { everyInstruction } from '@gridtokenx/testing-kit/chain/every';
import { World } from '@gridtokenx/testing-kit/chain/world';
import { type AccountMeta, Keypair, type PublicKey, TransactionInstruction } from '@solana/web3.js';
import { beforeAll, describe, expect, test } from 'vitest';

// The count is proven before any account, so the accounts themselves do not matter here.

let world: World;
beforeAll(() => {
  world = new World().setUp();
  world.addMeters(1);
});

/** Instructions that end with the attestors that have signed. */
const WITH_SIGNERS = { 'registry.cancel_attestors': 7, 'oracle.attest_page': 7 } as const;
const mostSigners = (name: string) => WITH_SIGNERS[name as keyof typeof WITH_SIGNERS] ?? 0;

const stranger = (): AccountMeta => ({ pubkey: Keypair.generate().publicKey, isSigner: false, isWritable: false });
const strangers = (count: number) => Array.from({ length: count }, stranger);

/** Returns the error of an instruction with these accounts, none of which signs. */
function refusal(built: TransactionInstruction, keys: AccountMeta[]): string {
  const { programId, data } = built;
  const unsigned = keys.map((meta) => ({ ...meta, isSigner: false }));
  const outcome = world.chain.send([new TransactionInstruction({ programId, data, keys: unsigned })]);
  return outcome.ok ? 'accepted' : (outcome.error?.name ?? outcome.message);
}

describe.each(everyInstruction(() => world))('%s.%s', (program, name, build) => {
  const signers = mostSigners(`${program}.${name}`);

  test.each([1, 2, 20])('refuses %d accounts too many', (count) => {
    const built = build();
    expect(refusal(built, [...built.keys, ...strangers(signers + count)])).toBe('UnexpectedAccount');
  });

  test('refuses one account too few, and none', () => {
    const built = build();
    expect(refusal(built, built.keys.slice(0, -1))).toBe('MissingAccount');
    expect(refusal(built, [])).toBe('MissingAccount');
  });

  test('control: takes as many as it says, and looks at them', () => {
    const built = build();
    expect(refusal(built, [...built.keys, ...strangers(signers)])).not.toMatch(/MissingAccount|UnexpectedAccount/);
  });
});

test('one account in two roles, of which one changes it, is refused by its own error', () => {
  const { zone, chain } = world;
  const [id, page] = [world.meter('0').id, pda.meterPage(zone, 0)];
  const [meter, slot] = [pda.meter(zone, id), { meterId: id, zone, page: 0 }];
  const point = pda.point(zone, world.meter('0').commitment);
  const status = { utility: world.utility.publicKey, zone, meterId: id, point, page: 0, status: 'suspended' } as const;
  const ledger = pda.ledgerPage(zone, 0);
  /** Returns the instruction with `pubkey` at another account's place. */
  const twice = ({ programId, keys, data }: TransactionInstruction, place: PublicKey, pubkey: PublicKey) =>
    new TransactionInstruction({
      programId,
      data,
      keys: keys.map((meta) => (meta.pubkey.equals(place) ? { ...meta, pubkey } : meta)),
    });
  for (const list of [
    twice(instructions.setStatus(status), point, meter),
    twice(instructions.setStatus(status), meter, pda.zone(zone)),
    twice(instructions.setStatus(status), pda.config(), pda.zone(zone)),
    twice(instructions.concludeDispute({ ...slot, slot: 0 }), pda.dispute(zone, 0, 0), page),
    twice(instructions.mintPage({ zone, page: 0 }), pda.budget(zone), ledger),
  ]) {
    expect(chain.send([list], [world.utility]).error?.name).toBe('AccountsNotDistinct');
  }
});

test('who ends a list without having signed, or without being an attestor, is refused', () => {
  const { zone, attestors, utility } = world;
  const [first, second] = attestors.map((key) => key.publicKey);
  if (!first || !second) throw new Error('two attestors');
  world.chain.must([world.announceAttestors()], [world.authority]);
  const cancel = (signers: AccountMeta[]) => {
    const { programId, keys, data } = instructions.cancelAttestors({ zone, signers: [] });
    const list = [new TransactionInstruction({ programId, data, keys: [...keys, ...signers] })];
    return world.chain.send(list, [...attestors, utility, world.authority]).error?.name;
  };
  const signed = (pubkey = first): AccountMeta => ({ pubkey, isSigner: true, isWritable: false });
  expect(cancel([signed(first), signed(second), stranger()])).toBe('AccountNotSigner');
  expect(cancel([signed(first), signed(second), signed(world.authority.publicKey)])).toBe('UnknownAttestor');
  expect(cancel([signed(utility.publicKey), signed(first)])).toBe('UnknownAttestor');
  expect(cancel([signed(first), signed(second)])).toBeUndefined();
});
