import type { AppendFile, Disk } from '#edge/domain/ports.js';

interface MemoryFile {
  bytes: Uint8Array;
  /** What a power cut leaves for sure. */
  durable: Uint8Array;
  /** The name itself survives. */
  linked: boolean;
}

const join = (a: Uint8Array, b: Uint8Array) => Uint8Array.from([...a, ...b]);
const folder = (path: string) => path.slice(0, path.lastIndexOf('/'));

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: made by the test`), { code });
}

/** A disk that loses, at a power cut, what was not synced: a part of it may be left, torn anywhere, with garbage. */
export class MemoryDisk implements Disk {
  readonly files = new Map<string, MemoryFile>();
  /** Counts down with every operation that changes something; at 0 the power goes. */
  fuse = Number.POSITIVE_INFINITY;
  /** Operations that fail with this code while it is set. */
  failing: string | null = null;
  /** Control for the tests: syncs that do nothing. */
  lying = false;
  cut = false;

  #step(): void {
    if (this.cut || this.fuse-- <= 0) {
      this.cut = true;
      throw systemError('EPOWER');
    }
    if (this.failing) throw systemError(this.failing);
  }

  /** The power comes back: each file has its durable part and `keep(unsynced)` bytes more. */
  powerCut(keep: (unsynced: number) => number, garbage = false): void {
    this.cut = false;
    this.fuse = Number.POSITIVE_INFINITY;
    for (const [path, file] of this.files) {
      if (!file.linked) {
        this.files.delete(path);
        continue;
      }
      const unsynced = file.bytes.length - file.durable.length;
      const kept = unsynced > 0 ? keep(unsynced) : 0;
      file.bytes = file.bytes.slice(0, file.durable.length + kept);
      if (garbage && kept > 0) file.bytes[file.bytes.length - 1] = (file.bytes.at(-1) ?? 0) ^ 0xa5;
      file.durable = file.bytes.slice();
    }
  }

  /** The whole content, for restoring an older image. */
  image(): Map<string, Uint8Array> {
    return new Map(Array.from(this.files, ([path, file]) => [path, file.bytes.slice()]));
  }
  static fromImage(image: ReadonlyMap<string, Uint8Array>): MemoryDisk {
    const disk = new MemoryDisk();
    for (const [path, bytes] of image)
      disk.files.set(path, { bytes: bytes.slice(), durable: bytes.slice(), linked: true });
    return disk;
  }

  async makeDir(): Promise<void> {
    this.#step();
  }
  async list(path: string): Promise<string[]> {
    const names = [...this.files.keys()].filter((name) => folder(name) === path);
    return names.map((name) => name.slice(path.length + 1)).sort();
  }
  async read(path: string): Promise<Uint8Array | null> {
    return this.files.get(path)?.bytes.slice() ?? null;
  }
  async readAt(path: string, offset: number, length: number): Promise<Uint8Array> {
    return this.files.get(path)?.bytes.slice(offset, offset + length) ?? new Uint8Array(0);
  }
  async openAppend(path: string): Promise<AppendFile> {
    this.#step();
    const found = this.files.get(path) ?? { bytes: new Uint8Array(0), durable: new Uint8Array(0), linked: false };
    this.files.set(path, found);
    return {
      append: async (bytes) => {
        if (this.fuse <= 0) found.bytes = join(found.bytes, bytes);
        this.#step();
        found.bytes = join(found.bytes, bytes);
      },
      sync: async () => {
        this.#step();
        if (!this.lying) found.durable = found.bytes.slice();
      },
      close: async () => {},
    };
  }
  async truncate(path: string, length: number): Promise<void> {
    this.#step();
    const file = this.files.get(path);
    if (!file) throw systemError('ENOENT');
    file.bytes = file.bytes.slice(0, length);
    file.durable = file.bytes.slice();
  }
  async replace(path: string, bytes: Uint8Array): Promise<void> {
    this.#step();
    this.files.set(path, { bytes: bytes.slice(), durable: bytes.slice(), linked: true });
  }
  async remove(path: string): Promise<void> {
    this.#step();
    this.files.delete(path);
  }
  async syncDir(path: string): Promise<void> {
    this.#step();
    for (const [name, file] of this.files) if (folder(name) === path) file.linked = true;
  }
}
