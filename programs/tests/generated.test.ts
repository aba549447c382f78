import { BorshCoder, type Idl } from '@coral-xyz/anchor';
import {
  AccountFormatError,
  accountDiscriminator,
  accountSizes,
  decodeConfig,
  decodeMeter,
  decodeZone,
  idl,
  programIds,
} from '@gridtokenx/chain-client';
import { PublicKey, type TransactionInstruction } from '@solana/web3.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as accounts from '../clients/src/generated/accounts/index.js';
import * as energyToken from '../clients/src/generated/instructions/energy-token/index.js';
import * as oracle from '../clients/src/generated/instructions/oracle/index.js';
import * as registry from '../clients/src/generated/instructions/registry/index.js';

// A writer built from the IDL alone encodes random values. The generated clients must return the same values.

type Type = string | { array: [Type, number] } | { vec: Type } | { defined: { name: string } };
interface Field {
  readonly name: string;
  readonly type: Type;
}
interface Source {
  readonly types: readonly { readonly name: string; readonly type: { readonly fields: readonly Field[] } }[];
  readonly accounts: readonly { readonly name: string }[];
  readonly instructions: readonly {
    readonly name: string;
    readonly accounts: readonly { readonly name: string; readonly address?: string; readonly optional?: boolean }[];
    readonly args: readonly Field[];
  }[];
}

const programs = [
  { key: 'registry', source: idl.registry as unknown as Source, builders: registry },
  { key: 'oracle', source: idl.oracle as unknown as Source, builders: oracle },
  { key: 'energyToken', source: idl.energyToken as unknown as Source, builders: energyToken },
] as const;
const camel = (name: string) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
const isSpare = ({ name }: Field) => /^(reserved|padding)\d*$/.test(name);
const INTEGERS: Readonly<Record<string, number>> = { u8: 1, u16: 2, u32: 4, u64: 8 };

/** A value of an IDL type, drawn from its limits more often than by chance, and its bytes. */
interface Laid {
  readonly value: unknown;
  readonly bytes: readonly number[];
}

const little = (value: bigint, size: number) =>
  Array.from({ length: size }, (_, at) => Number((value >> BigInt(8 * at)) & 0xffn));
const bytesOf = (count: number) => fc.uint8Array({ minLength: count, maxLength: count });

function integer(size: number): fc.Arbitrary<Laid> {
  const top = (1n << BigInt(8 * size)) - 1n;
  const number = fc.oneof(fc.constantFrom(0n, 1n, top >> 1n, (top >> 1n) + 1n, top), fc.bigInt({ min: 0n, max: top }));
  return number.map((big) => ({ value: size === 8 ? big : Number(big), bytes: little(big, size) }));
}

function several(count: number, type: Type, source: Source): fc.Arbitrary<Laid> {
  return fc
    .array(laid(type, source), { minLength: count, maxLength: count })
    .map((items) => ({ value: items.map(({ value }) => value), bytes: items.flatMap(({ bytes }) => bytes) }));
}

const withCount = (found: Laid, count: number): Laid => ({
  ...found,
  bytes: [...little(BigInt(count), 4), ...found.bytes],
});

function laid(type: Type, source: Source): fc.Arbitrary<Laid> {
  if (typeof type === 'string') {
    const size = INTEGERS[type];
    if (size) return integer(size);
    if (type === 'bool') return fc.boolean().map((value) => ({ value, bytes: [value ? 1 : 0] }));
    if (type === 'pubkey') return bytesOf(32).map((key) => ({ value: new PublicKey(key), bytes: [...key] }));
    return fc.uint8Array({ maxLength: 300 }).map((value) => withCount({ value, bytes: [...value] }, value.length));
  }
  if ('defined' in type) return struct(type.defined.name, source);
  if ('vec' in type)
    return fc.nat(9).chain((count) => several(count, type.vec, source).map((it) => withCount(it, count)));
  const [inner, count] = type.array;
  return inner === 'u8' ? bytesOf(count).map((value) => ({ value, bytes: [...value] })) : several(count, inner, source);
}

/** Draws the fields in order. Spare fields are random as well, and are not among the values. */
function fields(list: readonly Field[], source: Source): fc.Arbitrary<Laid> {
  return fc.tuple(...list.map(({ type }) => laid(type, source))).map((items) => ({
    value: Object.fromEntries(
      list.flatMap((field, at) => (isSpare(field) ? [] : [[camel(field.name), items[at]?.value]])),
    ),
    bytes: items.flatMap(({ bytes }) => bytes),
  }));
}

function struct(name: string, source: Source): fc.Arbitrary<Laid> {
  const found = source.types.find((entry) => entry.name === name);
  if (!found) throw new Error(`no type ${name}`);
  return fields(found.type.fields, source);
}

type Decode = (account: { owner: PublicKey; data: Uint8Array }) => unknown;
const everyAccount = programs.flatMap(({ key, source }) =>
  source.accounts.map(
    ({ name }) => [name, key, source, (accounts as unknown as Record<string, Decode>)[`decode${name}`]] as const,
  ),
);

