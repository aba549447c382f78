/**
 * The payload tables [wire §4], written a second time as data. These tables, not the codec, encode the golden bytes, so that an
 * error in one of the two shows.
 */
export type FieldType = 'u8' | 'u16' | 'u32' | 'u64' | 'i32' | 'i64' | `bytes${number}`;

export interface Field {
  readonly name: string;
  readonly at: number;
  readonly type: FieldType;
}

/** Values as the vectors write them: numbers as decimal text, bytes as hexadecimal text. */
export type FieldValues = Readonly<Record<string, string>>;

const HEADER: Field[] = [
  { name: 'magic', at: 0, type: 'bytes2' },
  { name: 'version', at: 2, type: 'u8' },
  { name: 'kind', at: 3, type: 'u8' },
  { name: 'network_id', at: 4, type: 'bytes8' },
  { name: 'meter_id', at: 12, type: 'bytes16' },
  { name: 'seq', at: 28, type: 'u64' },
];

/** Kinds of payload as the vectors write them. Only TypeScript reads kind 5. */
export type PayloadKind = '1' | '2' | '3' | '4' | '5';

export const LAYOUT: Readonly<Record<PayloadKind, readonly Field[]>> = {
  1: [
    ...HEADER,
    { name: 'time_ms', at: 36, type: 'i64' },
    { name: 'import_wh', at: 44, type: 'u64' },
    { name: 'export_wh', at: 52, type: 'u64' },
    { name: 'power_w', at: 60, type: 'i32' },
    { name: 'voltage', at: 64, type: 'u16' },
    { name: 'frequency', at: 66, type: 'u16' },
    { name: 'time_uncertainty_ms', at: 68, type: 'u32' },
    { name: 'quality', at: 72, type: 'u16' },
    { name: 'boot_count', at: 74, type: 'u16' },
    { name: 'raw', at: 76, type: 'bytes4' },
    { name: 'prev', at: 80, type: 'bytes16' },
  ],
  2: [
    ...HEADER,
    { name: 'window', at: 36, type: 'u32' },
    { name: 'import_wh', at: 40, type: 'u64' },
    { name: 'export_wh', at: 48, type: 'u64' },
    { name: 'reading_count', at: 56, type: 'u16' },
    { name: 'quality', at: 58, type: 'u16' },
    { name: 'time_uncertainty_ms', at: 60, type: 'u32' },
    { name: 'readings_root', at: 64, type: 'bytes32' },
  ],
  3: [
    ...HEADER,
    { name: 'time_ms', at: 36, type: 'i64' },
    { name: 'code', at: 44, type: 'u16' },
    { name: 'quality', at: 46, type: 'u16' },
    { name: 'boot_count', at: 48, type: 'u32' },
    { name: 'detail', at: 52, type: 'u32' },
    { name: 'value', at: 56, type: 'u64' },
    { name: 'data', at: 64, type: 'bytes16' },
    { name: 'prev', at: 80, type: 'bytes16' },
  ],
  4: [
    ...HEADER,
    { name: 'owner', at: 36, type: 'bytes32' },
    { name: 'import_wh', at: 68, type: 'u64' },
    { name: 'export_wh', at: 76, type: 'u64' },
    { name: 'zone', at: 84, type: 'u16' },
    { name: 'source', at: 86, type: 'u8' },
    { name: 'role_bits', at: 87, type: 'u8' },
    { name: 'key_epoch', at: 88, type: 'u32' },
    { name: 'window', at: 92, type: 'u32' },
  ],
  5: [
    ...HEADER,
    { name: 'time_ms', at: 36, type: 'i64' },
    ...Array.from({ length: 8 }, (_, i): Field[] => [
      { name: `code_${i + 1}`, at: 44 + 6 * i, type: 'u16' },
      { name: `value_${i + 1}`, at: 46 + 6 * i, type: 'i32' },
    ]).flat(),
    { name: 'time_uncertainty_ms', at: 92, type: 'u32' },
  ],
};

/** Returns lowest and highest value of a number type. */
export function boundsOf(type: FieldType): readonly [bigint, bigint] | null {
  const width = /^([ui])(\d+)$/.exec(type);
  if (!width) return null;
  const bits = BigInt(width[2] ?? 0);
  return width[1] === 'u' ? [0n, (1n << bits) - 1n] : [-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n];
}

/** Returns the bytes of a fixed-width field type. */
export function widthOf(type: FieldType): number {
  return type.startsWith('bytes') ? Number(type.slice(5)) : Number(type.slice(1)) / 8;
}

/** Returns 96 bytes encoded from the table, little-endian, as hexadecimal text. */
export function layOut(fields: readonly Field[], values: FieldValues): string {
  const bytes: string[] = Array.from({ length: 96 }, () => '00');
  for (const { name, at, type } of fields) {
    const value = values[name];
    if (value === undefined) throw new Error(`no value for ${name}`);
    const width = widthOf(type);
    const hex = type.startsWith('bytes')
      ? value
      : BigInt.asUintN(8 * width, BigInt(value))
          .toString(16)
          .padStart(2 * width, '0')
          .match(/../g)
          ?.reverse()
          .join('');
    if (hex?.length !== 2 * width) throw new Error(`${name} = ${value} is not ${width} bytes`);
    for (let i = 0; i < width; i++) bytes[at + i] = hex.slice(2 * i, 2 * i + 2);
  }
  return bytes.join('');
}
