import { Kind, type MeterId } from '@gridtokenx/protocol';
import { type Clock, nextDelayMs, sleep } from '@gridtokenx/runtime/core';
import type { AppendFile, Disk, Spool } from '../../domain/ports.js';
import { readSigned, type SignedMessage } from '../../domain/signed-message.js';
import { type Entry, IndexTable, type Segment } from './index-table.js';
import { decodeRecord, encodeRecord, scanSegment } from './record.js';

const MAX_PER_COMMIT = 1024;
const RETRIES = { initialMs: 100, maxMs: 10_000 };
/** A run of records up to this length is read at once. */
const READ_BYTES = 1 << 18;

export interface SpoolDamage {
  /** Bytes between whole records, over all segments. */
  readonly damagedBytes: number;
  /** Bytes that were cut from the ends of segments. */
  readonly tornBytes: number;
}

interface Pending {
  readonly meter: MeterId;
  readonly seq: number;
  readonly stream: 'r' | 's';
  readonly record: Uint8Array;
}

interface Waiting {
  readonly items: Pending[];
  readonly done: () => void;
}

/**
 * Opens the spool in `dir`: scans every segment, cuts torn tails, skips damage, and hands each whole record to `visit`
 * (statements, events and enrolments first, then readings, each in the order written). Damage never stops it; it
 * rejects only when the directory cannot be read [gateway §4.3]. `segmentBytes`: where a segment is closed.
 */
export async function openSpool(
  disk: Disk,
  dir: string,
  clock: Clock,
  visit: (message: SignedMessage) => void,
  segmentBytes: number,
): Promise<{ spool: Spool; damage: SpoolDamage }> {
  await disk.makeDir(dir);
  const spool = new SegmentSpool(disk, dir, clock, segmentBytes);
  const names = (await disk.list(dir)).filter((name) => /^[rs]-\d{8}\.seg$/.test(name)).sort();
  const ordered = [...names.filter((name) => name[0] === 's'), ...names.filter((name) => name[0] === 'r')];
  let [damagedBytes, tornBytes] = [0, 0];
  for (const name of ordered) {
    const damage = await spool.load(name, visit);
    damagedBytes += damage.damagedBytes;
    tornBytes += damage.tornBytes;
  }
  return { spool, damage: { damagedBytes, tornBytes } };
}

class SegmentSpool implements Spool {
  readonly #disk: Disk;
  readonly #dir: string;
  readonly #clock: Clock;
  readonly #segmentBytes: number;
  readonly #index = new IndexTable();
  readonly #segments: Segment[] = [];
  readonly #open: Record<'r' | 's', { segment: Segment; file: AppendFile } | null> = { r: null, s: null };
  readonly #next = { r: 1, s: 1 };
  #waiting: Waiting[] = [];
  #running: Promise<void> | null = null;
  #problem: string | null = null;
  #closed = false;

  constructor(disk: Disk, dir: string, clock: Clock, segmentBytes: number) {
    this.#disk = disk;
    this.#dir = dir;
    this.#clock = clock;
    this.#segmentBytes = segmentBytes;
  }

  async load(name: string, visit: (message: SignedMessage) => void): Promise<SpoolDamage> {
    const path = `${this.#dir}/${name}`;
    const bytes = (await this.#disk.read(path)) ?? new Uint8Array(0);
    const scan = scanSegment(bytes);
    const stream = name[0] === 'r' ? 'r' : 's';
    const segment: Segment = {
      path,
      stream,
      number: Number(name.slice(2, 10)),
      bytes: scan.validLength,
      highest: new Map(),
    };
    this.#next[stream] = segment.number + 1;
    this.#segments.push(segment);
    for (const { offset, length, seq, bytes: found } of scan.records) {
      const message = readSigned(found);
      if (message?.seq !== seq) continue;
      this.#index.add(message.meterId, { seq: Number(seq), segment, offset, length });
      visit(message);
    }
    if (scan.tornBytes > 0) await this.#disk.truncate(path, scan.validLength);
    return scan;
  }

  append(messages: readonly SignedMessage[]): Promise<void> {
    const items = messages.map(({ meterId, kind, seq, bytes }): Pending => {
      const stream = kind === Kind.reading ? 'r' : 's';
      return { meter: meterId, seq: Number(seq), stream, record: encodeRecord(seq, bytes) };
    });
    return new Promise((done) => {
      this.#waiting.push({ items, done });
      this.#running ??= this.#run();
    });
  }

  /** Group commit: while one batch is being synced the next one gathers. */
  async #run(): Promise<void> {
    let retryMs = 0;
    while (this.#waiting.length > 0 && !this.#closed) {
      const batch = this.#nextBatch();
      try {
        const entries = await this.#commit(batch.flatMap(({ items }) => items));
        for (const { meter, entry } of entries) this.#index.add(meter, entry);
        this.#problem = null;
        retryMs = 0;
        for (const { done } of batch) done();
      } catch (error) {
        // After a failed sync nothing is known about the file: the batch goes to a new one. A copy does no harm.
        this.#problem = describeDiskError(error);
        await this.#abandon();
        this.#waiting.unshift(...batch);
        retryMs = nextDelayMs(retryMs, RETRIES);
        await sleep(this.#clock, retryMs);
      }
    }
    // Here, not in a later microtask: an append in between would wait for a loop that has ended.
    this.#running = null;
  }

  #nextBatch(): Waiting[] {
    let [count, end] = [0, 0];
    for (const { items } of this.#waiting) {
      if (end > 0 && count + items.length > MAX_PER_COMMIT) break;
      count += items.length;
      end++;
    }
    return this.#waiting.splice(0, end);
  }