describe.each(everyAccount)('account %s', (name, key, source, decode) => {
  const owner = programIds[key];
  const discriminator = accountDiscriminator(name);
  if (!decode) throw new Error(`no decoder of ${name}`);
  const runs = { numRuns: accountSizes[name as keyof typeof accountSizes] > 1_000 ? 5 : 100 };

  test('gives back every value that was laid out, at any place of a buffer', () => {
    fc.assert(
      fc.property(struct(name, source), fc.nat(9), ({ value, bytes }, shift) => {
        const buffer = Uint8Array.from([...new Uint8Array(shift), ...discriminator, ...bytes, 1, 2, 3]);
        const data = buffer.subarray(shift, buffer.length - 3);
        expect(decode({ owner, data })).toEqual(value);
        expect(decode({ owner, data: Buffer.from(data) })).toEqual(value);
      }),
      runs,
    );
  });

  test('refuses every other length, and every other discriminator', () => {
    const size = accountSizes[name as keyof typeof accountSizes];
    for (const length of [0, 1, 7, 8, 9, size - 1, size + 1, 2 * size]) {
      const data = new Uint8Array(length);
      data.set(discriminator.slice(0, length));
      expect(() => decode({ owner, data }), `${length} bytes`).toThrow(AccountFormatError);
    }
    fc.assert(
      fc.property(bytesOf(size > 1_000 ? 8 : size), (head) => {
        const data = new Uint8Array(size);
        data.set(head);
        expect(() => decode({ owner, data })).toThrow(AccountFormatError);
      }),
    );
  });
});

type Build = (accounts: object, args: object, further?: object) => TransactionInstruction;
const everyInstruction = programs.flatMap(({ key, source, builders }) =>
  source.instructions.map((item) => [`${key}.${item.name}`, key, source, item, builders] as const),
);

describe.each(everyInstruction)('instruction %s', (_, key, source, item, builders) => {
  const build = (builders as unknown as Record<string, Build>)[camel(item.name)];
  if (!build) throw new Error(`no builder of ${item.name}`);
  const named = item.accounts.filter(({ address }) => !address);
  const keys = fc.tuple(...named.map(() => bytesOf(32).map((bytes) => new PublicKey(bytes))));

  test('has the bytes that its arguments have, which Anchor reads back', () => {
    fc.assert(
      fc.property(keys, fields(item.args, source), (found, { value, bytes }) => {
        const given = Object.fromEntries(named.map(({ name }, at) => [camel(name), found[at]]));
        // A builder without arguments takes its further accounts in their place.
        const built = item.args.length > 0 ? build(given, value as object) : build(given, []);
        expect([...built.data.subarray(8)]).toEqual(bytes);
        expect(built.programId).toEqual(programIds[key]);
        const decoded = new BorshCoder(idl[key] as Idl).instruction.decode(built.data);
        expect(decoded?.name).toBe(item.name);
        const expected = item.accounts.map(({ name, address }) =>
          address ? new PublicKey(address) : given[camel(name)],
        );
        expect(built.keys.map(({ pubkey }) => pubkey)).toEqual(expected);
      }),
      { numRuns: 30 },
    );
  });
});

const withNumbers = everyInstruction.flatMap(([label, , source, item, builders]) => {
  const numbers = item.args.filter(({ type }) => typeof type === 'string' && INTEGERS[type]);
  return numbers.length > 0 ? [[label, source, item, builders, numbers] as const] : [];
});

test.each(withNumbers)(
  'instruction %s refuses a number that its field does not hold',
  (_, source, item, builders, numbers) => {
    const build = (builders as unknown as Record<string, Build>)[camel(item.name)];
    const key = new PublicKey(new Uint8Array(32));
    const given = Object.fromEntries(item.accounts.map(({ name }) => [camel(name), key]));
    const [sample] = fc.sample(fields(item.args, source), 1);
    expect(() => build?.(given, sample?.value as object)).not.toThrow();
    for (const { name, type } of numbers) {
      const size = INTEGERS[type as string] ?? 0;
      for (const wrong of [-1n, 1n << BigInt(8 * size)]) {
        const bad = size === 8 ? wrong : Number(wrong);
        expect(() => build?.(given, { ...(sample?.value as object), [camel(name)]: bad }), name).toThrow(RangeError);
      }
    }
  },
);

describe('a byte that no name or count belongs to is refused, not read as another', () => {
  /** Builds zeros with the type's discriminator and one other byte. */
  function withByte(type: 'Config' | 'Meter' | 'Zone', at: number, value: number) {
    const data = new Uint8Array(accountSizes[type]);
    data.set(accountDiscriminator(type));
    data[at] = value;
    return { owner: programIds.registry, data };
  }

  test.each([
    ['Config.development', 129, 1, 'Config: development is 2, at most 1', decodeConfig, 'Config'],
    ['Meter.signer_level', 259, 1, 'Meter: signer_level is 2, at most 1', decodeMeter, 'Meter'],
    ['Zone.attestor_count', 11, 7, 'Zone: attestor_count is 8, at most 7', decodeZone, 'Zone'],
    ['Zone.previous_count', 13, 7, 'Zone: previous_count is 8, at most 7', decodeZone, 'Zone'],
    ['Zone.announced_count', 540, 7, 'Zone: announced_count is 8, at most 7', decodeZone, 'Zone'],
  ] as const)('%s', (_, at, most, message, decode, type) => {
    expect(() => decode(withByte(type, at, most))).not.toThrow();
    expect(() => decode(withByte(type, at, most + 1))).toThrow(new AccountFormatError(message));
    expect(() => decode(withByte(type, at, 255))).toThrow(AccountFormatError);
  });
});
