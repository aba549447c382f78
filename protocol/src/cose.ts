import { concatBytes, copyBytes } from './bytes.js';
import { PAYLOAD_BYTES } from './payload.js';
import { Reason, WireError } from './reasons.js';

/** Length of a whole signed message in bytes: tag, array head, protected header, empty map, payload, signature. */
export const SIGN1_BYTES = 171;
/** Bounds the messages of one MQTT packet. */
export const MAX_SEQUENCE = 200;

// COSE_Sign1 (RFC 9052, section 4.2), tag 18: D2 | 84 | 43 A1 01 27 | A0 | 58 60 payload | 58 40 signature
const HEAD = Uint8Array.of(0xd2, 0x84, 0x43, 0xa1, 0x01, 0x27, 0xa0, 0x58, 0x60);
const SIGNATURE_HEAD = Uint8Array.of(0x58, 0x40);
const PAYLOAD_AT = HEAD.length;
const SIGNATURE_HEAD_AT = PAYLOAD_AT + PAYLOAD_BYTES;
const SIGNATURE_AT = SIGNATURE_HEAD_AT + SIGNATURE_HEAD.length;

/** The constant start of a payload's Sig_structure: 84 6A "Signature1" 43 A1 01 27 40 58 60. */
export const SIG_PREFIX = concatBytes(
  Uint8Array.of(0x84, 0x6a),
  new TextEncoder().encode('Signature1'),
  Uint8Array.of(0x43, 0xa1, 0x01, 0x27, 0x40, 0x58, 0x60),
);

/** A COSE_Sign1 message of 171 bytes in its parts. Nothing is verified yet. */
export interface Sign1 {
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
}

/** Returns the 115 bytes to sign for a 96-byte payload [wire §3.2]. */
export function sigStructure(payload: Uint8Array): Uint8Array {
  if (payload.length !== PAYLOAD_BYTES) throw new RangeError(`payload of ${payload.length} bytes, expected 96`);
  return concatBytes(SIG_PREFIX, payload);
}

/** Returns the 171-byte message of a payload and its signature. */
export function encodeSign1(payload: Uint8Array, signature: Uint8Array): Uint8Array {
  if (payload.length !== PAYLOAD_BYTES) throw new RangeError(`payload of ${payload.length} bytes, expected 96`);
  if (signature.length !== 64) throw new RangeError(`signature of ${signature.length} bytes, expected 64`);
  return concatBytes(HEAD, payload, SIGNATURE_HEAD, signature);
}

function has(bytes: Uint8Array, at: number, expected: Uint8Array): boolean {
  for (let i = 0; i < expected.length; i++) if (bytes[at + i] !== expected[i]) return false;
  return true;
}

/**
 * Splits a 171-byte message into its parts [wire §3.1]. Throws `WireError` *malformed* for any other length or frame. A message
 * has one encoding, so two readers can never read two messages in the same bytes.
 */
export function parseSign1(message: Uint8Array): Sign1 {
  if (message.length !== SIGN1_BYTES) {
    throw new WireError(Reason.malformed, `message of ${message.length} bytes, expected ${SIGN1_BYTES}`);
  }
  if (!has(message, 0, HEAD) || !has(message, SIGNATURE_HEAD_AT, SIGNATURE_HEAD)) {
    throw new WireError(Reason.malformed, 'not a COSE_Sign1 with the header {1: -8} and a 96-byte payload');
  }
  return { payload: copyBytes(message, PAYLOAD_AT, SIGNATURE_HEAD_AT), signature: copyBytes(message, SIGNATURE_AT) };
}

/**
 * Splits a CBOR sequence (RFC 8742) of n messages, 1 <= n <= 200, into its items [wire §3.3]. Throws `WireError` *malformed*
 * for any length that is not n x 171: then the whole packet is malformed. The caller judges the items one by one.
 */
export function splitSequence(packet: Uint8Array): Uint8Array[] {
  const count = packet.length / SIGN1_BYTES;
  if (!Number.isInteger(count) || count < 1 || count > MAX_SEQUENCE) {
    throw new WireError(Reason.malformed, `packet of ${packet.length} bytes is not 1 to 200 messages of 171 bytes`);
  }
  const items: Uint8Array[] = [];
  for (let i = 0; i < count; i++) items.push(packet.subarray(i * SIGN1_BYTES, (i + 1) * SIGN1_BYTES));
  return items;
}
