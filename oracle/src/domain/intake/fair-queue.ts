/** Bounds the waiting messages of one gateway: twice what a gateway has in flight (4,000 backfill readings). */
export const MAX_QUEUED_OF_ONE = 8_000;
/** Bounds all waiting messages: 11 MB at 171 bytes. */
export const MAX_QUEUED = 64_000;

/** A queue entry; `size` is its number of messages. */
export interface Queued {
  readonly size: number;
}

/**
 * Keeps the packets of each gateway in order, and serves the gateways in turn. A single gateway may use all the time;
 * several share it. Both lengths are bounded. The queue refuses a packet without room, and the gateway sends it again.
 */
export class FairQueue<Gateway, Item extends Queued> {
  readonly #waiting = new Map<Gateway, { items: Item[]; at: number; size: number }>();
  #size = 0;

  /** Number of waiting messages. */
  get size(): number {
    return this.#size;
  }

  /** Returns false without room: for this gateway, or in the whole queue while no other gateway has more waiting. */
  add(gateway: Gateway, item: Item): boolean {
    const own = this.#waiting.get(gateway);
    if ((own?.size ?? 0) + item.size > MAX_QUEUED_OF_ONE) return false;
    if (this.#size + item.size > MAX_QUEUED && !this.#makeRoom((own?.size ?? 0) + item.size)) return false;
    if (own) {
      own.items.push(item);
      own.size += item.size;
    } else this.#waiting.set(gateway, { items: [item], at: 0, size: item.size });
    this.#size += item.size;
    return true;
  }

  /** Removes and returns the next entry of the gateway whose turn it is. */
  next(): Item | undefined {
    const first = this.#waiting.entries().next().value;
    if (!first) return undefined;
    const [gateway, own] = first;
    const item = own.items[own.at++];
    this.#waiting.delete(gateway);
    if (!item) return this.next();
    own.size -= item.size;
    this.#size -= item.size;
    if (own.at < own.items.length) {
      // Releases the consumed part now and then, not each time.
      if (own.at > 64 && own.at * 2 > own.items.length) {
        own.items.splice(0, own.at);
        own.at = 0;
      }
      this.#waiting.set(gateway, own);
    }
    return item;
  }

  /** Drops the newest entry of the gateway with the most waiting messages, if these are more than `size`. */
  #makeRoom(size: number): boolean {
    let longest: { items: Item[]; at: number; size: number } | null = null;
    for (const own of this.#waiting.values()) if (!longest || own.size > longest.size) longest = own;
    if (!longest || longest.size <= size) return false;
    const dropped = longest.items.pop();
    if (!dropped) return false;
    longest.size -= dropped.size;
    this.#size -= dropped.size;
    return true;
  }
}
