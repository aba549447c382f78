import type { MeterId } from '@gridtokenx/protocol';
import { SeqRuns } from '../../domain/seq-runs.js';
import { encodeRecord, type FoundRecord, RECORD_BYTES } from './record.js';

/** `r` for readings, `s` for statements, events and enrolments. */
export type Stream = 'r' | 's';

/** One append-only file. */
export interface Segment {
  readonly path: string;
  readonly stream: Stream;
  readonly number: number;
  /** Bytes up to the end of its last whole record. */
  bytes: number;
  /** Seqs of each meter in it. */
  readonly runs: Map<MeterId, SeqRuns>;
  /** False once nothing may be appended: another segment follows, its end is torn, or it could not be read. */
  isOpen: boolean;
  /** True while its content is unknown, because the disk cannot read it. */
  isUnread: boolean;
}

const NAME = /^([rs])-(\d{8})\.seg$/;

export const isSegmentName = (name: string): boolean => NAME.test(name);

/** Names a segment of a spool's directory, without content. */
export function segmentAt(dir: string, stream: Stream, number: number): Segment {
  const path = `${dir}/${stream}-${String(number).padStart(8, '0')}.seg`;
  return { path, stream, number, bytes: 0, runs: new Map(), isOpen: true, isUnread: false };
}

export function segmentNamed(dir: string, name: string): Segment {
  const [, stream, number] = NAME.exec(name) ?? [];
  return segmentAt(dir, stream === 'r' ? 'r' : 's', Number(number));
}

/** Path of the segment's index file. */
export const indexPath = (segment: Segment): string => segment.path.replace(/seg$/, 'idx');

export function addSeq(segment: Segment, meter: MeterId, seq: number): void {
  let runs = segment.runs.get(meter);
  if (!runs) {
    runs = new SeqRuns();
    segment.runs.set(meter, runs);
  }
  runs.add(seq);
}

/** Number of records in it. */
export function recordsIn(segment: Segment): number {
  let sum = 0;
  for (const runs of segment.runs.values()) sum += runs.count(0, Number.MAX_SAFE_INTEGER);
  return sum;
}

/** Version of the segments that this software writes, and the highest that it reads. Version 1 has no version record. */
export const SEGMENT_VERSION = 2;
const VERSION_MARK = [0x47, 0x58];

/**
 * The first record of a segment from version 2 on: seq 0 and four bytes, "GX" and the version. Software of version 1 omits
 * it, because it is no message, and reads the rest.
 */
export const VERSION_RECORD = encodeRecord(
  0n,
  Uint8Array.of(...VERSION_MARK, SEGMENT_VERSION & 0xff, SEGMENT_VERSION >> 8),
);

/** Returns the version that a record states; null for a record that is a message. */
export function versionIn({ seq, length, bytes }: FoundRecord): number | null {
  if (seq !== 0n || length !== VERSION_RECORD.length || bytes[0] !== VERSION_MARK[0] || bytes[1] !== VERSION_MARK[1])
    return null;
  return (bytes[2] ?? 0) | ((bytes[3] ?? 0) << 8);
}

/** Bytes of a segment with so many records of today's messages. */
export const bytesOf = (records: number): number => VERSION_RECORD.length + records * RECORD_BYTES;
