import { createPrivateKey, sign as ed25519Sign, type KeyObject } from 'node:crypto';
import type { Keypair } from '@solana/web3.js';

/** What stands before the 32 bytes of an Ed25519 seed in PKCS #8. */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const keys = new WeakMap<Keypair, KeyObject>();

/** Signature of a web3.js key pair, whose secret key starts with the seed. The runtime's own signer: campaigns sign by the 100,000. */
export default function sign(key: Keypair, message: Uint8Array): Uint8Array {
  let found = keys.get(key);
  if (!found) {
    found = createPrivateKey({ key: Buffer.concat([PKCS8, key.secretKey.slice(0, 32)]), format: 'der', type: 'pkcs8' });
    keys.set(key, found);
  }
  return ed25519Sign(null, message, found);
}
