import type { Disk, RecoveryPort, SpoolDamage } from '../../domain/ports.js';
import { readSigned } from '../../domain/signed-message.js';
import type { Catalogue } from './catalogue.js';
import { BEGIN, type Positions, readCheckpoint } from './checkpoint.js';
import { scanSegment } from './record.js';
import { addSeq, indexPath, isSegmentName, SEGMENT_VERSION, type Segment, segmentNamed, versionIn } from './segment.js';
import { decodeIndex, encodeIndex } from './segment-index.js';

export interface LoadOptions {
  readonly disk: Disk;
  readonly dir: string;
  readonly catalogue: Catalogue;
  readonly recovery: RecoveryPort;
}

/**
 * Reads the segments in `dir` into the catalogue, and hands each record behind the checkpoint to the recovery: statements,
 * events and enrolments before readings. A closed segment with an index is not read. Damage stops nothing; rejects only
 * when the disk cannot list the directory [gateway §4.3].
 */
export async function loadSegments(options: LoadOptions): Promise<SpoolDamage & { readonly visitedBytes: number }> {
  const { disk, dir, recovery } = options;
  const names = (await disk.list(dir)).filter(isSegmentName);
  const segments = names.map((name) => segmentNamed(dir, name)).sort(inOrder);
  const checkpoint = recovery.restore ? await readCheckpoint(disk, dir) : null;
  const from = checkpoint && recovery.restore?.(checkpoint.snapshot) ? checkpoint.at : BEGIN;
  const damage = { damagedBytes: 0, tornBytes: 0, visitedBytes: 0 };
  for (const [at, segment] of segments.entries()) {
    const isNewest = segments[at + 1]?.stream !== segment.stream;
    const visitAt = visitFrom(segment, from);
    const found = await loadSegment(options, segment, { isNewest, visitFrom: visitAt });
    if (visitAt !== null) damage.visitedBytes += segment.bytes - visitAt;
    damage.damagedBytes += found.damagedBytes;
    damage.tornBytes += found.tornBytes;
  }
  return damage;
}

/** Statements and events first, then readings, each in the order written. */
const inOrder = (a: Segment, b: Segment) =>
  a.stream === b.stream ? a.number - b.number : Number(a.stream === 'r') - Number(b.stream === 'r');

/** Offset from which the segment's records are visited; null for none. */
function visitFrom({ stream, number }: Segment, at: Positions): number | null {
  const position = at[stream];
  if (number < position.number) return null;
  return number === position.number ? position.offset : 0;
}

async function loadSegment(
  { disk, catalogue, recovery }: LoadOptions,
  segment: Segment,
  { isNewest, visitFrom: from }: { isNewest: boolean; visitFrom: number | null },
): Promise<SpoolDamage> {
  segment.isOpen = isNewest;
  const size = await disk.size(segment.path).catch(() => null);
  const index = isNewest ? null : decodeIndex(await disk.read(indexPath(segment)).catch(() => null), size ?? -1);
  for (const [meter, runs] of index ?? []) segment.runs.set(meter, runs);
  segment.bytes = size ?? 0;
  if (index && from === null) {
    catalogue.push(segment);
    return { damagedBytes: 0, tornBytes: 0 };
  }
  const bytes = await disk.read(segment.path).catch(() => null);
  if (!bytes) {
    segment.isOpen = false;
    segment.isUnread = true;
    catalogue.push(segment);
    return { damagedBytes: index ? 0 : segment.bytes, tornBytes: 0 };
  }
  const scan = fill(segment, bytes, from === null ? null : { from, recovery });
  if (scan.tornBytes > 0) await cutTail(disk, segment);
  catalogue.push(segment);
  // The index spares the next start this segment; without it that start takes longer, and loses nothing.
  if (!isNewest && !index && !segment.isUnread)
    await disk.replace(indexPath(segment), encodeIndex(segment)).catch(() => {});
  return scan;
}

/** Fills a segment's runs from its bytes, and visits the records from `visit.from` on. */
export function fill(
  segment: Segment,
  bytes: Uint8Array,
  visit: { readonly from: number; readonly recovery: RecoveryPort } | null,
): SpoolDamage {
  const scan = scanSegment(bytes);
  segment.bytes = scan.validLength;
  segment.runs.clear();
  const [head] = scan.records;
  if (head && (versionIn(head) ?? 1) > SEGMENT_VERSION) {
    // Records of a later version stay, and nothing is appended behind them.
    segment.bytes = bytes.length;
    segment.isOpen = false;
    segment.isUnread = true;
    return { damagedBytes: 0, tornBytes: 0 };
  }
  for (const record of scan.records) {
    const message = readSigned(record.bytes);
    if (message?.seq !== record.seq) continue;
    addSeq(segment, message.meterId, Number(record.seq));
    if (visit && record.offset >= visit.from) visit.recovery.visit(message);
  }
  return { damagedBytes: scan.damagedBytes, tornBytes: scan.tornBytes };
}

/** Cuts a torn tail. A disk that does not allow it keeps the tail, and the next record goes to another segment. */
async function cutTail(disk: Disk, segment: Segment): Promise<void> {
  await disk.truncate(segment.path, segment.bytes).catch(() => {
    segment.isOpen = false;
  });
}
