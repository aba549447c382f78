import { sha256, toHex } from '../../src/index.js';

const text = new TextEncoder();
/** Makes `length` bytes as hex from a name, so that every field of a case differs from the others. */
export const hex = (name: string, length: number) => toHex(sha256(text.encode(name)).slice(0, length));
