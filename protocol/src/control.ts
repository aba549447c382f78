import { equalBytes } from './bytes.js';
import { type CborValue, decodeCbor, encodeCbor } from './cbor.js';
import type { Signer, Verifier } from './keys.js';
import { Reason, WireError } from './reasons.js';

/**
 * Purposes of signatures beside payloads. Each has its own external_aad [numbers §7], so no reader can mistake a token for an
 * ack, nor either for a payload, whose external_aad is empty.
 */
export const Purpose = {
  signIn: 'gtx/mqtt/1',
  ack: 'gtx/ack/1',
  command: 'gtx/command/1',
  time: 'gtx/time/1',
  cosign: 'gtx/cosign/1',
} as const;
export type Purpose = (typeof Purpose)[keyof typeof Purpose];

const PROTECTED = Uint8Array.of(0xa1, 0x01, 0x27);
/**
 * Bounds a control message in bytes [wire §7.1]. Readers refuse a longer one unread; no other message of the protocol is
 * longer.
 */
export const MAX_CONTROL_BYTES = 65_536;
const text = new TextEncoder();

/** Returns the Sig_structure (RFC 9052, section 4.4) with the purpose as external_aad. */
export function controlSigStructure(purpose: Purpose, content: Uint8Array): Uint8Array {
  return encodeCbor(['Signature1', PROTECTED, text.encode(purpose), content]);
}

/** Returns a COSE_Sign1 (tag 18) over deterministic CBOR for one purpose. */
export function signControl(purpose: Purpose, content: CborValue, signer: Signer): Uint8Array {
  const payload = encodeCbor(content);
  const body = encodeCbor([PROTECTED, new Map(), payload, signer.sign(controlSigStructure(purpose, payload))]);
  const message = new Uint8Array(body.length + 1);
  message[0] = 0xd2;
  message.set(body, 1);
  return message;
}

/**
 * Returns the content of a control message of `purpose` that `publicKey` signed [wire §7.1]. Throws `WireError`: *malformed*
 * for a frame or content outside the specification, *bad signature* for a signature by another key or for another purpose.
 */
export function openControl(
  purpose: Purpose,
  message: Uint8Array,
  publicKey: Uint8Array,
  verifier: Verifier,
): CborValue {
  if (message.length > MAX_CONTROL_BYTES) throw new WireError(Reason.malformed, 'control message above 64 KiB');
  if (message[0] !== 0xd2) throw new WireError(Reason.malformed, 'control message without tag 18');
  const parts = decodeCbor(message.subarray(1));
  if (!Array.isArray(parts) || parts.length !== 4) throw new WireError(Reason.malformed, 'not a COSE_Sign1');
  const [header, unprotected, content, signature] = parts;
  const framed =
    header instanceof Uint8Array &&
    equalBytes(header, PROTECTED) &&
    unprotected instanceof Map &&
    unprotected.size === 0 &&
    content instanceof Uint8Array &&
    signature instanceof Uint8Array &&
    signature.length === 64;
  if (!framed) throw new WireError(Reason.malformed, 'not a COSE_Sign1 with the header {1: -8}');
  if (!verifier.verify(signature, controlSigStructure(purpose, content), publicKey)) {
    throw new WireError(Reason.badSignature, `not signed for ${purpose} by the expected key`);
  }
  return decodeCbor(content);
}
