import { crc32 } from 'node:zlib';
import { SIGN1_BYTES } from '@gridtokenx/protocol';

/**
 * One record of a segment file, little-endian: magic "GS" u16, length u16 of the bytes, CRC-32 over what follows, seq
 * u64, then the bytes [gateway §4.2]. The CRC covers seq and bytes, so a record is either whole or none.
 */
export const HEADER_BYTES = 16;
const MAGIC = 0x5347;
/** No signed message is longer; a longer length is damage. */
const MAX_BYTES = 4096;

/** Bytes of a record of today's messages. */
export const RECORD_BYTES = HEADER_BYTES + SIGN1_BYTES;

/** A record in the bytes of a segment. */
export interface FoundRecord {
  readonly offset: number;
  readonly length: number;
  readonly seq: bigint;
  /** A part of the segment's bytes. */
  readonly bytes: Uint8Array;
}

/** The bytes of a record. Throws `RangeError` for a message that does not fit a record. */
export function encodeRecord(seq: bigint, bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0 || bytes.length > MAX_BYTES) throw new RangeError(`a record of ${bytes.length} bytes`);
  const record = new Uint8Array(HEADER_BYTES + bytes.length);
  const view = new DataView(record.buffer);
  view.setUint16(0, MAGIC, true);
  view.setUint16(2, bytes.length, true);
  view.setBigUint64(8, seq, true);
  record.set(bytes, HEADER_BYTES);
  view.setUint32(4, crc32(record.subarray(8)), true);
  return record;
}

/** The record that starts at `offset`, or null when there is no whole one. */
export function decodeRecord(segment: Uint8Array, offset: number): FoundRecord | null {
  if (offset + HEADER_BYTES > segment.length) return null;
  const view = new DataView(segment.buffer, segment.byteOffset, segment.byteLength);
  if (view.getUint16(offset, true) !== MAGIC) return null;
  const length = HEADER_BYTES + view.getUint16(offset + 2, true);
  if (length === HEADER_BYTES || length > HEADER_BYTES + MAX_BYTES || offset + length > segment.length) return null;
  if (crc32(segment.subarray(offset + 8, offset + length)) !== view.getUint32(offset + 4, true)) return null;
  const seq = view.getBigUint64(offset + 8, true);
  return { offset, length, seq, bytes: segment.subarray(offset + HEADER_BYTES, offset + length) };
}

/** Content of a scanned segment. */
export interface ScannedSegment {
  readonly records: FoundRecord[];
  /** Bytes up to the end of the last whole record; what follows is a torn tail. */
  readonly validLength: number;
  /** Bytes between whole records that belong to none. */
  readonly damagedBytes: number;
  /** Bytes after the last whole record. */
  readonly tornBytes: number;
}

/** All whole records of a segment; damage is skipped to the next valid header. Never throws. */
export function scanSegment(segment: Uint8Array): ScannedSegment {
  const records: FoundRecord[] = [];
  let [at, validLength, damagedBytes] = [0, 0, 0];
  while (at < segment.length) {
    const record = decodeRecord(segment, at);
    if (!record) {
      at++;
      continue;
    }
    damagedBytes += at - validLength;
    records.push(record);
    at += record.length;
    validLength = at;
  }
  return { records, validLength, damagedBytes, tornBytes: segment.length - validLength };
}

/** Returns the number of records that a torn tail of `bytes` holds in part or as a whole: all messages have one length. */
export function tornRecordsIn(bytes: number): number {
  return Math.ceil(bytes / RECORD_BYTES);
}
