import { createRequire } from 'node:module';
import { proveVerifier, type SodiumVerify, sodiumVerifier, type Verifier, verifyVectors } from '@gridtokenx/protocol';

/** libsodium as the signature check, proved on the golden cases. Throws when the binding is missing or judges wrongly. */
export function provedVerifier(): Verifier {
  const sodium = createRequire(import.meta.url)('sodium-native') as SodiumVerify;
  const verifier = sodiumVerifier(sodium);
  proveVerifier(verifier, verifyVectors);
  return verifier;
}
