import { base58Encode, ed25519Signer, encodeSign1, fromHex, sha256, sigStructure, toHex } from '../../src/index.js';
import { boundsOf, type Field, type FieldValues, LAYOUT, layOut, type PayloadKind } from './layout.js';

export interface PayloadCase {
  readonly name: string;
  readonly fields: FieldValues;
  readonly bytes: string;
}

const text = new TextEncoder();
const digest = (name: string, length: number) => toHex(sha256(text.encode(name)).slice(0, length));

/** A plain value of each kind. */
export const PLAIN: Readonly<Record<PayloadKind, FieldValues>> = {
  1: {
    ...header('1', '7'),
    time_ms: '1321952399123',
    import_wh: '11876738',
    export_wh: '183508',
    power_w: '-1234',
    voltage: '2301',
    frequency: '4998',
    time_uncertainty_ms: '12',
    quality: '64',
    boot_count: '3',
    raw: digest('raw', 4),
    prev: digest('prev', 16),
  },
  2: {
    ...header('2', '8'),
    window: '1468835',
    import_wh: '11876740',
    export_wh: '183920',
    reading_count: '15',
    quality: '64',
    time_uncertainty_ms: '12',
    readings_root: digest('root', 32),
  },
  3: {
    ...header('3', '9'),
    time_ms: '1321952400000',
    code: '2',
    quality: '64',
    boot_count: '70000',
    detail: '5',
    value: '41',
    data: `01${'00'.repeat(15)}`,
    prev: digest('prev of event', 16),
  },
  4: {
    ...header('4', '1'),
    owner: digest('owner', 32),
    import_wh: '1234567',
    export_wh: '89012',
    zone: '1',
    source: '1',
    role_bits: '0',
    key_epoch: '0',
    window: '1468834',
  },
  5: {
    ...header('5', '10'),
    time_ms: '1321952399123',
    ...pairs([1, 2301], [2, 2297], [3, 2304], [4, 5370], [7, 123_456], [9, -420], [10, 987], [11, -55]),
    time_uncertainty_ms: '12',
  },
};

function header(kind: string, seq: string): FieldValues {
  const network = digest('network', 8);
  return { magic: '4758', version: '1', kind, network_id: network, meter_id: digest('meter', 16), seq };
}

/** Returns the eight pairs of kind 5, unused ones as zeros. */
export function pairs(...used: readonly (readonly [code: number, value: number])[]): FieldValues {
  const all = Array.from({ length: 8 }, (_, i) => {
    const [code, value] = used[i] ?? [0, 0];
    return [
      [`code_${i + 1}`, String(code)],
      [`value_${i + 1}`, String(value)],
    ];
  });
  return Object.fromEntries(all.flat());
}

// Fields that take fewer values than their type: both ends of what is legal.
const NARROW: Readonly<Record<string, readonly string[]>> = {
  magic: [],
  version: [],
  kind: [],
  seq: ['1', '18446744073709551615'],
  source: ['0', '1', '2', '3', '4', '5'],
  role_bits: ['0', '1', '2', '4', '5', '6'],
};

function valuesOf(field: Field): readonly string[] {
  const narrow = NARROW[field.name];
  if (narrow) return narrow;
  const bounds = boundsOf(field.type);
  if (bounds) return bounds.map(String);
  const width = Number(field.type.slice(5));
  return ['00'.repeat(width), 'ff'.repeat(width)];
}

/** Returns every kind plain, then with each field at each of its bounds. */
export function payloadCases(): PayloadCase[] {
  const cases: PayloadCase[] = [];
  for (const kind of ['1', '2', '3', '4'] as const) {
    const table = LAYOUT[kind];
    const plain = PLAIN[kind];
    const add = (name: string, fields: FieldValues) => cases.push({ name, fields, bytes: layOut(table, fields) });
    add(`kind ${kind}, plain`, plain);
    for (const field of table) {
      for (const value of valuesOf(field)) {
        const shown = value.length > 24 ? `${value.slice(0, 2)} repeated` : value;
        add(`kind ${kind}, ${field.name} = ${shown}`, { ...plain, [field.name]: value });
      }
    }
    add(`kind ${kind}, unknown quality bits kept`, 'quality' in plain ? { ...plain, quality: '65152' } : plain);
  }
  return cases.filter((c, i) => cases.findIndex((other) => other.bytes === c.bytes) === i);
}

