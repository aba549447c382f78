import type { MeterId } from '@gridtokenx/protocol';
import { type Clock, Mutex } from '@gridtokenx/runtime/core';
import type { Disk, LostSeqs, RecoveryPort, Spool, SpoolDamage } from '../../domain/ports.js';
import type { SignedMessage } from '../../domain/signed-message.js';
import { Catalogue } from './catalogue.js';
import { type Positions, storeCheckpoint } from './checkpoint.js';
import { GroupCommit } from './group-commit.js';
import { loadSegments } from './open-spool.js';
import { Reserve } from './reserve.js';
import { Scrubber } from './scrub.js';
import { indexPath, type Segment, type Stream } from './segment.js';
import { SegmentCache } from './segment-cache.js';
import { encodeIndex } from './segment-index.js';
import { SegmentWriter } from './segment-writer.js';
import { Trimmer } from './trim.js';

export { describeDiskError } from './disk-fault.js';

export interface SpoolOptions {
  /** Time that readings wait for others before they are written together, ms; default 0. */
  readonly commitMs?: number;
  /** Bytes of the disk that only statements, events and states may use; default 0. */
  readonly reserveBytes?: number;
}

/**
 * Opens the spool in `dir`, and hands each whole record behind the last checkpoint to `visit` (statements, events and
 * enrolments first, then readings, each in the order written). Damage never stops it; it rejects only when the directory
 * cannot be listed [gateway §4.3]. `segmentBytes`: where a segment is closed.
 */
export async function openSpool(
  disk: Disk,
  dir: string,
  clock: Clock,
  visit: RecoveryPort | RecoveryPort['visit'],
  segmentBytes: number,
  options: SpoolOptions = {},
): Promise<{ spool: Spool; damage: SpoolDamage }> {
  // A read-only disk creates nothing; what is there is read all the same.
  await disk.makeDir(dir).catch(() => {});
  const recovery = typeof visit === 'function' ? { visit } : visit;
  const spool = new SegmentSpool({ disk, dir, clock, recovery, segmentBytes, ...options });
  return { spool, damage: await spool.load() };
}

type SegmentSpoolOptions = SpoolOptions & {
  readonly disk: Disk;
  readonly dir: string;
  readonly clock: Clock;
  readonly recovery: RecoveryPort;
  readonly segmentBytes: number;
};

const ALL = Number.MAX_SAFE_INTEGER;

class SegmentSpool implements Spool {
  readonly #options: SegmentSpoolOptions;
  readonly #catalogue = new Catalogue();
  readonly #cache: SegmentCache;
  readonly #writer: SegmentWriter;
  readonly #commits: GroupCommit;
  readonly #reserve: Reserve;
  readonly #trimmer: Trimmer;
  readonly #scrubber: Scrubber;
  readonly #upkeep = new Mutex();
  #lost: LostSeqs[] = [];
  #safeThrough: (meter: MeterId) => bigint = () => 0n;

