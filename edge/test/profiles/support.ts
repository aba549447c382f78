import type { Register, RegisterType } from '../../src/profiles/register.js';
import { TYPE_REGISTERS } from '../../src/profiles/register.js';

/** A register with what a test names and plain values for the rest. */
export function register(part: Partial<Register> & { readonly type: RegisterType }): Register {
  return {
    key: 'import',
    function: 4,
    address: 0,
    length: part.type === 'text' ? 4 : TYPE_REGISTERS[part.type],
    words: 'big',
    bytes: 'big',
    scale: { num: 1n, den: 1n },
    scaleFactor: null,
    positive: 'import',
    notAvailable: [],
    rollover: null,
    stepWh: null,
    source: 'a test',
    ...part,
  };
}

export const LIMITS = {
  maxRegisters: 125,
  align: 1,
  readable: [],
  forbidden: [],
  pauseMs: 0,
  timeoutMinMs: 200,
  quarantineMs: 2_000,
} as const;

export const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
