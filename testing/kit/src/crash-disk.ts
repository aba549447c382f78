import type { AppendFile, Disk } from '#edge/domain/ports.js';
import type { Random } from './random.js';

const SECTOR = 512;

/** The gateway's process is gone: nothing it awaits from the disk comes back, as after a power cut. */
export class PowerCut extends Error {
  override readonly name = 'PowerCut';
  readonly code = 'EPOWER';
}

export interface FileState {
  /** What reads show: the page cache. */
  cache: Uint8Array;
  /** What is on the platter for sure. */
  platter: Uint8Array;
  /** Its name is on the platter too. */
  linked: boolean;
}

/** What a power cut leaves of what was not synced. */
export interface Fate {
  /** Bytes that reach the cache of an append in whose middle the power goes. */
  taken(length: number): number;
  /** A `replace` or `truncate` in whose middle the power goes is done: each is durable and whole. */
  isDone(): boolean;
  /** A new name whose directory was not synced is there. */
  keepsName(): boolean;
  /** A file's content when the power is back. */
  survivor(file: FileState): Uint8Array;
}

const grown = (bytes: Uint8Array, length: number) => {
  const made = new Uint8Array(length);
  made.set(bytes.subarray(0, length));
  return made;
};
const folderOf = (path: string) => path.slice(0, path.lastIndexOf('/'));

/** Keeps the first `keep(unsynced)` bytes of what was appended and not synced; with `hasGarbage`, the last one damaged. */
export function keepsTail(keep: (unsynced: number) => number, hasGarbage = false): Fate {
  return {
    taken: (length) => length,
    isDone: () => false,
    keepsName: () => false,
    survivor({ cache, platter }) {
      const unsynced = cache.length - platter.length;
      const kept = unsynced > 0 ? keep(unsynced) : 0;
      const left = cache.slice(0, platter.length + kept);
      if (hasGarbage && kept > 0) left[left.length - 1] = (left.at(-1) ?? 0) ^ 0xa5;
      return left;
    },
  };
}

/**
 * Keeps or drops what was not synced sector by sector (512 bytes), each by itself: that drops, tears and reorders. A sector
 * that was dropped below one that was kept reads as it was before, or as zeros where the file had not reached.
 */
export class SectorFate implements Fate {
  readonly #random: Random;
  /** Sectors that cuts have dropped, and those kept although nobody synced them. */
  dropped = 0;
  kept = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  taken(length: number): number {
    return this.#random.int(0, length);
  }
  isDone(): boolean {
    return this.#random.chance(0.5);
  }
  keepsName(): boolean {
    return !this.#random.chance(0.5);
  }

  survivor({ cache, platter }: FileState): Uint8Array {
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
}

/**
 * A disk with a page cache. At a power cut, a fate decides what is left of what was written and not synced; a new name is
 * gone unless its directory was synced, or by luck. `replace` and `truncate` promise to be durable and whole: cut in the
 * middle they leave the old content or the new.
 */
export class CrashDisk implements Disk {
  readonly files = new Map<string, FileState>();
  readonly #fate: Fate;
  /** Counts down with every change; the power goes in the middle of the one at 0. */
  fuse = Number.POSITIVE_INFINITY;
  isOff = false;
  /** Control: a sync that only says that it synced. */
  isLying = false;
  /** Changes fail with this code while it is set. */
  failing: string | null = null;
  /** Changes until now. */
  changes = 0;
  /** Files that were removed: the spool's segments, when all in them is safe elsewhere. */
  removed = 0;

  constructor(fate: Fate = keepsTail(() => 0)) {
    this.#fate = fate;
  }

  /** One change; true when the power goes in the middle of it. */
  #step(): boolean {
    if (this.isOff) throw new PowerCut('the power is off');
    if (this.failing) throw Object.assign(new Error(`${this.failing}: made by the test`), { code: this.failing });
    this.changes++;
    return this.fuse-- <= 0;
  }
  #off(): never {
    this.isOff = true;
    throw new PowerCut('the power went');
  }

  /** The power is gone and comes back: memory holds what the platter kept. */
  restart(fate = this.#fate): void {
    this.isOff = false;
    this.fuse = Number.POSITIVE_INFINITY;
    for (const [path, file] of this.files) {
      if (!file.linked && !fate.keepsName()) {
        this.files.delete(path);
        continue;
      }
      file.platter = fate.survivor(file);
      file.cache = file.platter.slice();
      file.linked = true;
    }
  }

  /** The whole content, for restoring an older image. */
  image(): Map<string, Uint8Array> {
    return new Map(Array.from(this.files, ([path, file]) => [path, file.cache.slice()]));
  }
  static fromImage(image: ReadonlyMap<string, Uint8Array>): CrashDisk {
    const disk = new CrashDisk();
    for (const [path, bytes] of image)
      disk.files.set(path, { cache: bytes.slice(), platter: bytes.slice(), linked: true });
    return disk;
  }

  async makeDir(): Promise<void> {
    if (this.isOff) throw new PowerCut('the power is off');
  }
  async list(path: string): Promise<string[]> {
    const names = [...this.files.keys()].filter((name) => folderOf(name) === path);
    return names.map((name) => name.slice(path.length + 1)).sort();
  }
  async read(path: string): Promise<Uint8Array | null> {
    if (this.isOff) throw new PowerCut('the power is off');
    return this.files.get(path)?.cache.slice() ?? null;
  }
  async readAt(path: string, offset: number, length: number): Promise<Uint8Array> {
    return this.files.get(path)?.cache.slice(offset, offset + length) ?? new Uint8Array(0);
  }

  async openAppend(path: string): Promise<AppendFile> {
    const isCut = this.#step();
    const found = this.files.get(path) ?? { cache: new Uint8Array(0), platter: new Uint8Array(0), linked: false };
    this.files.set(path, found);
    if (isCut) this.#off();
    return {
      append: async (bytes) => {
        const isCutNow = this.#step();
        const taken = isCutNow ? bytes.subarray(0, this.#fate.taken(bytes.length)) : bytes;
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
    const file = this.files.get(path);
    if (!file) throw Object.assign(new Error(`${path} is not there`), { code: 'ENOENT' });
    if (!isCut || this.#fate.isDone()) {
      file.cache = file.cache.slice(0, length);
      file.platter = file.cache.slice();
    }
    if (isCut) this.#off();
  }

  async replace(path: string, bytes: Uint8Array): Promise<void> {
    const isCut = this.#step();
    if (!isCut || this.#fate.isDone())
      this.files.set(path, { cache: bytes.slice(), platter: bytes.slice(), linked: true });
    if (isCut) this.#off();
  }

  async remove(path: string): Promise<void> {
    if (this.#step()) this.#off();
    if (this.files.delete(path)) this.removed++;
  }
  async syncDir(path: string): Promise<void> {
    if (this.#step()) this.#off();
    if (this.isLying) return;
    for (const [name, file] of this.files) if (folderOf(name) === path) file.linked = true;
  }
}
