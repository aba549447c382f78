import { join } from 'node:path';
import { type Clock, errorText } from '@gridtokenx/runtime/core';
import type { Disk } from '../../domain/ports.js';
import { framesOf, type KeptFrame, lineOf } from './line.js';

export interface FrameRingOptions {
  readonly disk: Disk;
  readonly dir: string;
  readonly clock: Clock;
  /** Bound of one hour's frames, bytes; frames beyond it are dropped and reported. */
  readonly hourBytes: number;
  /** Number of discontinuities whose frames are kept; default 256. */
  readonly keptFiles?: number;
}

const HOUR_MS = 3_600_000;
/** Whole hours that are kept beside the current one. */
const HOURS = 24;
/** Interval of writes, ms: frames are written together to spare the card. */
const FLUSH_MS = 60_000;
/** Bytes that trigger an earlier write. */
const FLUSH_BYTES = 256 * 1_024;
/** Bound of the frames that wait for a failing disk, bytes; the oldest are dropped. */
const WAITING_BYTES = 1_024 * 1_024;
/** Frames of a unit that are kept with a discontinuity. */
const RECENT = 64;
const MAX_KEPT = 256;
const SUFFIX = '.frames';
const HOUR_FILE = /^(\d{4}-\d{2}-\d{2}T\d{2})\.frames$/;

const hourName = (timeMs: number) => `${new Date(timeMs).toISOString().slice(0, 13)}${SUFFIX}`;
const unitKey = (bus: string, unit: number) => `${bus}-${unit}`;

/**
 * Keeps the replies of the last 24 hours as text, a file for each hour; replies of a discontinuity stay. No poll ever
 * waits for this ring, and a disk that fails costs frames, not readings. A killed process loses the last minute; a torn
 * line costs only itself [gateway §5.2].
 */
export class FrameRing {
  readonly #options: FrameRingOptions;
  #waiting: { hour: string; line: string }[] = [];
  #waitingBytes = 0;
  /** Bytes that arrived since the last attempt to write. */
  #newBytes = 0;
  readonly #recent = new Map<string, KeptFrame[]>();
  /** The current hour's file: its bytes, and the number of frames that were dropped. */
  #hour = { name: '', bytes: 0, leftOut: 0 };
  #cancelFlush: (() => void) | null = null;
  #work: Promise<void> = Promise.resolve();
  #problem: string | null = null;

  constructor(options: FrameRingOptions) {
    this.#options = options;
  }

  get dir(): string {
    return this.#options.dir;
  }

  /** Describes the fault in plain words; null when there is none. */
  get problem(): string | null {
    if (this.#problem) return `the gateway cannot store raw frames: ${this.#problem}`;
    const { leftOut } = this.#hour;
    return leftOut > 0
      ? `the gateway dropped ${leftOut} raw frames of this hour: they exceed the limit of an hour`
      : null;
  }

  keep(frame: KeptFrame): void {
    const key = unitKey(frame.bus, frame.unit);
    const recent = this.#recent.get(key) ?? [];
    recent.push(frame);
    if (recent.length > RECENT) recent.shift();
    this.#recent.set(key, recent);
    const line = lineOf(frame);
    this.#waiting.push({ hour: hourName(frame.timeMs), line });
    this.#waitingBytes += line.length;
    this.#newBytes += line.length;
    while (this.#waitingBytes > WAITING_BYTES) this.#waitingBytes -= this.#waiting.shift()?.line.length ?? 0;
    if (this.#newBytes >= FLUSH_BYTES) void this.flush();
    else this.#cancelFlush ??= this.#options.clock.after(FLUSH_MS, () => void this.flush());
  }

  /** Keeps a unit's last frames beyond the 24 hours. Never rejects. */
  mark(bus: string, unit: number): Promise<void> {
    const { disk, dir, clock, keptFiles = MAX_KEPT } = this.#options;
    const lines = (this.#recent.get(unitKey(bus, unit)) ?? []).map(lineOf).join('');
    const time = new Date(clock.nowMs()).toISOString().replaceAll(':', '-');
    return this.#do(async () => {
      const kept = join(dir, 'kept');
      await disk.makeDir(kept);
      await disk.replace(join(kept, `${time}-${unitKey(bus, unit)}${SUFFIX}`), Buffer.from(lines));
      const names = (await disk.list(kept)).filter((name) => name.endsWith(SUFFIX));
      for (const name of names.slice(0, Math.max(0, names.length - keptFiles))) await disk.remove(join(kept, name));
    });
  }

  /** Writes the waiting frames. Does not sync: nothing depends on these frames, and each sync wears a card. */
  flush(): Promise<void> {
    this.#cancelFlush?.();
    this.#cancelFlush = null;
    this.#newBytes = 0;
    return this.#do(async () => {
      while (this.#waiting[0]) {
        const { hour } = this.#waiting[0];
        const count = this.#waiting.findIndex((one) => one.hour !== hour);
        await this.#write(hour, this.#waiting.slice(0, count < 0 ? this.#waiting.length : count));
      }
    });
  }

