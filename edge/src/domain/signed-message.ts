import {
  asMeterId,
  decodePayload,
  encodeSign1,
  type MeterId,
  type Payload,
  parseSign1,
  type Signer,
  sigStructure,
  WireError,
} from '@gridtokenx/protocol';

/** Offsets of fields that every payload has [wire §4.1]. */
const KIND_AT = 3;
const METER_AT = 12;
const SEQ_AT = 28;

/** Identifies a message in the journal of its key. */
export interface MessageHead {
  readonly meterId: MeterId;
  /** A `Kind`, or a kind of a later version. */
  readonly kind: number;
  readonly seq: bigint;
}

/** A message that this gateway signed, for one of its meters or points. */
export interface SignedMessage extends MessageHead {
  /** The 96 bytes under the signature. */
  readonly payload: Uint8Array;
  /** The 171 bytes that are sent. */
  readonly bytes: Uint8Array;
}

/** Reads the head of a 96-byte payload and checks nothing else. */
export function headOf(payload: Uint8Array): MessageHead {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  return {
    meterId: asMeterId(payload.subarray(METER_AT, METER_AT + 16)),
    kind: view.getUint8(KIND_AT),
    seq: view.getBigUint64(SEQ_AT, true),
  };
}

/** Signs a 96-byte payload. Throws `RangeError` for another length. */
export function signMessage(payload: Uint8Array, signer: Signer): SignedMessage {
  const bytes = encodeSign1(payload, signer.sign(sigStructure(payload)));
  return { ...headOf(payload), payload, bytes };
}

/** Parses bytes of this gateway's own disk as a message; null when they are none. */
export function readSigned(bytes: Uint8Array): SignedMessage | null {
  try {
    const { payload } = parseSign1(bytes);
    return { ...headOf(payload), payload, bytes };
  } catch (error) {
    if (error instanceof WireError) return null;
    throw error;
  }
}

/** Decodes a message's content; null for a kind or a version that this software does not know. */
export function contentOf({ payload }: SignedMessage): Payload | null {
  try {
    return decodePayload(payload);
  } catch (error) {
    if (error instanceof WireError) return null;
    throw error;
  }
}
