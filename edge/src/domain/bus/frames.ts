import { hasCrc, withCrc } from './crc.js';

export type ReadFunction = 3 | 4;

/** A request for registers; the reply is 5 + 2 x count bytes. */
export interface ReadRequest {
  readonly unit: number;
  readonly fn: ReadFunction;
  /** Of the first register, from 0. */
  readonly address: number;
  readonly count: number;
}

/** The request on the line, 8 bytes. */
export function requestFrame({ unit, fn, address, count }: ReadRequest): Uint8Array {
  return withCrc(Uint8Array.of(unit, fn, address >> 8, address & 0xff, count >> 8, count & 0xff));
}

export const requestLength = 8;
export const replyLength = (count: number): number => 5 + 2 * count;

/** A whole frame with a right CRC. `length` bytes of the input belong to it. */
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
  /** A request, or the answer to a write, which looks like one: of another master, or our own as an echo. */
  | { readonly type: 'request'; readonly unit: number; readonly fn: number; readonly length: number };

export type Found = Frame | 'incomplete' | 'garbage';

/** What would be the answer at this moment; null between requests. */
export type Wanted = Pick<ReadRequest, 'unit' | 'fn' | 'count'> | null;

/**
 * What stands at the start of the bytes, by length and CRC only: nothing is searched inside. What begins like the wanted
 * answer is that answer or garbage, because a shorter frame inside it could be chance.
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

/** Lengths that a frame with this start may have; of requests and answers of the functions that are in use. */
function possibleLengths(input: Uint8Array, code: number, third: number): number[] {
  if (code >= 0x80) return [5];
  if (isReadCode(code)) return [5 + third, requestLength];
  if (code === 5 || code === 6) return [requestLength];
  if (code === 15 || code === 16) return input.length < 7 ? [requestLength] : [requestLength, 9 + (input[6] as number)];
  // A function that is not in use here: its length is not known, and the frame ends with the silence.
  return [Math.min(256, Math.max(5, input.length))];
}

/** Whether `input` begins with all of `frame`, or is its beginning. */
export function startsLike(input: Uint8Array, frame: Uint8Array): 'all' | 'part' | 'no' {
  const length = Math.min(input.length, frame.length);
  for (let i = 0; i < length; i++) if (input[i] !== frame[i]) return 'no';
  return input.length >= frame.length ? 'all' : 'part';
}
