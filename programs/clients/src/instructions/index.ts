import { signedMessageVerification } from './ed25519.js';
import * as energyToken from './energy-token.js';
import * as oracle from './oracle.js';
import * as registry from './registry.js';

/** A builder for each instruction of the three programs, and for the two that must stand beside them. */
export const instructions = { ...registry, ...oracle, ...energyToken, signedMessageVerification } as const;
