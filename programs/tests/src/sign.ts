import { ed25519Signer } from '@gridtokenx/protocol';
import type { Keypair } from '@solana/web3.js';

/** Signature of a web3.js key pair, whose secret key starts with the seed. */
export default function sign(key: Keypair, message: Uint8Array): Uint8Array {
  return ed25519Signer(key.secretKey.slice(0, 32)).sign(message);
}
