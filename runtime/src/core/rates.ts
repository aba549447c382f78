/** A rate for each of many names, in a table of bounded size. */
export interface RateLimits {
  readonly perSecond: number;
  /** Bounds how many may arrive at once after a rest. */
  readonly burst: number;
  /** Bounds the remembered names. The table forgets the name with the oldest activity. */
  readonly names: number;
}

/** Detects names that exceed their rate. A forgotten name begins with a full burst. */
export class Rates {
  readonly #limits: RateLimits;
  readonly #monotonicMs: () => number;
  /** In order of activity, the newest last. */
  readonly #levels = new Map<string, { level: number; atMs: number }>();

  constructor(limits: RateLimits, monotonicMs: () => number) {
    this.#limits = limits;
    this.#monotonicMs = monotonicMs;
  }

  get size(): number {
    return this.#levels.size;
  }

  /** Spends `count` of the rate of `name`. Returns false, and spends nothing, when less is left. */
  allow(name: string, count = 1): boolean {
    const { perSecond, burst, names } = this.#limits;
    const now = this.#monotonicMs();
    const before = this.#levels.get(name);
    const level = before ? Math.min(burst, before.level + ((now - before.atMs) * perSecond) / 1000) : burst;
    const isEnough = level >= count;
    this.#levels.delete(name);
    this.#levels.set(name, { level: isEnough ? level - count : level, atMs: now });
    if (this.#levels.size > names) {
      const [oldest] = this.#levels.keys();
      if (oldest !== undefined) this.#levels.delete(oldest);
    }
    return isEnough;
  }

  forget(name: string): void {
    this.#levels.delete(name);
  }
}
