import { createHash } from 'node:crypto';
import { fromHex, toHex } from '@gridtokenx/protocol';
import type { Random } from '@gridtokenx/runtime/core';
import { HARDWARE_SOURCES, type HardwareNumber, type HardwareSource } from './hardware.js';

/** Ties the keys of a directory to the hardware on which they were made, as gateway.json holds it [gateway §2.5]. */
export interface Binding {
  readonly source: HardwareSource | 'unbound';
  /** Random, hex; absent where unbound. */
  readonly salt?: string;
  /** Hash of salt and number, hex; absent where unbound. */
  readonly hash?: string;
}

/** Binds to the best number; `unbound` where the hardware shows none. */
export function bindTo(hardware: readonly HardwareNumber[], random: Random): Binding {
  const [best] = hardware;
  if (!best) return { source: 'unbound' };
  const salt = random.bytes(16);
  return { source: best.source, salt: toHex(salt), hash: hashOf(salt, best.value) };
}

/** Returns the binding of a key file; `unbound` for files of earlier versions, null for a damaged one. */
export function bindingOf(value: unknown): Binding | null {
  if (value === undefined) return { source: 'unbound' };
  if (value === null || typeof value !== 'object') return null;
  const { source, salt, hash } = value as Record<string, unknown>;
  if (source === 'unbound') return { source };
  const isHex = (text: unknown) => typeof text === 'string' && /^[0-9a-f]{32}$/.test(text);
  const isSource = HARDWARE_SOURCES.some((one) => one === source);
  return isSource && isHex(salt) && isHex(hash) ? (value as Binding) : null;
}

/**
 * Returns true where this hardware has the number of the binding, by any source. A container shows fewer sources than
 * its machine, and the serial number of a Raspberry Pi is both the board's and the CPU's.
 */
export function isBoundHere(binding: Binding, hardware: readonly HardwareNumber[]): boolean {
  const { salt, hash } = binding;
  if (salt === undefined || hash === undefined) return true;
  return hardware.some(({ value }) => hashOf(fromHex(salt), value) === hash);
}

/** The number itself never stands in a file. */
function hashOf(salt: Uint8Array, value: string): string {
  const hash = createHash('sha256').update('gridtokenx/hardware/1\0').update(salt).update(value);
  return toHex(hash.digest().subarray(0, 16));
}
