import { createRequire } from 'node:module';
import { type SodiumVerify, sodiumVerifier } from '../../src/index.js';

/** Lends libsodium, which the applications bring; the protocol itself has no native dependency. */
export const sodium = createRequire(new URL('../../../oracle/package.json', import.meta.url))(
  'sodium-native',
) as SodiumVerify;
export const verifier = sodiumVerifier(sodium);
