import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Keypair } from '@solana/web3.js';
import { expect, test } from 'vitest';
import { readKeypair } from '../../src/adapters/chain/keypair.js';

test('the attestor key is read, and an error shows nothing of it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'keypair-'));
  const file = join(folder, 'attestor.json');
  const write = (text: string) => writeFileSync(file, text, { mode: 0o600 });
  const pair = Keypair.generate();
  const text = JSON.stringify([...pair.secretKey]);
  const advice = 'correct attestor_key_file';
  try {
    expect(() => readKeypair(file)).toThrow(`${file}: the attestor key file is missing; ${advice}`);
    write(text);
    expect(readKeypair(file).publicKey.equals(pair.publicKey)).toBe(true);
    const refusal = `${file}: attestor key: not a key pair as a JSON array of 64 bytes; ${advice}`;
    // Base58, as wallets export it, a truncated list, a slip of a key, and the halves of two pairs.
    const mixed = JSON.stringify([...pair.secretKey.slice(0, 32), ...Keypair.generate().secretKey.slice(32)]);
    for (const wrong of ['5SecretSecretSecret', text.slice(0, -9), text.replace(',', ',x'), mixed, '[1]', 'null', '']) {
      write(wrong);
      expect(() => readKeypair(file), wrong).toThrow(expect.objectContaining({ message: refusal }));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
