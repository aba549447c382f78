import { CborFields, type CborValue } from './cbor.js';
import { openControl, Purpose, signControl } from './control.js';
import type { Signer, Verifier } from './keys.js';
import { Reason, WireError } from './reasons.js';

/** A sign-in token: the MQTT password, new for each connect. Times in unix seconds of the real clock. */
export interface SignInToken {
  readonly broker: string;
  readonly clientId: string;
  readonly notBefore: number;
  readonly expiry: number;
  /** 16 random bytes. */
  readonly nonce: Uint8Array;
}

const KEYS = [1, 2, 3, 4, 5];
/** Bounds a token's life, in s: a day. The broker ends the session at its expiry. */
export const MAX_TOKEN_SECONDS = 86_400;

/** Returns the password for one connect [wire §7.2]. */
export function signToken(token: SignInToken, signer: Signer): Uint8Array {
  const content = new Map<number, CborValue>([
    [1, token.broker],
    [2, token.clientId],
    [3, token.notBefore],
    [4, token.expiry],
    [5, token.nonce],
  ]);
  return signControl(Purpose.signIn, content, signer);
}

/** The part of a signed token that does not hold: made for another broker, a wrong time, or anything else. */
export type TokenFault = 'broker' | 'time' | 'form';

/** Reports a token whose signature holds and whose content does not. */
export class TokenError extends WireError {
  readonly fault: TokenFault;
  constructor(fault: TokenFault, detail: string) {
    super(Reason.malformed, `token: ${detail}`);
    this.fault = fault;
  }
}

/**
 * Opens a token signed by `publicKey`. Checks broker, client and validity at `nowSeconds` (real unix time), with
 * `leewaySeconds` for clocks that differ. Throws `WireError` that names the defect:
 * `TokenError` once the signature holds.
 */
export function openToken(
  message: Uint8Array,
  publicKey: Uint8Array,
  verifier: Verifier,
  expected: { broker: string; clientId: string; nowSeconds: number; leewaySeconds: number },
): SignInToken {
  const fields = new CborFields('token', openControl(Purpose.signIn, message, publicKey, verifier), KEYS);
  const token: SignInToken = {
    broker: fields.text(1, 256),
    clientId: fields.text(2, 256),
    notBefore: fields.safe(3),
    expiry: fields.safe(4),
    nonce: fields.bytes(5, 16),
  };
  const refuse = (detail: string, fault: TokenFault = 'form') => new TokenError(fault, detail);
  if (token.broker !== expected.broker) throw refuse('made for another broker', 'broker');
  if (token.clientId !== expected.clientId) throw refuse('made for another client id');
  if (token.expiry <= token.notBefore || token.expiry - token.notBefore > MAX_TOKEN_SECONDS) {
    throw refuse('validity is not between 1 second and 1 day');
  }
  if (expected.nowSeconds + expected.leewaySeconds < token.notBefore) throw refuse('not valid yet', 'time');
  if (expected.nowSeconds - expected.leewaySeconds >= token.expiry) throw refuse('expired', 'time');
  return token;
}