  constructor(options: SegmentSpoolOptions) {
    this.#options = options;
    const { disk, dir, clock, segmentBytes, commitMs = 0, reserveBytes = 0 } = options;
    const catalogue = this.#catalogue;
    this.#cache = new SegmentCache(disk);
    this.#reserve = new Reserve(disk, dir, reserveBytes);
    this.#writer = new SegmentWriter({ disk, dir, catalogue, segmentBytes, closed: (segment) => this.#close(segment) });
    const lost = (one: LostSeqs) => this.#lost.push(one);
    this.#scrubber = new Scrubber({ disk, catalogue, cache: this.#cache, lost });
    this.#trimmer = new Trimmer({
      disk,
      catalogue,
      cache: this.#cache,
      segmentBytes,
      lost: (one) => this.#lost.push(one),
    });
    this.#commits = new GroupCommit({
      ...{ writer: this.#writer, clock, commitMs },
      committed: (segment, meter, seq, message) => this.#committed(segment, meter, seq, message),
      relieve: () => this.relieve(),
      mayWriteReadings: () => this.#reserve.hold(),
    });
  }

  async load(): Promise<SpoolDamage> {
    const { visitedBytes, ...damage } = await loadSegments({ ...this.#options, catalogue: this.#catalogue });
    for (const segment of this.#catalogue.segments()) this.#writer.taken(segment);
    if (visitedBytes > 2 * this.#options.segmentBytes) await this.#keepCheckpoint();
    await this.#reserve.hold().catch(() => {});
    return damage;
  }

  append(messages: readonly SignedMessage[]): Promise<void> {
    return this.#commits.append(messages);
  }

  #committed(segment: Segment, meter: MeterId, seq: number, message: SignedMessage): void {
    this.#catalogue.add(segment, meter, seq);
    if (this.#options.recovery.snapshot) this.#options.recovery.visit(message);
  }

  /** Stores a closed segment's index, and how far the records were visited. A start without them takes longer. */
  async #close(segment: Segment): Promise<void> {
    await this.#options.disk.replace(indexPath(segment), encodeIndex(segment)).catch(() => {});
    await this.#keepCheckpoint();
  }

  async #keepCheckpoint(): Promise<void> {
    const { disk, dir, recovery } = this.#options;
    const snapshot = recovery.snapshot?.();
    if (snapshot !== undefined) await storeCheckpoint(disk, dir, this.#positions(), snapshot).catch(() => {});
  }

  #positions(): Positions {
    const of = (stream: Stream) => {
      const last = this.#catalogue.last(stream);
      return { number: last?.number ?? 0, offset: last?.bytes ?? 0 };
    };
    return { r: of('r'), s: of('s') };
  }

  async read(meter: MeterId, from: bigint, limit: number, only?: Stream): Promise<SignedMessage[]> {
    const first = Number(from);
    const last = this.#catalogue.lastOf(meter, first, limit, only);
    const found = new Map<bigint, SignedMessage>();
    for (const segment of this.#catalogue.holders(meter, first, last, only)) {
      const expected = segment.runs.get(meter)?.count(first, last) ?? 0;
      const records = await this.#cache.records(segment, meter, first, last).catch(() => []);
      for (const record of records) if (!found.has(record.seq)) found.set(record.seq, record);
      // Damage since the start, or a disk that does not read: the check tells which.
      // Not awaited: trimming may wait for a disk, and the other records can be sent.
      if (records.length < expected) void this.#upkeep.run(() => this.#scrubber.check(segment));
    }
    return [...found.values()].sort((a, b) => (a.seq < b.seq ? -1 : 1));
  }

  scrub(): Promise<void> {
    return this.#upkeep.run(() => this.#scrubber.next());
  }

  highest(meter: MeterId): bigint {
    return BigInt(this.#catalogue.runs(meter).highest);
  }
  has(meter: MeterId, seq: bigint): boolean {
    return this.#catalogue.runs(meter).has(Number(seq));
  }
  count(meter: MeterId, from: bigint, through: bigint, only?: Stream): number {
    if (only) return this.#catalogue.runsOf(meter, Number(from), Number(through), only).count(1, ALL);
    return this.#catalogue.runs(meter).count(Number(from), Number(through));
  }
  missing(meter: MeterId, from: bigint, through: bigint): { first: bigint; last: bigint }[] {
    const runs = this.#catalogue.runs(meter).missing(Number(from), Number(through));
    return runs.map(({ first, last }) => ({ first: BigInt(first), last: BigInt(last) }));
  }
  bytes(): number {
    return this.#catalogue.bytes;
  }
  written(): { bytes: number; syncs: number } {
    return { bytes: this.#writer.bytesWritten, syncs: this.#writer.syncs };
  }
  problem(): string | null {
    if (this.#commits.problem) return this.#commits.problem;
    const unread = this.#catalogue.segments().filter(({ isUnread }) => isUnread).length;
    return unread > 0
      ? `the gateway cannot read ${unread} files of the spool: the card is damaged, or later software wrote them`
      : null;
  }

  trim(...[maxBytes, safeThrough, declare]: Parameters<Spool['trim']>): Promise<void> {
    this.#safeThrough = safeThrough;
    return this.#upkeep.run(() => this.#trimmer.trim(maxBytes, safeThrough, declare));
  }

  takeLost(): LostSeqs[] {
    const lost = this.#lost;
    this.#lost = [];
    return lost;
  }

  async relieve(): Promise<boolean> {
    const before = this.bytes();
    await this.#upkeep.run(() => this.#trimmer.dropSafe(0, this.#safeThrough)).catch(() => {});
    return this.bytes() < before || (await this.#reserve.free());
  }

  async close(): Promise<void> {
    await this.#commits.close();
    await this.#writer.close();
  }
}
