import { withCrc } from './crc.js';

/** A Modbus TCP message: transaction id, and unit with PDU (Modbus messaging on TCP/IP 1.0b, section 3.1.3). */
export interface MbapMessage {
  readonly transaction: number;
  /** Unit and PDU followed by a CRC, as the frame would stand on a serial line. */
  readonly frame: Uint8Array;
  readonly length: number;
}

const HEADER = 6;
/** Bytes of unit and the largest PDU (253). */
const MOST = 254;

/** Encodes a serial frame as a Modbus TCP message. */
export function toMbap(transaction: number, frame: Uint8Array): Uint8Array {
  const length = frame.length - 2;
  const message = new Uint8Array(HEADER + length);
  message.set([transaction >> 8, transaction & 0xff, 0, 0, length >> 8, length & 0xff]);
  message.set(frame.subarray(0, length), HEADER);
  return message;
}

/**
 * Decodes the message at the start of the bytes; `violation` means that this peer's stream can no longer be trusted.
 */
export function mbapAt(input: Uint8Array): MbapMessage | 'incomplete' | 'violation' {
  if (input.length < HEADER) return 'incomplete';
  const word = (at: number) => ((input[at] as number) << 8) | (input[at + 1] as number);
  const length = word(4);
  if (word(2) !== 0 || length < 3 || length > MOST) return 'violation';
  if (input.length < HEADER + length) return 'incomplete';
  return { transaction: word(0), frame: withCrc(input.subarray(HEADER, HEADER + length)), length: HEADER + length };
}