export const SEEDS = ['gateway', 'meter', 'oracle', 'operator'].map((name) => ({
  name,
  seed: digest(`seed of ${name}`, 32),
}));

export function seedOf(name: string): Uint8Array {
  const found = SEEDS.find((entry) => entry.name === name);
  if (!found) throw new Error(`no seed for ${name}`);
  return fromHex(found.seed);
}

export function messageCases(): object[] {
  const signer = ed25519Signer(seedOf('meter'));
  return (['1', '2', '3', '4'] as const).map((kind) => {
    const payload = fromHex(layOut(LAYOUT[kind], PLAIN[kind]));
    const signature = signer.sign(sigStructure(payload));
    return {
      name: `kind ${kind}`,
      seed: toHex(seedOf('meter')),
      public_key: toHex(signer.publicKey),
      public_key_base58: base58Encode(signer.publicKey),
      payload: toHex(payload),
      sig_structure: toHex(sigStructure(payload)),
      signature: toHex(signature),
      message: toHex(encodeSign1(payload, signature)),
    };
  });
}

export interface MalformedCase {
  readonly name: string;
  readonly what: 'payload' | 'message' | 'packet';
  readonly bytes: string;
  readonly reason: number;
}

/** Bytes that every reader refuses, with the number of the reason. */
export function malformedCases(): MalformedCase[] {
  const cases: MalformedCase[] = [];
  const plain = (kind: PayloadKind, change: FieldValues = {}) => layOut(LAYOUT[kind], { ...PLAIN[kind], ...change });
  const payload = (name: string, bytes: string, reason = 1) => cases.push({ name, what: 'payload', bytes, reason });
  payload('empty', '');
  payload('one byte short', plain('1').slice(2));
  payload('one byte long', `${plain('1')}00`);
  payload('magic swapped', plain('1', { magic: '5847' }));
  payload('magic zero', plain('1', { magic: '0000' }));
  for (const version of ['0', '2', '255']) payload(`version ${version}`, plain('1', { version }), 2);
  for (const kind of ['0', '6', '255']) payload(`kind ${kind}`, plain('1', { kind }), 2);
  for (const kind of ['1', '2', '3', '4'] as const) payload(`kind ${kind}, seq 0`, plain(kind, { seq: '0' }));
  for (const source of ['6', '255']) payload(`source ${source}`, plain('4', { source }));
  for (const bits of ['3', '7', '8', '128', '255']) payload(`role bits ${bits}`, plain('4', { role_bits: bits }));

  const good = toHex(encodeSign1(fromHex(plain('1')), new Uint8Array(64).fill(0xaa)));
  const message = (name: string, bytes: string) => cases.push({ name, what: 'message', bytes, reason: 1 });
  const put = (at: number, hex: string) => good.slice(0, 2 * at) + hex + good.slice(2 * at + hex.length);
  message('empty', '');
  message('170 bytes', good.slice(2));
  message('172 bytes', `${good}00`);
  message('tag 17', put(0, 'd1'));
  message('tag in two bytes', `d812${good.slice(2, -2)}`);
  message('array of 5', put(1, '85'));
  message('indefinite array', put(1, '9f'));
  message('ES256 in the protected header', put(5, '26'));
  message('another header key', put(4, '03'));
  message('unprotected header not empty', put(6, 'a1'));
  message('payload as text', put(7, '78'));
  message('payload length 95', put(8, '5f'));
  message('payload null', put(7, 'f6'));
  message('signature length 63', put(106, '3f'));
  message('signature as text', put(105, '78'));

  const packet = (name: string, bytes: string) => cases.push({ name, what: 'packet', bytes, reason: 1 });
  packet('empty', '');
  packet('one byte', '00');
  packet('170 bytes', good.slice(2));
  packet('171 bytes and one more', `${good}d2`);
  packet('two messages less a byte', (good + good).slice(2));
  packet('201 messages', good.repeat(201));
  return cases;
}
