/** Randomness of the system, or of a seed in tests. */
export interface Random {
  /** `length` bytes, fit for keys and nonces. */
  bytes(length: number): Uint8Array;
  /** From 0 (included) to 1 (excluded); for jitter only. */
  fraction(): number;
}
