import type { Clock } from '@gridtokenx/runtime/core';
import type { AppendFile, Disk } from '../../domain/ports.js';

const PAGE = 4_096;
const HOUR_MS = 3_600_000;
const HOURS = 24;
const pages = (bytes: number) => PAGE * Math.ceil(bytes / PAGE);

/** Counts the bytes and syncs that a card gets, in whole pages of 4 KiB. */
export class WriteCount {
  readonly #clock: Clock;
  /** Bytes of each hour, by its number. */
  readonly #hours = new Map<number, number>();
  bytes = 0;
  syncs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Bytes of the present hour and the 23 before it. */
  get dayBytes(): number {
    const present = this.#hour();
    let sum = 0;
    for (const [hour, bytes] of this.#hours) if (hour > present - HOURS) sum += bytes;
    return sum;
  }

  add(bytes: number): void {
    const hour = this.#hour();
    this.bytes += bytes;
    this.#hours.set(hour, (this.#hours.get(hour) ?? 0) + bytes);
    for (const old of this.#hours.keys()) if (old <= hour - HOURS) this.#hours.delete(old);
  }

  #hour(): number {
    return Math.floor(this.#clock.monotonicMs() / HOUR_MS);
  }
}

/** Returns the disk, whose writes are counted. A page that is appended to again and synced again is written again. */
export function countedDisk(disk: Disk, count: WriteCount): Disk {
  return {
    ...disk,
    openAppend: async (path) => {
      const file = await disk.openAppend(path);
      return countedFile(file, (await disk.size(path)) ?? 0, count);
    },
    replace: async (path, bytes) => {
      await disk.replace(path, bytes);
      count.add(pages(bytes.length));
      count.syncs += 2;
    },
    replaceUnsynced: async (path, bytes) => {
      await disk.replaceUnsynced(path, bytes);
      count.add(pages(bytes.length));
    },
    syncDir: async (path) => {
      await disk.syncDir(path);
      count.syncs++;
    },
  };
}

function countedFile(file: AppendFile, size: number, count: WriteCount): AppendFile {
  let [end, syncedTo] = [size, size];
  const settle = () => {
    if (end > syncedTo) count.add(pages(end) - PAGE * Math.floor(syncedTo / PAGE));
    syncedTo = end;
  };
  return {
    append: async (bytes) => {
      await file.append(bytes);
      end += bytes.length;
    },
    sync: async () => {
      await file.sync();
      count.syncs++;
      settle();
    },
    close: async () => {
      settle();
      await file.close();
    },
  };
}
