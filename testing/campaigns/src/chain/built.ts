import { type Keypair, TransactionInstruction } from '@solana/web3.js';

/** An op on the chain: its instructions, of which the last belongs to the programs, and its signers. */
export interface Sending {
  readonly instructions: readonly TransactionInstruction[];
  readonly signers: readonly Keypair[];
}

/** Instructions by their accounts: a process derives addresses once, which is most of the work. */
const cache = new Map<string, TransactionInstruction>();

/** Returns the instruction of this name, built once; `data` replaces its arguments. */
export function once(name: string, build: () => TransactionInstruction, data?: Uint8Array): TransactionInstruction {
  const found = cache.get(name) ?? build();
  cache.set(name, found);
  if (!data) return found;
  const { programId, keys } = found;
  return new TransactionInstruction({ programId, keys, data: Buffer.concat([found.data.subarray(0, 8), data]) });
}
