import type { Disk } from '../../domain/ports.js';

/** Least time between two writes to the card, ms. */
const KEEP_MS = 3_600_000;

/**
 * A moment that the true time is not below: the later of the software's build and the last time that was stored while
 * the clock was right [gateway §10.2]. Milliseconds since 1970.
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

  /** Stores a time that is known to be right, now and then; also one below what is stored, which was wrong then. */
  async keep(nowMs: number): Promise<void> {
    if (Math.abs(nowMs - this.#storedAtMs) < KEEP_MS) return;
    await this.#disk.replace(
      this.#path,
      Buffer.from(`${JSON.stringify({ version: 1, time_ms: Math.floor(nowMs) })}\n`),
    );
    this.#storedAtMs = nowMs;
  }
}
