import type { AccountMeta, PublicKey } from '@solana/web3.js';

const meta = (pubkey: PublicKey, isSigner: boolean, isWritable: boolean): AccountMeta => ({
  pubkey,
  isSigner,
  isWritable,
});

export const readonly = (key: PublicKey): AccountMeta => meta(key, false, false);
export const writable = (key: PublicKey): AccountMeta => meta(key, false, true);
export const signer = (key: PublicKey): AccountMeta => meta(key, true, false);
export const writableSigner = (key: PublicKey): AccountMeta => meta(key, true, true);
