import type { ReadLimits } from '../../src/profiles/profile.js';
import { ONE } from '../../src/profiles/rational.js';
import { type Register, type RegisterKey, type RegisterType, TYPE_REGISTERS } from '../../src/profiles/register.js';

/** Builds a register for tests: a u16 holding register unless `over` says otherwise. */
export function registerAt(key: RegisterKey, address: number, over: Partial<Register> = {}): Register {
  const type: RegisterType = over.type ?? 'u16';
  return {
    key,
    function: 3,
    address,
    length: type === 'text' ? 1 : TYPE_REGISTERS[type],
    type,
    words: 'big',
    bytes: 'big',
    scale: ONE,
    scaleFactor: null,
    positive: 'import',
    notAvailable: [],
    rollover: null,
    stepWh: null,
    source: 'test',
    ...over,
  };
}

/** Builds limits for tests: every register from 0 to 999 of both functions may be read, 125 at once. */
export function limitsOf(over: Partial<ReadLimits> = {}): ReadLimits {
  return {
    maxRegisters: 125,
    align: 1,
    readable: [
      { function: 3, first: 0, last: 999 },
      { function: 4, first: 0, last: 999 },
    ],
    forbidden: [],
    pauseMs: 0,
    timeoutMinMs: 200,
    quarantineMs: 2_000,
    ...over,
  };
}

/** Encodes an integer as a meter with this order sends it: written independently of the decoder. */
export function sentBytes(raw: bigint, length: number, words: 'big' | 'little', order: 'big' | 'little'): Uint8Array {
  const list: number[][] = [];
  let rest = BigInt.asUintN(16 * length, raw);
  for (let i = 0; i < length; i++) {
    const word = Number(rest & 0xffffn);
    list.unshift(order === 'big' ? [word >> 8, word & 0xff] : [word & 0xff, word >> 8]);
    rest >>= 16n;
  }
  return Uint8Array.from((words === 'big' ? list : list.reverse()).flat());
}
