import { createCipheriv, createDecipheriv } from 'node:crypto';
import { fromHex, toHex } from '@gridtokenx/protocol';
import type { Random } from '@gridtokenx/runtime/core';
import { argon2id } from '@gridtokenx/runtime/node';

/** A seed under a passphrase, as a key file of version 2 holds it [gateway §2.4]. Bytes are lower-case hex. */
export interface SealedSeed {
  readonly kdf: 'argon2id';
  readonly passes: number;
  readonly memory_kib: number;
  readonly salt: string;
  readonly cipher: 'aes-256-gcm';
  readonly nonce: string;
  /** The 32 bytes of the seed, encrypted, and the 16 bytes of the tag. */
  readonly box: string;
}

interface Cost {
  readonly passes: number;
  readonly memory_kib: number;
}

/** Cost of one guess: about 0.1 s on a desktop, 1 s on a small board, and 64 MiB, which the gateway frees again. */
const COST: Cost = { passes: 3, memory_kib: 65_536 };
/** Bounds for costs in a file: a hostile file must not exhaust the machine. */
const MAX_PASSES = 20;
const MAX_MEMORY_KIB = 1_048_576;
const SEED_BYTES = 32;
const TAG_BYTES = 16;
const PURPOSE = 'gridtokenx/key-file/2';

/**
 * Seals and opens seeds under one passphrase. Files of one directory share the salt of the passphrase, so a start
 * computes one key; each file has a nonce of its own.
 */
export class KeySealer {
  readonly #passphrase: Uint8Array;
  readonly #random: Random;
  /** Names the passphrase in messages: a file, or a credential. */
  readonly source: string;
  readonly #cost: Cost;
  readonly #keys = new Map<string, Uint8Array>();
  #hasOpened = false;

  /** `cost` of new files; tests lower it. */
  constructor(passphrase: Uint8Array, source: string, random: Random, cost = COST) {
    this.#cost = cost;
    this.#passphrase = passphrase;
    this.source = source;
    this.#random = random;
  }

  /** True when the passphrase opened a box: then a box that it does not open is damaged. */
  get hasOpened(): boolean {
    return this.#hasOpened;
  }

  seal(seed: Uint8Array, publicKey: Uint8Array): SealedSeed {
    const suffix = suffixOf(this.#cost);
    const known = [...this.#keys.keys()].find((name) => name.endsWith(suffix));
    const salt = known?.slice(0, -suffix.length) ?? toHex(this.#random.bytes(16));
    const terms = { ...this.#cost, salt };
    const nonce = this.#random.bytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.#keyOf(terms), nonce).setAAD(contextOf(publicKey));
    const box = Buffer.concat([cipher.update(seed), cipher.final(), cipher.getAuthTag()]);
    return { kdf: 'argon2id', ...terms, cipher: 'aes-256-gcm', nonce: toHex(nonce), box: toHex(box) };
  }

  /** Returns the seed; null for another passphrase, or for a box that was changed. */
  open(sealed: SealedSeed, publicKey: Uint8Array): Uint8Array | null {
    const box = fromHex(sealed.box);
    const decipher = createDecipheriv('aes-256-gcm', this.#keyOf(sealed), fromHex(sealed.nonce));
    decipher.setAAD(contextOf(publicKey)).setAuthTag(box.subarray(SEED_BYTES));
    try {
      const seed = Buffer.concat([decipher.update(box.subarray(0, SEED_BYTES)), decipher.final()]);
      this.#hasOpened = true;
      return new Uint8Array(seed);
    } catch {
      return null;
    }
  }

  #keyOf({ salt, ...cost }: Cost & { readonly salt: string }): Uint8Array {
    const name = `${salt}${suffixOf(cost)}`;
    const known = this.#keys.get(name);
    if (known) return known;
    const key = argon2id(this.#passphrase, fromHex(salt), { passes: cost.passes, memoryKib: cost.memory_kib });
    this.#keys.set(name, key);
    return key;
  }
}

const suffixOf = ({ passes, memory_kib: kib }: Cost) => `/${passes}/${kib}`;

/** Binds a box to the key that it belongs to: a box moved to another file does not open. */
function contextOf(publicKey: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${PURPOSE}\0`), publicKey]);
}

/** Returns the sealed seed of a key file; null for a value of another form, or with a cost out of bounds. */
export function sealedSeedOf(value: unknown): SealedSeed | null {
  if (value === null || typeof value !== 'object') return null;
  const { kdf, passes, memory_kib: kib, salt, cipher, nonce, box } = value as Record<string, unknown>;
  const isHex = (text: unknown, bytes: number) =>
    typeof text === 'string' && text.length === 2 * bytes && /^[0-9a-f]*$/.test(text);
  const isIn = (number: unknown, min: number, max: number) =>
    Number.isInteger(number) && (number as number) >= min && (number as number) <= max;
  const isKnown = kdf === 'argon2id' && cipher === 'aes-256-gcm';
  const isBounded = isIn(passes, 1, MAX_PASSES) && isIn(kib, 8, MAX_MEMORY_KIB);
  const isWhole = isHex(salt, 16) && isHex(nonce, 12) && isHex(box, SEED_BYTES + TAG_BYTES);
  return isKnown && isBounded && isWhole ? (value as SealedSeed) : null;
}
