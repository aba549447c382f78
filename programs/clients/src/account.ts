import type { PublicKey } from '@solana/web3.js';
import { Reader } from './bytes.js';

/** An account as every RPC client and simulator returns it. */
export interface RawAccount {
  readonly owner: PublicKey;
  readonly data: Uint8Array;
}

/** Reports an account of another owner, type or size than expected. Drop the read, do not retry it. */
export class AccountFormatError extends Error {
  override readonly name = 'AccountFormatError';
}

/** Tells the accounts of one type from all others. */
export interface AccountKind {
  readonly name: string;
  /** The program that owns it. */
  readonly owner: PublicKey;
  /** Bytes with the discriminator. */
  readonly size: number;
  /** 8 bytes. */
  readonly discriminator: readonly number[];
}

/** Returns a reader of the account behind its discriminator. Throws AccountFormatError. */
export function openAccount({ owner, data }: RawAccount, kind: AccountKind): Reader {
  if (!owner.equals(kind.owner)) {
    throw new AccountFormatError(`${kind.name}: owned by ${owner.toBase58()}, not by ${kind.owner.toBase58()}`);
  }
  if (data.length !== kind.size) {
    throw new AccountFormatError(`${kind.name}: ${data.length} bytes instead of ${kind.size}`);
  }
  if (!kind.discriminator.every((byte, index) => data[index] === byte)) {
    throw new AccountFormatError(`${kind.name}: has another account's discriminator`);
  }
  return new Reader(data, 8);
}

/** Returns a number that has a name up to `most`. Throws AccountFormatError above it: whoever reads on would take it for another. */
export function atMost(most: number, value: number, field: string): number {
  if (value > most) throw new AccountFormatError(`${field} is ${value}, at most ${most}`);
  return value;
}
