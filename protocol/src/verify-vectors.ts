import vectors from '../vectors/verify.json' with { type: 'json' };
import type { VerifyVector } from './keys.js';

/** The golden cases of the signature check. A service proves its verifier on them before it accepts a message. */
export const verifyVectors: readonly VerifyVector[] = vectors.cases;
