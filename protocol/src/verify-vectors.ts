import vectors from '../vectors/verify.json' with { type: 'json' };
import type { VerifyVector } from './keys.js';

/** The golden cases of the signature check; a service proves its verifier on them before it takes a message. */
export const verifyVectors: readonly VerifyVector[] = vectors.cases;
