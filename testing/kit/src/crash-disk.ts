import type { AppendFile, Disk } from '#edge/domain/ports.js';
import type { Random } from './random.js';

const SECTOR = 512;

/** The gateway's process has ended: nothing that it awaits from the disk resolves, as after a power cut. */
export class PowerCut extends Error {
  override readonly name = 'PowerCut';
  readonly code = 'EPOWER';
}

export interface FileState {
  /** Content that reads show: the page cache. */
  cache: Uint8Array;
  /** Content that is certainly on the platter. */
  platter: Uint8Array;
  /** True when its name is on the platter too. */
  linked: boolean;
}

/** Decides what a power cut leaves of unsynced data. */
export interface Fate {
  /** Returns the bytes that reach the cache of an append during which the power fails. */
  taken(length: number): number;
  /**
   * Returns true when a `replace` or `truncate` during which the power fails takes effect: each is durable and whole.
   */
  isDone(): boolean;
  /** Returns true when a new name survives although its directory was not synced. */
  keepsName(): boolean;
  /** Returns a file's content after the power returns. */
  survivor(file: FileState): Uint8Array;
}

const grown = (bytes: Uint8Array, length: number) => {
  const made = new Uint8Array(length);
  made.set(bytes.subarray(0, length));
  return made;
};
/** Copies bytes: `slice` of a Buffer shares them. */
const copy = (bytes: Uint8Array) => new Uint8Array(bytes);
const folderOf = (path: string) => path.slice(0, path.lastIndexOf('/'));

/** Keeps the first `keep(unsynced)` bytes of the unsynced appends; with `hasGarbage`, the last byte is damaged. */
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
 * Keeps or drops unsynced data sector by sector (512 bytes), each by itself: that drops, tears and reorders. A sector
 * dropped below a kept sector reads as before, or as zeros where the file had not reached.
 */
export class SectorFate implements Fate {
  readonly #random: Random;
  /** Sectors that cuts have dropped, and unsynced sectors that were kept. */
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
    // The length is a separate write: it may survive although the sectors did not.
    if (cache.length > length && this.#random.chance(0.3)) length = this.#random.int(length, cache.length);
    return result.slice(0, length);
  }
}

/**
 * A disk with a page cache. At a power cut, a fate decides what survives of unsynced data. A new name is lost unless
 * its directory was synced, or by luck. `replace` and `truncate` promise to be durable and whole: a cut during one
 * leaves the old content or the new.
 */
export class CrashDisk implements Disk {
  readonly files = new Map<string, FileState>();
  readonly #fate: Fate;
  /** Counts down with every change; the power fails during the change at 0. */
  fuse = Number.POSITIVE_INFINITY;
  isOff = false;
  /** Control: a sync that only claims to have synced. */
  isLying = false;
  /** Changes fail with this code while it is set. */
  failing: string | null = null;
  /** Controls: syncs of file content, and of directories, that only claim to have synced. */
  skipsSync = false;
  skipsDirSync = false;
  /** Returns the code with which a call fails, or null. Calls are numbered from 1; reads count too. */
  fault: (call: number, isChange: boolean) => string | null = () => null;
  calls = 0;
  /** Number of changes until now. */
  changes = 0;
  /** Number of removed files: the spool's segments, once everything in them is safe elsewhere. */
  removed = 0;

  constructor(fate: Fate = keepsTail(() => 0)) {
    this.#fate = fate;
  }

  /** Counts one change; returns true when the power fails during it. */
  #step(): boolean {
    if (this.isOff) throw new PowerCut('the power is off');
    if (this.failing) throw Object.assign(new Error(`${this.failing}: made by the test`), { code: this.failing });
    this.#call(true);
    this.changes++;
    return this.fuse-- <= 0;
  }
  #call(isChange: boolean): void {
    if (this.isOff) throw new PowerCut('the power is off');
    const code = this.fault(++this.calls, isChange);
    if (code !== null) throw Object.assign(new Error(`${code}: made by the test`), { code });
  }
  #off(): never {
    this.isOff = true;
    throw new PowerCut('the power went');
  }

  /** Cuts the power and returns it: memory holds what the platter kept. */
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

  /** Returns the whole content, for restoring an older image. */
  image(): Map<string, Uint8Array> {
    return new Map(Array.from(this.files, ([path, file]) => [path, file.cache.slice()]));
  }
  static fromImage(image: ReadonlyMap<string, Uint8Array>): CrashDisk {
    const disk = new CrashDisk();
    for (const [path, bytes] of image) disk.files.set(path, { cache: copy(bytes), platter: copy(bytes), linked: true });
    return disk;
  }

  async makeDir(): Promise<void> {
    if (this.isOff) throw new PowerCut('the power is off');
  }
  async list(path: string): Promise<string[]> {
    this.#call(false);
    const names = [...this.files.keys()].filter((name) => folderOf(name) === path);
    return names.map((name) => name.slice(path.length + 1)).sort();
  }
  async read(path: string): Promise<Uint8Array | null> {
    this.#call(false);
    return this.files.get(path)?.cache.slice() ?? null;
  }
  async size(path: string): Promise<number | null> {
    this.#call(false);
    return this.files.get(path)?.cache.length ?? null;
  }
  async readAt(path: string, offset: number, length: number): Promise<Uint8Array> {
    this.#call(false);
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
        // The power fails before the sync ends: the fate decides what is on the platter.
        if (this.#step()) this.#off();
        if (!this.isLying && !this.skipsSync) found.platter = found.cache.slice();
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
    if (!isCut || this.#fate.isDone()) this.files.set(path, { cache: copy(bytes), platter: copy(bytes), linked: true });
    if (isCut) this.#off();
  }

  async replaceUnsynced(path: string, bytes: Uint8Array): Promise<void> {
    const isCut = this.#step();
    const platter = this.files.get(path)?.platter ?? new Uint8Array(0);
    if (!isCut || this.#fate.isDone()) this.files.set(path, { cache: copy(bytes), platter, linked: true });
    if (isCut) this.#off();
  }

  async remove(path: string): Promise<void> {
    if (this.#step()) this.#off();
    if (this.files.delete(path)) this.removed++;
  }
  async syncDir(path: string): Promise<void> {
    if (this.#step()) this.#off();
    if (this.isLying || this.skipsDirSync) return;
    for (const [name, file] of this.files) if (folderOf(name) === path) file.linked = true;
  }
}
