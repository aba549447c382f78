import { sha256 } from './bytes.js';

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/**
 * Returns the root of an RFC 6962 (section 2.1) Merkle tree over `leaves` in order, 32 bytes. Leaf = SHA-256(00 | data), node =
 * SHA-256(01 | left | right), the empty tree = SHA-256 of nothing [wire §4.9].
 */
export function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const builder = new MerkleBuilder();
  for (const leaf of leaves) builder.add(leaf);
  return builder.root();
}

/** A whole subtree: its hash of 32 bytes, and its number of leaves, a power of two. */
export interface MerkleSubtree {
  readonly hash: Uint8Array;
  readonly size: number;
}

/** Builds the same root leaf by leaf with O(log n) memory, so that a gateway need not hold a window's readings. */
export class MerkleBuilder {
  readonly #stack: MerkleSubtree[];
  #count: number;

  /** Continues from the `subtrees` of another builder. Throws `RangeError` for subtrees that no builder has. */
  constructor(subtrees: readonly MerkleSubtree[] = []) {
    let above = Number.POSITIVE_INFINITY;
    for (const { hash, size } of subtrees) {
      const isPower = Number.isSafeInteger(size) && size > 0 && Number.isInteger(Math.log2(size));
      if (hash.length !== 32 || !isPower || size >= above) throw new RangeError(`a subtree of ${size} leaves`);
      above = size;
    }
    this.#stack = [...subtrees];
    this.#count = subtrees.reduce((sum, { size }) => sum + size, 0);
  }

  /** Returns the subtrees from left to right, from which another builder can continue. */
  get subtrees(): readonly MerkleSubtree[] {
    return this.#stack;
  }

  get count(): number {
    return this.#count;
  }

  add(leaf: Uint8Array): void {
    this.#count++;
    let entry = { hash: sha256(LEAF, leaf), size: 1 };
    // Equal sizes join at once; this is the largest-power-of-two split of RFC 6962 read from the left.
    for (let top = this.#stack.at(-1); top && top.size === entry.size; top = this.#stack.at(-1)) {
      this.#stack.pop();
      entry = { hash: sha256(NODE, top.hash, entry.hash), size: 2 * entry.size };
    }
    this.#stack.push(entry);
  }

  root(): Uint8Array {
    const last = this.#stack.at(-1);
    if (!last) return sha256();
    let hash = last.hash;
    for (let i = this.#stack.length - 2; i >= 0; i--) {
      const left = this.#stack[i];
      if (left) hash = sha256(NODE, left.hash, hash);
    }
    return hash;
  }
}