  async #write(hour: string, batch: readonly { line: string }[]): Promise<void> {
    const { disk, dir, hourBytes } = this.#options;
    const path = join(dir, hour);
    if (this.#hour.name !== hour) await this.#begin(hour);
    const fits: string[] = [];
    for (const { line } of batch) {
      if (this.#hour.bytes + line.length > hourBytes) {
        this.#hour.leftOut++;
        continue;
      }
      fits.push(line);
      this.#hour.bytes += line.length;
    }
    if (fits.length > 0) {
      const file = await disk.openAppend(path);
      try {
        await file.append(Buffer.from(fits.join('')));
      } finally {
        await file.close();
      }
    }
    // Frames that arrived during the write follow the batch; frames that were dropped meanwhile preceded it.
    const done = new Set(batch);
    this.#waiting = this.#waiting.filter((one) => !done.has(one));
    this.#waitingBytes = this.#waiting.reduce((sum, { line }) => sum + line.length, 0);
  }

  /** Begins another hour's file: removes files older than the ring, and ends a line that was torn. */
  async #begin(hour: string): Promise<void> {
    const { disk, dir, clock } = this.#options;
    await disk.makeDir(dir);
    const oldest = hourName(clock.nowMs() - HOURS * HOUR_MS);
    const hours = (await disk.list(dir)).filter((name) => HOUR_FILE.test(name));
    for (const name of hours) if (name < oldest) await disk.remove(join(dir, name));
    // A wrong clock leaves hours that never come, so the number of files is bounded, whatever their names.
    const rest = hours.filter((name) => name >= oldest && name !== hour);
    for (const name of rest.slice(0, Math.max(0, rest.length - HOURS))) await disk.remove(join(dir, name));
    const path = join(dir, hour);
    const there = await disk.read(path);
    if (there && there.length > 0 && there.at(-1) !== 0x0a) {
      const file = await disk.openAppend(path);
      await file.append(Buffer.from('\n')).finally(() => file.close());
    }
    this.#hour = { name: hour, bytes: there?.length ?? 0, leftOut: 0 };
  }

  #do(step: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(step).then(
      () => {
        this.#problem = null;
      },
      (error: unknown) => {
        this.#problem = errorText(error);
        // The next attempt reads the file's state from the disk again.
        this.#hour = { name: '', bytes: 0, leftOut: 0 };
      },
    );
    return this.#work;
  }
}

/** Reads all frames on a disk: of the last day, and of each discontinuity. Counts damaged lines and omits them. */
export async function readFrames(disk: Disk, dir: string): Promise<{ frames: KeptFrame[]; damaged: number }> {
  const frames: KeptFrame[] = [];
  let damaged = 0;
  for (const folder of [join(dir, 'kept'), dir]) {
    for (const name of await disk.list(folder)) {
      if (!name.endsWith(SUFFIX)) continue;
      const bytes = await disk.read(join(folder, name));
      const found = framesOf(Buffer.from(bytes ?? []).toString('utf8'));
      frames.push(...found.frames);
      damaged += found.damaged;
    }
  }
  const seen = new Map(frames.map((frame) => [lineOf(frame), frame]));
  return { frames: [...seen.values()].sort((a, b) => a.timeMs - b.timeMs), damaged };
}
