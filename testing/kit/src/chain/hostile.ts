import type { RawAccount } from '@gridtokenx/chain-client';
import { type AccountMeta, Keypair, type PublicKey, TransactionInstruction } from '@solana/web3.js';
import type { Chain, Outcome } from './harness.js';

export interface Variant {
  readonly name: string;
  readonly instruction: TransactionInstruction;
  /** Errors of the programs that are acceptable; empty when any failure is. */
  readonly errors: readonly string[];
}

function replaced(
  instruction: TransactionInstruction,
  index: number,
  change: Partial<AccountMeta>,
): TransactionInstruction {
  const keys = instruction.keys.map((meta, at) => (at === index ? { ...meta, ...change } : meta));
  return new TransactionInstruction({ programId: instruction.programId, keys, data: instruction.data });
}

/**
 * Acceptable errors for an account of a foreign program: its owner, its address, or what it could not sign or create.
 */
const OTHERS = ['AccountOwnerMismatch', 'AccountKeyMismatch', 'AccountNotSigner', 'AccountAlreadyInitialized'];

/** Returns the problem with a variant's outcome, in words; empty when it failed as it must. */
export function problem({ name, errors }: Variant, { ok, error, message }: Outcome): string {
  if (ok) return `${name}: accepted`;
  if (errors.length === 0 || errors.includes(error?.name ?? '')) return '';
  return `${name}: ${error?.name ?? message} instead of ${errors.join(' or ')}`;
}

/**
 * Returns every way to give an instruction a wrong account. Each account is unsigned, read-only, missing, copied to an
 * account of another program, or replaced by each other account. Each list is truncated, and extended by one. All must
 * fail. Accounts of the fee payer stay signed and writable whatever an instruction says, so the fee payer has no such
 * variants.
 */
export function hostileVariants(chain: Chain, instruction: TransactionInstruction): Variant[] {
  return [...hostileChoices(chain, instruction).map((make) => make()), longer(instruction)];
}

/**
 * Adds one account more than the instruction takes; behind attest_page and cancel_attestors it would have to be an
 * attestor's.
 */
function longer({ programId, keys, data }: TransactionInstruction): Variant {
  const stranger = { pubkey: Keypair.generate().publicKey, isSigner: false, isWritable: false };
  return {
    name: 'one account more',
    instruction: new TransactionInstruction({ programId, data, keys: [...keys, stranger] }),
    errors: ['UnexpectedAccount', 'AccountNotSigner', 'UnknownAttestor'],
  };
}

/** Returns the same variants, each built only on demand. */
export function hostileChoices(chain: Chain, instruction: TransactionInstruction): (() => Variant)[] {
  const variants: (() => Variant)[] = [];
  const add = (name: string, make: () => TransactionInstruction, ...errors: string[]) =>
    variants.push(() => ({ name, instruction: make(), errors }));
  for (const [index, meta] of instruction.keys.entries()) {
    const isPayer = meta.pubkey.equals(chain.payer.publicKey);
    if (meta.isSigner && !isPayer)
      add(`account ${index} unsigned`, () => replaced(instruction, index, { isSigner: false }), 'AccountNotSigner');
    if (meta.isWritable && !isPayer)
      add(
        `account ${index} read-only`,
        () => replaced(instruction, index, { isWritable: false }),
        'AccountNotWritable',
      );
    const other = (pubkey: PublicKey) => replaced(instruction, index, { pubkey, isSigner: false });
    add(`account ${index} missing`, () => other(Keypair.generate().publicKey));
    const original = chain.account(meta.pubkey);
    if (original && original.data.length > 0)
      add(`account ${index} of a foreign program`, () => other(copyOf(chain, original)), ...OTHERS);
    for (const [place, { pubkey }] of instruction.keys.entries()) {
      if (!pubkey.equals(meta.pubkey)) add(`account ${index} is account ${place}`, () => other(pubkey));
    }
    const { programId, data } = instruction;
    add(
      `only ${index} accounts`,
      () => new TransactionInstruction({ programId, data, keys: instruction.keys.slice(0, index) }),
      // attest_page accepts a list of any length behind its fixed accounts.
      ...['MissingAccount', 'ThresholdNotMet'],
    );
  }
  return variants;
}

/** Copies the account's bytes to another address with another owner program. */
function copyOf(chain: Chain, { data }: RawAccount): PublicKey {
  const copy = Keypair.generate().publicKey;
  chain.put(copy, { owner: Keypair.generate().publicKey, data });
  return copy;
}

/** Returns the same instruction with its data truncated, extended, and with an unknown discriminator. */
export function malformedVariants({ programId, keys, data }: TransactionInstruction): Variant[] {
  const build = (name: string, bytes: Uint8Array, error: string) => ({
    name,
    errors: [error],
    instruction: new TransactionInstruction({ programId, keys, data: Buffer.from(bytes) }),
  });
  return [
    build('empty data', new Uint8Array(0), 'UnknownInstruction'),
    build('half a discriminator', data.subarray(0, 4), 'UnknownInstruction'),
    build('unknown discriminator', Uint8Array.of(255, ...data.subarray(1)), 'UnknownInstruction'),
    ...(data.length > 8 ? [build('one byte less', data.subarray(0, data.length - 1), 'MalformedInstruction')] : []),
    build('one byte more', Uint8Array.of(...data, 0), 'MalformedInstruction'),
  ];
}
