import { base58Encode } from '@gridtokenx/protocol';
import { provedVerifier } from '@gridtokenx/runtime/node';
import { expect, it } from 'vitest';
import { SeenTokens } from '../src/domain/seen-tokens.js';
import { decideSignIn, ReturnCode, type SignInRequest } from '../src/domain/sign-in.js';
import { BROKER, MemoryKeys, signerOf, tokenFor } from './harness.js';

const NOW_MS = 1_800_000_000_000;
const gateway = signerOf('gateway');
const key = base58Encode(gateway.publicKey);
const whole = (): SignInRequest => ({ clientId: key, userName: key, password: tokenFor(gateway, key, NOW_MS) });

function answerTo(request: SignInRequest) {
  const keys = new MemoryKeys();
  keys.set(gateway, 'gateway');
  const seen = new SeenTokens({ perKey: 8, total: 8 });
  return decideSignIn(request, { broker: BROKER, keys, verifier: provedVerifier(), seen, nowMs: NOW_MS });
}

it('takes a whole request (control of those below)', () => {
  expect(answerTo(whole())).toMatchObject({ accepted: true, key });
});

it.each([
  ['the user name alone', { password: undefined }],
  ['the password alone', { userName: undefined }],
  ['neither', { userName: undefined, password: undefined }],
])('refuses %s as a request without credentials', (_name, change) => {
  expect(answerTo({ ...whole(), ...change })).toMatchObject({
    accepted: false,
    returnCode: ReturnCode.badUserNameOrPassword,
    reason: 'no_credentials',
  });
});
