import { createPrivateKey, sign as ed25519Sign, type KeyObject } from 'node:crypto';
import type { Keypair } from '@solana/web3.js';

/** PKCS #8 header before the 32 bytes of an Ed25519 seed. */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const keys = new WeakMap<Keypair, KeyObject>();

/**
 * Signs with a web3.js key pair, whose secret key begins with the seed. Uses Node's own signer, because campaigns sign
 * 100,000 times.
 */
export default function sign(key: Keypair, message: Uint8Array): Uint8Array {
  let found = keys.get(key);
  if (!found) {
    found = createPrivateKey({ key: Buffer.concat([PKCS8, key.secretKey.slice(0, 32)]), format: 'der', type: 'pkcs8' });
    keys.set(key, found);
  }
  return ed25519Sign(null, message, found);
}
