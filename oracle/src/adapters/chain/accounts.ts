import type { RawAccount } from '@gridtokenx/chain-client';
import { SystemProgram } from '@solana/web3.js';

const DISCRIMINATOR_BYTES = 8;

/**
 * Returns the account where its program has made it, else null. Anyone can send lamports to an address that is still free
 * or make the first half of a ledger page; neither is an account yet.
 */
export function made<A extends RawAccount>(account: A | null | undefined): A | null {
  if (!account || account.owner.equals(SystemProgram.programId)) return null;
  return account.data.subarray(0, DISCRIMINATOR_BYTES).some((byte) => byte !== 0) ? account : null;
}
