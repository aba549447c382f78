import { equalBytes } from './bytes.js';
import { CborFields, type CborValue } from './cbor.js';
import { openControl, Purpose, signControl } from './control.js';
import type { Signer, Verifier } from './keys.js';
import { Reason, WireError } from './reasons.js';

/** Length of the nonce that a time request carries. */
export const TIME_NONCE_BYTES = 16;

/**
 * Returns the oracle's answer to `POST /time` with a 16-byte nonce as body [wire §7.7]. `timeMs` in milliseconds since 1970,
 * UTC.
 */
export function signTime(answer: { timeMs: number; nonce: Uint8Array }, signer: Signer): Uint8Array {
  const content = new Map<number, CborValue>([
    [1, answer.timeMs],
    [2, answer.nonce],
  ]);
  return signControl(Purpose.time, content, signer);
}

/** Returns the time that an oracle signed for exactly this nonce, in milliseconds. Throws `WireError` otherwise. */
export function openTime(message: Uint8Array, oracle: Uint8Array, nonce: Uint8Array, verifier: Verifier): number {
  const fields = new CborFields('time', openControl(Purpose.time, message, oracle, verifier), [1, 2]);
  if (!equalBytes(fields.bytes(2, TIME_NONCE_BYTES), nonce)) {
    throw new WireError(Reason.malformed, 'time: an answer to another request');
  }
  return fields.safe(1);
}
