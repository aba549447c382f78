import { hasCrc, withCrc } from './crc.js';

export type ReadFunction = 3 | 4;

/** A request for registers; the reply is 5 + 2 x count bytes. */
export interface ReadRequest {
  readonly unit: number;
  readonly fn: ReadFunction;
  /** Address of the first register, from 0. */
  readonly address: number;
  readonly count: number;
}

/** Encodes the request as it stands on the line, 8 bytes. */
export function requestFrame({ unit, fn, address, count }: ReadRequest): Uint8Array {
  return withCrc(Uint8Array.of(unit, fn, address >> 8, address & 0xff, count >> 8, count & 0xff));
}

export const requestLength = 8;
export const replyLength = (count: number): number => 5 + 2 * count;

/** A whole frame with a valid CRC, which occupies `length` bytes of the input. */
export type Frame =
  | {
      readonly type: 'reply';
      readonly unit: number;
      readonly fn: number;
      readonly bytes: number;
      readonly length: number;
    }
  | {
      readonly type: 'exception';
      readonly unit: number;
      readonly fn: number;
      readonly code: number;
      readonly length: number;
    }
  /** A request, or the reply to a write, which has the same form: from a second master, or the echo of our own. */
  | { readonly type: 'request'; readonly unit: number; readonly fn: number; readonly length: number };

export type Found = Frame | 'incomplete' | 'garbage';

/** The reply that would be the answer now; null between requests. */
export type Wanted = Pick<ReadRequest, 'unit' | 'fn' | 'count'> | null;

/**
 * Identifies the frame at the start of the bytes, by length and CRC only; it does not search inside. Bytes that begin
 * like the wanted reply are that reply or garbage, because a shorter frame inside could be chance.
 */
export function frameAt(input: Uint8Array, wanted: Wanted): Found {
  if (input.length < 3) return 'incomplete';
  const [unit, code, third] = input as unknown as [number, number, number];
  if (wanted && unit === wanted.unit && code === wanted.fn && third === 2 * wanted.count) {
    const length = replyLength(wanted.count);
    if (input.length < length) return 'incomplete';
    return hasCrc(input, length) ? { type: 'reply', unit, fn: code, bytes: third, length } : 'garbage';
  }
  const lengths = possibleLengths(input, code, third);
  for (const length of lengths) {
    if (!hasCrc(input, length)) continue;
    if (code >= 0x80) return { type: 'exception', unit, fn: code - 0x80, code: third, length };
    if (isReadCode(code) && length === 5 + third) return { type: 'reply', unit, fn: code, bytes: third, length };
    return { type: 'request', unit, fn: code, length };
  }
  return lengths.some((length) => length > input.length) ? 'incomplete' : 'garbage';
}

const isReadCode = (code: number) => code >= 1 && code <= 4;

/** Returns the lengths that a frame with this start may have, over requests and replies of the functions in use. */
function possibleLengths(input: Uint8Array, code: number, third: number): number[] {
  if (code >= 0x80) return [5];
  if (isReadCode(code)) return [5 + third, requestLength];
  if (code === 5 || code === 6) return [requestLength];
  if (code === 15 || code === 16) return input.length < 7 ? [requestLength] : [requestLength, 9 + (input[6] as number)];
  // The length of a function not in use here is unknown: its frame ends with the silence.
  return [Math.min(256, Math.max(5, input.length))];
}

/**
 * Compares the start of `input` with `frame`: `all` when it begins with the whole frame, `part` when it is a beginning.
 */
export function startsLike(input: Uint8Array, frame: Uint8Array): 'all' | 'part' | 'no' {
  const length = Math.min(input.length, frame.length);
  for (let i = 0; i < length; i++) if (input[i] !== frame[i]) return 'no';
  return input.length >= frame.length ? 'all' : 'part';
}
