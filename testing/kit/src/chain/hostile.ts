import type { RawAccount } from '@gridtokenx/chain-client';
import { type AccountMeta, Keypair, type PublicKey, TransactionInstruction } from '@solana/web3.js';
import type { Chain, Outcome } from './harness.js';

export interface Variant {
  readonly name: string;
  readonly instruction: TransactionInstruction;
  /** Errors of the programs that it may end with; empty when any failure will do. */
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

/** What an account of a foreign program is refused with: its owner, its address, or what it could not sign or create. */
const OTHERS = ['AccountOwnerMismatch', 'AccountKeyMismatch', 'AccountNotSigner', 'AccountAlreadyInitialized'];

/** What is wrong about how a variant ended, in words; empty when it failed as it must. */
export function problem({ name, errors }: Variant, { ok, error, message }: Outcome): string {
  if (ok) return `${name}: accepted`;
  if (errors.length === 0 || errors.includes(error?.name ?? '')) return '';
  return `${name}: ${error?.name ?? message} instead of ${errors.join(' or ')}`;
}

/**
 * Every way to give an instruction a wrong account: each one unsigned, read-only, missing, copied to an account of another program,
 * replaced by each of the others, each list cut short and one account longer. All of them must fail. Accounts of the fee payer stay signed and writable
 * whatever an instruction says, so these two are left out for it.
 */
export function hostileVariants(chain: Chain, instruction: TransactionInstruction): Variant[] {
  return [...hostileChoices(chain, instruction).map((make) => make()), longer(instruction)];
}

/** One account more than the instruction takes; behind attest_page and cancel_attestors it would have to be an attestor's. */
function longer({ programId, keys, data }: TransactionInstruction): Variant {
  const stranger = { pubkey: Keypair.generate().publicKey, isSigner: false, isWritable: false };
  return {
    name: 'one account more',
    instruction: new TransactionInstruction({ programId, data, keys: [...keys, stranger] }),
    errors: ['UnexpectedAccount', 'AccountNotSigner', 'UnknownAttestor'],
  };
}

/** The same, each made only when it is wanted. */
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
      // A list of any length stands behind the fixed accounts of attest_page.
      ...['MissingAccount', 'ThresholdNotMet'],
    );
  }
  return variants;
}

/** The account's bytes under another address and another owner program. */
function copyOf(chain: Chain, { data }: RawAccount): PublicKey {
  const copy = Keypair.generate().publicKey;
  chain.put(copy, { owner: Keypair.generate().publicKey, data });
  return copy;
}

/** The same instruction with its data cut, extended, and with an unknown discriminator. */
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
