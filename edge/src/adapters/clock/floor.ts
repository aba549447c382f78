import type { Disk } from '../../domain/ports.js';

/** Least time between two writes to the card, ms. */
const KEEP_MS = 3_600_000;

/**
 * A moment that the true time is not below: the later of the software's build and the last time that was stored while
 * the time was known [gateway §10.2]. Milliseconds since 1970.
 */
export class FloorTime {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #builtAtMs: number;
  #storedAtMs: number;

  private constructor(disk: Disk, path: string, builtAtMs: number, storedAtMs: number) {
    this.#disk = disk;
    this.#path = path;
    this.#builtAtMs = builtAtMs;
    this.#storedAtMs = storedAtMs;
  }

  /** Reads what was stored; a damaged file counts as none. Rejects with the disk's error. */
  static async open(disk: Disk, path: string, builtAtMs: number): Promise<FloorTime> {
    const bytes = await disk.read(path);
    let storedAtMs = 0;
    try {
      const found = JSON.parse(Buffer.from(bytes ?? '').toString('utf8')) as { version?: unknown; time_ms?: unknown };
      if (found.version === 1 && Number.isSafeInteger(found.time_ms)) storedAtMs = found.time_ms as number;
    } catch {
      // The build's moment is left.
    }
    return new FloorTime(disk, path, builtAtMs, storedAtMs);
  }

  get ms(): number {
    return Math.max(this.#builtAtMs, this.#storedAtMs);
  }

  /**
   * Stores a time that the present is certainly not before, at most once an hour. Null: the time is not known, and nothing
   * rises. A lower time than the stored one changes nothing.
   */
  async raise(earliestMs: number | null): Promise<void> {
    if (earliestMs !== null && earliestMs - this.#storedAtMs >= KEEP_MS) await this.#store(earliestMs);
  }

  /** Stores the time of an oracle's nonce-bound answer where the stored time is above it: that one was wrong. */
  async lower(latestMs: number): Promise<void> {
    if (this.#storedAtMs > latestMs) await this.#store(latestMs);
  }

  async #store(timeMs: number): Promise<void> {
    const text = `${JSON.stringify({ version: 1, time_ms: Math.floor(timeMs) })}\n`;
    await this.#disk.replace(this.#path, Buffer.from(text));
    this.#storedAtMs = Math.floor(timeMs);
  }
}
