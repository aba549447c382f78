import { randomBytes } from 'node:crypto';
import type { Randomness } from '../domain/ports.js';

/** The system's randomness. */
export const systemRandom: Randomness = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
  fraction: () => randomBytes(4).readUInt32LE() / 2 ** 32,
};
