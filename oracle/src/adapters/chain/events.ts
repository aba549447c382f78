import { eventDiscriminator, idl } from '@gridtokenx/chain-client';
import { asWindow } from '@gridtokenx/protocol';
import type { AttestedEvent } from '../../domain/settlement/ports.js';

const PREFIX = 'Program data: ';
const SLOTS = 256;
const DISCRIMINATOR_BYTES = 8;

/** Bytes of the IDL's fixed-size types. */
function sizeOf(type: unknown): number {
  if (typeof type === 'string') return Number(type.slice(1)) / 8;
  const { array } = type as { array: [string, number] };
  return sizeOf(array[0]) * array[1];
}

/** Where each field of PageAttested lies; fixed sizes are packed. Taken from the committed IDL, which a test compares. */
function layout(): { offsets: ReadonlyMap<string, number>; length: number } {
  const type = idl.oracle.types.find(({ name }) => name === 'PageAttested')?.type;
  const offsets = new Map<string, number>();
  let at = DISCRIMINATOR_BYTES;
  for (const field of (type as { fields: { name: string; type: unknown }[] } | undefined)?.fields ?? []) {
    offsets.set(field.name, at);
    at += sizeOf(field.type);
  }
  return { offsets, length: at };
}

const { offsets, length } = layout();
const discriminator = eventDiscriminator('PageAttested');

function at(name: string): number {
  const offset = offsets.get(name);
  if (offset === undefined) throw new Error(`the IDL has no PageAttested.${name}`);
  return offset;
}

/** The PageAttested event in a transaction's log lines, or null. */
export function attestedEvent(logs: readonly string[]): AttestedEvent | null {
  for (const line of logs) {
    if (!line.startsWith(PREFIX)) continue;
    const bytes = Buffer.from(line.slice(PREFIX.length), 'base64');
    if (bytes.length !== length || !discriminator.every((byte, i) => bytes[i] === byte)) continue;
    const isSkipped = (slot: number) => ((bytes[at('skipped') + (slot >> 3)] ?? 0) >> (slot & 7)) & 1;
    return {
      version: bytes.readBigUInt64LE(at('version')),
      window: asWindow(bytes.readUInt32LE(at('window'))),
      skipped: new Set(Array.from({ length: SLOTS }, (_, slot) => slot).filter(isSkipped)),
      history: new Uint8Array(bytes.subarray(at('history'), at('history') + 32)),
    };
  }
  return null;
}
