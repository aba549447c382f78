import { existsSync } from 'node:fs';
import { Keypair } from '@solana/web3.js';
import { readJson, writeJson } from '../files.js';
import type { Paths } from './layout.js';

/**
 * The key pair of a party of the demonstration (Solana's JSON array of 64 bytes, mode 0600), made on first use. In the
 * field each party holds its own; here one person plays them all.
 */
export function partyKey(paths: Paths, name: string): Keypair {
  const path = paths.key(name);
  if (existsSync(path)) return Keypair.fromSecretKey(Uint8Array.from(readJson<number[]>(path) ?? []));
  const pair = Keypair.generate();
  writeJson(path, [...pair.secretKey], 0o600);
  return pair;
}
