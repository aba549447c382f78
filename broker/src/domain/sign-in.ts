import { openToken, publicKeyFromBase58, TokenError, type Verifier, WireError } from '@gridtokenx/protocol';
import type { KeyDirectory, KeyRecord } from '../ports.js';
import type { SeenTokens } from './seen-tokens.js';

/** Bounds the difference between the clocks of gateways and brokers, in s. */
export const LEEWAY_SECONDS = 60;

/** CONNACK return codes of MQTT 3.1.1 (section 3.2.2.3). */
export const ReturnCode = {
  identifierRejected: 2,
  serverUnavailable: 3,
  badUserNameOrPassword: 4,
  notAuthorised: 5,
} as const;
export type ReturnCode = (typeof ReturnCode)[keyof typeof ReturnCode];

/** The facts that a CONNECT packet states about the client; all of it untrusted. */
export interface SignInRequest {
  readonly clientId: string;
  readonly userName: string | undefined;
  readonly password: Uint8Array | undefined;
}

export type SignInAnswer =
  | { readonly accepted: true; readonly key: string; readonly record: KeyRecord; readonly endsAtMs: number }
  | {
      readonly accepted: false;
      readonly returnCode: ReturnCode;
      /** Stable word for metrics. */
      readonly reason: string;
      readonly detail: string;
    };

/**
 * Decides on a sign-in [wire §6.4]. The user name is the public key in base58. The password is a token that this key signed for
 * this broker and client id. A client id is the key itself, or the key, a slash and anything: so nobody can end the session of
 * another. A client whose signature holds learns by the return code whether the broker's name or the time is wrong.
 * A token is good once: `seen` remembers an accepted one. Never throws.
 */
export function decideSignIn(
  request: SignInRequest,
  parts: { broker: string; keys: KeyDirectory; verifier: Verifier; seen: SeenTokens; nowMs: number },
): SignInAnswer {
  const key = request.userName;
  if (request.clientId === '')
    return refuse(ReturnCode.identifierRejected, 'empty_client_id', 'the client id is empty');
  if (key === undefined || request.password === undefined) {
    return refuse(ReturnCode.badUserNameOrPassword, 'no_credentials', 'user name or password is missing');
  }
  const publicKey = parseKey(key);
  if (!publicKey) return refuse(ReturnCode.badUserNameOrPassword, 'bad_user_name', 'the user name is no public key');
  if (request.clientId !== key && !request.clientId.startsWith(`${key}/`)) {
    return refuse(ReturnCode.identifierRejected, 'foreign_client_id', 'the client id does not start with the key');
  }
  const record = parts.keys.find(key);
  if (!record) return refuse(ReturnCode.notAuthorised, 'unknown_key', 'the key is not in the list of keys');
  if (record.status === 'revoked') return refuse(ReturnCode.notAuthorised, 'revoked_key', 'the key is revoked');
  const nowSeconds = Math.floor(parts.nowMs / 1000);
  try {
    const token = openToken(request.password, publicKey, parts.verifier, {
      broker: parts.broker,
      clientId: request.clientId,
      nowSeconds,
      leewaySeconds: LEEWAY_SECONDS,
    });
    // A token that is valid only by the leeway ends with the leeway.
    const expiresAtMs = token.expiry * 1000;
    const endsAtMs = expiresAtMs > parts.nowMs ? expiresAtMs : expiresAtMs + LEEWAY_SECONDS * 1000;
    const { nonce, notBefore } = token;
    if (!parts.seen.use(key, { nonce, notBefore, endsAt: token.expiry + LEEWAY_SECONDS }, nowSeconds)) {
      return refuse(ReturnCode.badUserNameOrPassword, 'used_token', 'the token was used before: make a new one');
    }
    return { accepted: true, key, record, endsAtMs };
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    const fault = error instanceof TokenError ? error.fault : 'form';
    if (fault === 'broker') return refuse(ReturnCode.identifierRejected, 'other_broker', error.message);
    if (fault === 'time') return refuse(ReturnCode.badUserNameOrPassword, 'wrong_time', error.message);
    return refuse(ReturnCode.badUserNameOrPassword, 'bad_token', error.message);
  }
}

function parseKey(text: string): Uint8Array | null {
  try {
    return publicKeyFromBase58(text);
  } catch {
    return null;
  }
}

function refuse(returnCode: ReturnCode, reason: string, detail: string): SignInAnswer {
  return { accepted: false, returnCode, reason, detail };
}
