import { loadProfile } from '../../src/adapters/profiles/files.js';
import type { ModbusProfile } from '../../src/profiles/profile.js';
import type { Register, RegisterKey } from '../../src/profiles/register.js';

/** Data of the registers, an exception's code, or null for no answer. */
export type MeterAnswer = Uint8Array | number | null;
export type FakeMeter = (fn: number, address: number, count: number) => MeterAnswer;

type Values = Partial<Record<RegisterKey, number | string>>;

/** Values in Wh, W, V and Hz; text for text registers. */
export const VALUES: Values = {
  import: 1_234_560,
  export: 654_320,
  total: 1_888_880,
  power: 1_230,
  power_export: 0,
  voltage: 231,
  frequency: 50,
  serial: 20_004_711,
};

export interface MeterOptions {
  readonly values?: Values;
  /** Answer to a read of registers that do not exist; default: exception 2. */
  readonly refuse?: MeterAnswer;
}

/** Builds a meter with the register map of a shipped profile: it refuses all other registers. */
export function profileMeter(id: string, { values = {}, refuse = 2 }: MeterOptions = {}): FakeMeter {
  const profile = loadProfile(id) as ModbusProfile;
  const cells = new Map<string, number>();
  const model = profile.probe.flatMap((check) =>
    check.register === 'model' && 'values' in check ? check.values : [],
  )[0];
  const all: Values = { ...VALUES, ...(model === undefined ? {} : { model }), ...values };
  for (const range of profile.limits.readable)
    for (let address = range.first; address <= range.last; address++) cells.set(`${range.function} ${address}`, 0);
  for (const register of profile.registers) {
    const bytes = encode(register, all[register.key] ?? 0);
    for (let i = 0; i < register.length; i++)
      cells.set(`${register.function} ${register.address + i}`, (bytes[2 * i] ?? 0) * 256 + (bytes[2 * i + 1] ?? 0));
  }
  return (fn, address, count) => {
    const words = Array.from({ length: count }, (_, i) => cells.get(`${fn} ${address + i}`));
    if (words.some((word) => word === undefined) || count > profile.limits.maxRegisters) return refuse;
    return Uint8Array.from((words as number[]).flatMap((word) => [word >> 8, word & 0xff]));
  };
}

function encode({ type, length, scale, words, bytes }: Register, value: number | string): Uint8Array {
  const out = new Uint8Array(2 * length);
  const view = new DataView(out.buffer);
  if (type === 'text') {
    out.set(new TextEncoder().encode(String(value)).subarray(0, 2 * length));
    return out;
  }
  const raw = (Number(value) * Number(scale.den)) / Number(scale.num);
  if (type === 'f32') view.setFloat32(0, raw);
  else if (type === 'f64') view.setFloat64(0, raw);
  else if (length === 1) view.setUint16(0, Math.round(raw) & 0xffff);
  else if (length === 2) view.setInt32(0, Math.round(raw));
  else view.setBigInt64(0, BigInt(Math.round(raw)));
  const ordered = Array.from({ length }, (_, i) => out.slice(2 * i, 2 * i + 2));
  if (words === 'little') ordered.reverse();
  return Uint8Array.from(ordered.flatMap(([high = 0, low = 0]) => (bytes === 'big' ? [high, low] : [low, high])));
}
