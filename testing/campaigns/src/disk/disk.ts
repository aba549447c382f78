import type { Random } from '@gridtokenx/testing-kit/random';
import type { AppendFile, Disk } from '#edge/domain/ports.js';

const SECTOR = 512;

/** The gateway's process is gone: nothing it awaits from the disk comes back, as after a power cut. */
export class PowerCut extends Error {
  override readonly name = 'PowerCut';
  readonly code = 'EPOWER';
}

interface FileState {
  /** What reads show: the page cache. */
  cache: Uint8Array;
  /** What is on the platter for sure. */
  platter: Uint8Array;
  /** Its name is on the platter too. */
  linked: boolean;
}

const grown = (bytes: Uint8Array, length: number) => {
  const made = new Uint8Array(length);
  made.set(bytes.subarray(0, length));
  return made;
};
const folderOf = (path: string) => path.slice(0, path.lastIndexOf('/'));

/**
 * A disk with a page cache. What was written and not synced is, at a power cut, kept or dropped sector by sector (512
 * bytes), each by itself: that drops, tears and reorders. A sector that was dropped below one that was kept reads as it
 * was before, or as zeros where the file had not reached. A new name is gone unless its directory was synced, or by luck.
 * `replace` and `truncate` promise to be durable and whole: cut in the middle they leave the old content or the new.
 */
export class CrashDisk implements Disk {
  readonly #files = new Map<string, FileState>();
  readonly #random: Random;
  /** Counts down with every change; the power goes in the middle of the one at 0. */
  fuse = Number.POSITIVE_INFINITY;
  isOff = false;
  /** Control: a sync that only says that it synced. */
  isLying = false;
  /** Changes until now. */
  changes = 0;
  /** Sectors that cuts have dropped, and those kept although nobody synced them. */
  dropped = 0;
  kept = 0;
  /** Files that were removed: the spool's segments, when all in them is safe elsewhere. */
  removed = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** One change; true when the power goes in the middle of it. */
  #step(): boolean {
    if (this.isOff) throw new PowerCut('the power is off');
    this.changes++;
    return this.fuse-- <= 0;
  }
  #off(): never {
    this.isOff = true;
    throw new PowerCut('the power went');
  }

  /** The power is gone and comes back: memory holds what the platter kept. */
  restart(): void {
    this.isOff = false;
    this.fuse = Number.POSITIVE_INFINITY;
    for (const [path, file] of this.#files) {
      if (!file.linked && this.#random.chance(0.5)) {
        this.#files.delete(path);
        continue;
      }
      file.platter = this.#survivor(file);
      file.cache = file.platter.slice();
      file.linked = true;
    }
  }

  #survivor({ cache, platter }: FileState): Uint8Array {
    const before = grown(platter, cache.length);
    const result = before.slice();
    const chance = this.#random.pick([0, 0.3, 0.5, 0.7, 1]);
    let length = platter.length;
    for (let at = 0; at < cache.length; at += SECTOR) {
      const end = Math.min(at + SECTOR, cache.length);
      const isChanged = end > platter.length || Buffer.compare(cache.subarray(at, end), before.subarray(at, end)) !== 0;
      if (!isChanged) continue;
      if (!this.#random.chance(chance)) {
        this.dropped++;
        continue;
      }
      this.kept++;
      result.set(cache.subarray(at, end), at);
      length = Math.max(length, end);
    }
    // The length is a write of its own: it may have come although the sectors did not.
    if (cache.length > length && this.#random.chance(0.3)) length = this.#random.int(length, cache.length);
    return result.slice(0, length);
  }

  async makeDir(): Promise<void> {
    if (this.isOff) throw new PowerCut('the power is off');
  }
  async list(path: string): Promise<string[]> {
    const names = [...this.#files.keys()].filter((name) => folderOf(name) === path);
    return names.map((name) => name.slice(path.length + 1)).sort();
  }
  async read(path: string): Promise<Uint8Array | null> {
    if (this.isOff) throw new PowerCut('the power is off');
    return this.#files.get(path)?.cache.slice() ?? null;
  }
  async readAt(path: string, offset: number, length: number): Promise<Uint8Array> {
    return this.#files.get(path)?.cache.slice(offset, offset + length) ?? new Uint8Array(0);
  }

  async openAppend(path: string): Promise<AppendFile> {
    const isCut = this.#step();
    const found = this.#files.get(path) ?? { cache: new Uint8Array(0), platter: new Uint8Array(0), linked: false };
    this.#files.set(path, found);
    if (isCut) this.#off();
    return {
      append: async (bytes) => {
        const isCutNow = this.#step();
        const taken = isCutNow ? bytes.subarray(0, this.#random.int(0, bytes.length)) : bytes;
        const cache = grown(found.cache, found.cache.length + taken.length);
        cache.set(taken, found.cache.length);
        found.cache = cache;
        if (isCutNow) this.#off();
      },
      sync: async () => {
        // Cut before the sync is through: what is on the platter is anybody's guess.
        if (this.#step()) this.#off();
        if (!this.isLying) found.platter = found.cache.slice();
      },
      close: async () => {},
    };
  }

  async truncate(path: string, length: number): Promise<void> {
    const isCut = this.#step();
    const file = this.#files.get(path);
    if (!file) throw Object.assign(new Error(`${path} is not there`), { code: 'ENOENT' });
    if (!isCut || this.#random.chance(0.5)) {
      file.cache = file.cache.slice(0, length);
      file.platter = file.cache.slice();
    }
    if (isCut) this.#off();
  }

  async replace(path: string, bytes: Uint8Array): Promise<void> {
    const isCut = this.#step();
    if (!isCut || this.#random.chance(0.5))
      this.#files.set(path, { cache: bytes.slice(), platter: bytes.slice(), linked: true });
    if (isCut) this.#off();
  }

  async remove(path: string): Promise<void> {
    if (this.#step()) this.#off();
    if (this.#files.delete(path)) this.removed++;
  }
  async syncDir(path: string): Promise<void> {
    if (this.#step()) this.#off();
    if (this.isLying) return;
    for (const [name, file] of this.#files) if (folderOf(name) === path) file.linked = true;
  }
}
