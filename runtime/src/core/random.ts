/** Randomness of the system, or from a seed in tests. */
export interface Random {
  /** Returns `length` bytes, fit for keys and nonces. */
  bytes(length: number): Uint8Array;
  /** Returns a number from 0 (included) to 1 (excluded); for jitter only. */
  fraction(): number;
}

/** Numbers that follow from a seed alone, for simulations and tests: a Weyl sequence behind an avalanche of 32 bits. */
export class SeededRandom implements Random {
  #state: number;

  /** `seed`: any integer; only its lowest 32 bits count. */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  fraction(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
  }

  /** Returns an integer from `low` to `high`, both inclusive. */
  int(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low + 1));
  }

  /** Returns bytes for trials: anybody who knows the seed knows them. */
  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.int(0, 255));
  }
}
