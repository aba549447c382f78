import { GapReason, type MeterId } from '@gridtokenx/protocol';
import type { Disk, LostSeqs } from '../../domain/ports.js';
import { type SeqRun, SeqRuns } from '../../domain/seq-runs.js';
import type { Catalogue } from './catalogue.js';
import { encodeRecord } from './record.js';
import { bytesOf, indexPath, recordsIn, type Segment, VERSION_RECORD } from './segment.js';
import type { SegmentCache } from './segment-cache.js';
import { encodeIndex } from './segment-index.js';

/**
 * Shares of safe records from which a segment is rewritten without them, in turn: first where much is won for few writes,
 * then before anything is lost.
 */
const SAFE_SHARES = [0.25, 0.05];

type Safe = (meter: MeterId) => bigint;
type Declare = (lost: readonly LostSeqs[]) => Promise<void>;

export interface TrimmerOptions {
  readonly disk: Disk;
  readonly catalogue: Catalogue;
  readonly cache: SegmentCache;
  readonly segmentBytes: number;
  /** Receives the seqs that are gone and were not safe. */
  readonly lost: (seqs: LostSeqs) => void;
}

/**
 * Keeps the spool within its bytes: safe readings go first, wherever they lie; then the oldest readings, in whole
 * segments. Only closed segments of readings are touched [gateway §4.6].
 */
export class Trimmer {
  readonly #options: TrimmerOptions;

  constructor(options: TrimmerOptions) {
    this.#options = options;
  }

  /** Rejects with the disk's error. */
  async trim(maxBytes: number, safeThrough: Safe, declare?: Declare): Promise<void> {
    const { catalogue } = this.#options;
    if (catalogue.bytes <= maxBytes) return;
    await this.dropSafe(maxBytes, safeThrough);
    for (const share of SAFE_SHARES) await this.#dropSafeParts(maxBytes, safeThrough, share);
    for (const segment of this.#closed()) {
      if (catalogue.bytes <= maxBytes) return;
      // Declared first: a power cut in between leaves records that are declared, and none that is lost unsaid.
      const lost = this.#thinnedBy(segment, safeThrough);
      if (declare) await declare(lost);
      else for (const one of lost) this.#options.lost(one);
      await this.#drop(segment);
    }
  }

  /** Drops segments in which everything is safe, oldest first, while more than `maxBytes` are used. */
  async dropSafe(maxBytes: number, safeThrough: Safe): Promise<void> {
    for (const segment of this.#closed()) {
      if (this.#options.catalogue.bytes <= maxBytes) return;
      if (recordsIn(segment) === safeIn(segment, safeThrough)) await this.#drop(segment);
    }
  }

  /** The newest segment stays: it is written, and holds the last reading of each meter. */
  #closed(): Segment[] {
    return this.#options.catalogue
      .segments('r')
      .slice(0, -1)
      .filter(({ isUnread }) => !isUnread);
  }

  async #drop(segment: Segment): Promise<void> {
    const { disk, catalogue, cache } = this.#options;
    await disk.remove(segment.path);
    await disk.remove(indexPath(segment)).catch(() => {});
    cache.forget(segment);
    catalogue.drop(segment);
  }

  /** Seqs of a segment that are not safe, and that no other segment holds. */
  #thinnedBy(segment: Segment, safeThrough: Safe): LostSeqs[] {
    const others = this.#options.catalogue.segments().filter((one) => one !== segment);
    const lost: LostSeqs[] = [];
    for (const [meter, runs] of segment.runs) {
      const gone = SeqRuns.of(runs.within(Number(safeThrough(meter)) + 1, Number.MAX_SAFE_INTEGER));
      for (const other of others)
        for (const { first, last } of other.runs.get(meter)?.within(gone.lowest, gone.highest) ?? [])
          gone.removeRun(first, last);
      for (const run of gone) lost.push({ meterId: meter, ...bigRun(run), reason: GapReason.thinned });
    }
    return lost;
  }

  /** Rewrites segments without their safe records. Neighbours that became small become one. */
  async #dropSafeParts(maxBytes: number, safeThrough: Safe, share: number): Promise<void> {
    const { catalogue, segmentBytes } = this.#options;
    let into: Segment | null = null;
    for (const segment of this.#closed()) {
      if (catalogue.bytes <= maxBytes) return;
      const all = recordsIn(segment);
      const safe = safeIn(segment, safeThrough);
      const rest = bytesOf(all - safe);
      if (into && into.bytes + rest <= segmentBytes) {
        await this.#rewrite([into, segment], safeThrough);
        continue;
      }
      if (safe > 0 && safe >= share * all) await this.#rewrite([segment], safeThrough);
      into = segment.bytes < segmentBytes / 2 ? segment : null;
    }
  }

  /** Writes what is not safe in `segments` into the first of them, and drops the others. */
  async #rewrite(segments: readonly Segment[], safeThrough: Safe): Promise<void> {
    const { disk, catalogue, cache } = this.#options;
    const [target, ...others] = segments;
    if (!target) return;
    const { records, runs } = await this.#unsafe(segments, safeThrough);
    // Without its index the segment is read at a start, whichever of its contents a power cut leaves.
    await disk.remove(indexPath(target)).catch(() => {});
    const bytes = Buffer.concat([VERSION_RECORD, ...records]);
    await disk.replace(target.path, bytes);
    catalogue.replace(target, runs, bytes.length);
    cache.forget(target);
    for (const other of others) {
      await disk.remove(other.path);
      await disk.remove(indexPath(other)).catch(() => {});
      catalogue.drop(other);
      cache.forget(other);
    }
    await disk.replace(indexPath(target), encodeIndex(target)).catch(() => {});
  }

  /** Returns the records that are not safe, in order. Reports those that cannot be read as damaged. */
  async #unsafe(segments: readonly Segment[], safeThrough: Safe) {
    const records: Uint8Array[] = [];
    const runs = new Map<MeterId, SeqRuns>();
    for (const segment of segments) {
      for (const [meter, own] of segment.runs) {
        const from = Number(safeThrough(meter)) + 1;
        const kept = runs.get(meter) ?? new SeqRuns();
        for (const message of await this.#options.cache.records(segment, meter, from, own.highest)) {
          if (kept.has(Number(message.seq))) continue;
          kept.add(Number(message.seq));
          records.push(encodeRecord(message.seq, message.bytes));
        }
        if (!kept.isEmpty) runs.set(meter, kept);
        for (const { first, last } of own.within(from, own.highest))
          for (const gone of kept.missing(first, last))
            this.#options.lost({ meterId: meter, ...bigRun(gone), reason: GapReason.damaged });
      }
    }
    return { records, runs };
  }
}

const bigRun = ({ first, last }: SeqRun) => ({ first: BigInt(first), last: BigInt(last) });

/** Number of safe records in a segment. */
function safeIn(segment: Segment, safeThrough: Safe): number {
  let sum = 0;
  for (const [meter, runs] of segment.runs) sum += runs.count(0, Number(safeThrough(meter)));
  return sum;
}
