import {
  AccountFormatError,
  accountDiscriminator,
  accountSizes,
  decodeConfig,
  decodeMeter,
  decodeTokenConfig,
  instructions,
  parseChainError,
  programIds,
} from '@gridtokenx/chain-client';
import { Keypair } from '@solana/web3.js';
import { describe, expect, test } from 'vitest';

const other = Keypair.generate().publicKey;

/** Returns an account of zeros that has the size of one type and the discriminator of another. */
function account(size: keyof typeof accountSizes, type: keyof typeof accountSizes, owner = programIds.registry) {
  const data = new Uint8Array(accountSizes[size]);
  data.set(accountDiscriminator(type));
  return { owner, data };
}

describe('an account is decoded only', () => {
  test('as what it is', () => {
    expect(decodeConfig(account('Config', 'Config')).authority.toBytes()).toEqual(new Uint8Array(32));
  });

  test('from the program that owns its type', () => {
    expect(() => decodeConfig(account('Config', 'Config', other))).toThrow(
      new AccountFormatError(`Config: owned by ${other.toBase58()}, not by ${programIds.registry.toBase58()}`),
    );
    expect(() => decodeTokenConfig(account('TokenConfig', 'TokenConfig'))).toThrow(AccountFormatError);
  });

  test('with its size', () => {
    expect(() => decodeMeter(account('Config', 'Meter'))).toThrow(
      new AccountFormatError(`Meter: ${accountSizes.Config} bytes instead of ${accountSizes.Meter}`),
    );
  });

  test('with its discriminator, every byte of it', () => {
    const refused = new AccountFormatError("Meter: has another account's discriminator");
    expect(() => decodeMeter(account('Meter', 'Point'))).toThrow(refused);
    for (let at = 0; at < 8; at++) {
      const damaged = account('Meter', 'Meter');
      damaged.data[at] = (damaged.data[at] ?? 0) ^ 1;
      expect(() => decodeMeter(damaged)).toThrow(refused);
    }
  });
});

describe("the programs' error is found", () => {
  const line = 'Program log: custom program error: 0x1784';
  const name = 'AccountAlreadyInitialized';

  test.each([
    ['logs', { logs: [line] }],
    ['transactionLogs', { transactionLogs: [line] }],
    ['logs beside transactionLogs of another', { logs: [line], transactionLogs: ['Program log: nothing'] }],
    ['err of a status', { err: { InstructionError: [0, { Custom: 6_020 }] } }],
    ['data of an RPC error', { data: { logs: [line] } }],
  ])('in %s', (_where, failure) => {
    expect(parseChainError(failure)?.name).toBe(name);
  });

  test('nowhere in logs that name none', () => {
    expect(parseChainError({ logs: ['Program log: fine'] })).toBeUndefined();
    expect(parseChainError(null)).toBeUndefined();
  });
});

test('a commitment of another length is refused by its name', () => {
  const key = Keypair.generate().publicKey;
  const args = { zone: 1, meterId: new Uint8Array(16), authority: key, payer: key, owner: key };
  expect(() =>
    instructions.registerMeter({ ...args, authorityIsUtility: true, pointCommitment: new Uint8Array(31) }),
  ).toThrow('point commitment has 32 bytes, not 31');
});
