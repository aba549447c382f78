import type { Limits } from '../../ports.js';

/** Counts the retained messages by topic, so that they stay within their bounds. */
export class RetainedTopics {
  readonly #limits: Pick<Limits, 'retained' | 'retainedBytes'>;
  readonly #bytes = new Map<string, number>();
  #total = 0;

  constructor(limits: Pick<Limits, 'retained' | 'retainedBytes'>) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#bytes.size;
  }

  get bytes(): number {
    return this.#total;
  }

  topics(): Iterable<string> {
    return this.#bytes.keys();
  }

  /** Records a retained message in place of the earlier one. Returns false when there is no room. */
  put(topic: string, payloadBytes: number): boolean {
    const before = this.#bytes.get(topic) ?? 0;
    if (payloadBytes === 0) {
      this.#bytes.delete(topic);
      this.#total -= before;
      return true;
    }
    const bytes = topic.length + payloadBytes;
    const { retained, retainedBytes } = this.#limits;
    if (this.#total - before + bytes > retainedBytes) return false;
    if (before === 0 && this.#bytes.size >= retained) return false;
    this.#bytes.set(topic, bytes);
    this.#total += bytes - before;
    return true;
  }
}
