import { sha256 } from '@noble/hashes/sha2.js';

const first8 = (name: string) => sha256(new TextEncoder().encode(name)).slice(0, 8);

/** First 8 bytes of SHA-256("global:" + name): opens the data of an instruction. `name` in snake case. */
export const instructionDiscriminator = (name: string): Uint8Array => first8(`global:${name}`);
/** First 8 bytes of SHA-256("account:" + name): opens an account. */
export const accountDiscriminator = (name: string): Uint8Array => first8(`account:${name}`);
/** First 8 bytes of SHA-256("event:" + name): opens an event in the logs. */
export const eventDiscriminator = (name: string): Uint8Array => first8(`event:${name}`);
