import { toHex } from '@gridtokenx/protocol';

/** Bounds the number of remembered tokens. */
export interface TokenLimits {
  /** Tokens of one key. */
  readonly perKey: number;
  /** Tokens of all keys. */
  readonly total: number;
}

/** A verified token. Times in seconds since 1970. */
export interface SeenToken {
  readonly nonce: Uint8Array;
  readonly notBefore: number;
  /** From this second on it is refused in any case, leeway included. */
  readonly endsAt: number;
}

interface Memory {
  readonly tokens: Map<string, { notBefore: number; endsAt: number }>;
  /** Tokens that begin no later than this are refused: some of them were forgotten. */
  floor: number;
  /** From this second on all forgotten tokens are expired, so the floor has no more use. Seconds since 1970. */
  floorEndsAt: number;
}

/**
 * Remembers the accepted tokens, so that each is good once. A key that fills its share loses its oldest token. From then on the
 * broker refuses tokens of that age unseen. So a client with a new token for each connect is never locked out, and no token is
 * ever good twice. The process forgets all at its end.
 */
export class SeenTokens {
  readonly #limits: TokenLimits;
  readonly #keys = new Map<string, Memory>();
  #size = 0;

  constructor(limits: TokenLimits) {
    this.#limits = limits;
  }

  /** Number of remembered tokens. */
  get size(): number {
    return this.#size;
  }

  /** Number of keys with remembered tokens. */
  get keys(): number {
    return this.#keys.size;
  }

  /** Remembers the token. Returns false when it was used before, or is older than the memory. */
  use(key: string, token: SeenToken, nowSeconds: number): boolean {
    const memory = this.#keys.get(key) ?? {
      tokens: new Map(),
      floor: Number.NEGATIVE_INFINITY,
      floorEndsAt: Number.NEGATIVE_INFINITY,
    };
    this.#forgetExpired(memory, nowSeconds);
    const nonce = toHex(token.nonce);
    if (memory.tokens.has(nonce) || token.notBefore <= memory.floor) return false;
    if (memory.tokens.size >= this.#limits.perKey) this.#forgetOldest(memory);
    else if (this.#size >= this.#limits.total) this.#makeRoom(nowSeconds);
    if (token.notBefore <= memory.floor) return false;
    memory.tokens.set(nonce, { notBefore: token.notBefore, endsAt: token.endsAt });
    this.#size++;
    this.#keys.set(key, memory);
    return true;
  }

  #forgetExpired(memory: Memory, nowSeconds: number): void {
    for (const [nonce, { endsAt }] of memory.tokens) {
      if (endsAt > nowSeconds) continue;
      memory.tokens.delete(nonce);
      this.#size--;
    }
  }

  /** Drops the tokens that begin first; two may begin in the same second. */
  #forgetOldest(memory: Memory): void {
    const oldest = Math.min(...[...memory.tokens.values()].map(({ notBefore }) => notBefore));
    for (const [nonce, { notBefore, endsAt }] of memory.tokens) {
      if (notBefore > oldest) continue;
      memory.floorEndsAt = Math.max(memory.floorEndsAt, endsAt);
      memory.tokens.delete(nonce);
      this.#size--;
    }
    memory.floor = Math.max(memory.floor, oldest);
  }

  /** Drops expired tokens, and if that is not enough the oldest of the key with the most. */
  #makeRoom(nowSeconds: number): void {
    let fullest: Memory | null = null;
    for (const [key, memory] of this.#keys) {
      this.#forgetExpired(memory, nowSeconds);
      // A key whose tokens were dropped before they expired keeps its floor: else such a token would be good again.
      if (memory.tokens.size === 0 && memory.floorEndsAt <= nowSeconds) this.#keys.delete(key);
      else if (memory.tokens.size > 0 && (!fullest || memory.tokens.size > fullest.tokens.size)) fullest = memory;
    }
    if (this.#size >= this.#limits.total && fullest) this.#forgetOldest(fullest);
  }
}