  async #commit(items: readonly Pending[]): Promise<{ meter: MeterId; entry: Entry }[]> {
    const entries: { meter: MeterId; entry: Entry }[] = [];
    for (const stream of ['s', 'r'] as const) {
      const own = items.filter((item) => item.stream === stream);
      if (own.length === 0) continue;
      const { segment, file } = await this.#writable(stream);
      let offset = segment.bytes;
      const block = Buffer.concat(own.map(({ record }) => record));
      await file.append(block);
      await file.sync();
      for (const { meter, seq, record } of own) {
        entries.push({ meter, entry: { seq, segment, offset, length: record.length } });
        offset += record.length;
      }
      segment.bytes = offset;
    }
    return entries;
  }

  async #writable(stream: 'r' | 's'): Promise<{ segment: Segment; file: AppendFile }> {
    const open = this.#open[stream];
    if (open && open.segment.bytes < this.#segmentBytes) return open;
    this.#open[stream] = null;
    await open?.file.close();
    const last = this.#segments.findLast((segment) => segment.stream === stream);
    const continued =
      open === null && last !== undefined && last.bytes < this.#segmentBytes && last.number + 1 === this.#next[stream];
    const segment = continued ? last : this.#newSegment(stream);
    const file = await this.#disk.openAppend(segment.path);
    if (!continued) {
      await this.#disk.syncDir(this.#dir);
      this.#segments.push(segment);
    }
    const made = { segment, file };
    this.#open[stream] = made;
    return made;
  }

  #newSegment(stream: 'r' | 's'): Segment {
    const number = this.#next[stream]++;
    const path = `${this.#dir}/${stream}-${String(number).padStart(8, '0')}.seg`;
    return { path, stream, number, bytes: 0, highest: new Map() };
  }

  async #abandon(): Promise<void> {
    for (const stream of ['r', 's'] as const) {
      const open = this.#open[stream];
      this.#open[stream] = null;
      // The next segment gets a number of its own, so nothing is appended behind a torn write.
      this.#next[stream]++;
      await open?.file.close().catch(() => {});
    }
  }

  async read(meter: MeterId, from: bigint, limit: number): Promise<SignedMessage[]> {
    const found: SignedMessage[] = [];
    const entries = this.#index.slice(meter, Number(from), limit);
    for (let at = 0; at < entries.length; ) {
      const run = runFrom(entries, at);
      at += run.length;
      const [first] = run;
      if (!first) break;
      const start = first.offset;
      const end = Math.max(...run.map(({ offset, length }) => offset + length));
      const bytes = await this.#disk.readAt(first.segment.path, start, end - start);
      for (const entry of run) {
        const record = decodeRecord(bytes, entry.offset - start);
        const message = record && readSigned(record.bytes);
        if (message) found.push(message);
      }
    }
    return found;
  }

  highest(meter: MeterId): bigint {
    return BigInt(this.#index.entries(meter).at(-1)?.seq ?? 0);
  }
  has(meter: MeterId, seq: bigint): boolean {
    return this.#index.has(meter, Number(seq));
  }
  count(meter: MeterId, from: bigint, through: bigint): number {
    return this.#index.count(meter, Number(from), Number(through));
  }
  missing(meter: MeterId, from: bigint, through: bigint): { first: bigint; last: bigint }[] {
    const ranges = this.#index.missing(meter, Number(from), Number(through));
    return ranges.map(({ first, last }) => ({ first: BigInt(first), last: BigInt(last) }));
  }
  bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.bytes, 0);
  }
  problem(): string | null {
    return this.#problem;
  }

  async trim(maxBytes: number, safeThrough: (meter: MeterId) => bigint): Promise<void> {
    // The newest two segments stay: the newest may be empty, and recovery needs the last reading for `prev`.
    const readings = this.#segments.filter(({ stream }) => stream === 'r').slice(0, -2);
    for (const segment of readings) {
      if (this.bytes() <= maxBytes) return;
      const safe = Array.from(segment.highest).every(([meter, seq]) => BigInt(seq) <= safeThrough(meter));
      if (!safe) return;
      await this.#disk.remove(segment.path);
      this.#index.drop(segment);
      this.#segments.splice(this.#segments.indexOf(segment), 1);
    }
  }

  async close(): Promise<void> {
    while (this.#running && !this.#problem) await this.#running;
    this.#closed = true;
    for (const stream of ['r', 's'] as const) await this.#open[stream]?.file.close().catch(() => {});
  }
}

/** Entries from `at` on that lie in one segment within one read. */
function runFrom(entries: readonly Entry[], at: number): Entry[] {
  const first = entries[at];
  if (!first) return [];
  let end = at + 1;
  for (let next = entries[end]; next; next = entries[++end]) {
    const near = next.offset > first.offset && next.offset + next.length - first.offset <= READ_BYTES;
    if (next.segment !== first.segment || !near) break;
  }
  return entries.slice(at, end);
}

/** Says what a person can do about a disk that accepts no writes. */
export function describeDiskError(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC') return 'the disk is full: free some space, nothing is lost meanwhile';
  if (code === 'EROFS') return 'the disk is read-only: check the card, nothing new is published meanwhile';
  if (code === 'EIO') return 'the disk reports errors: replace the card';
  if (code === 'EACCES' || code === 'EPERM') return `the spool cannot be written (${message}): check its owner`;
  return `the spool cannot be written: ${message ?? String(error)}`;
}
