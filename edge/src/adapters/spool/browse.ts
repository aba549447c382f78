import { join } from 'node:path';
import type { MeterId } from '@gridtokenx/protocol';
import type { Disk } from '../../domain/ports.js';
import { readSigned, type SignedMessage } from '../../domain/signed-message.js';
import { scanSegment } from './record.js';
import { isSegmentName } from './segment.js';

/** A record of a spool, and the segment that holds it. */
export interface BrowsedRecord {
  readonly segment: string;
  readonly offset: number;
  /** Bytes of the record with its header. */
  readonly length: number;
  readonly message: SignedMessage;
}

/** A segment of a spool. */
export interface BrowsedSegment {
  readonly name: string;
  readonly bytes: number;
  readonly records: readonly BrowsedRecord[];
  /** Bytes that belong to no whole record, between records and behind the last one. */
  readonly damagedBytes: number;
  readonly tornBytes: number;
}

/**
 * Reads the segments of a spool one after another, statements first, and changes nothing: a gateway may work in the
 * folder. A segment that is removed meanwhile counts as empty. Rejects with the disk's error.
 */
export async function* browseSpool(disk: Pick<Disk, 'list' | 'read'>, dir: string): AsyncGenerator<BrowsedSegment> {
  const names = (await disk.list(dir)).filter(isSegmentName);
  const ordered = [...names.filter((name) => name[0] === 's'), ...names.filter((name) => name[0] === 'r')];
  for (const name of ordered) {
    const bytes = (await disk.read(join(dir, name))) ?? new Uint8Array(0);
    const scan = scanSegment(bytes);
    const records = scan.records.flatMap(({ offset, length, seq, bytes: found }) => {
      const message = readSigned(found);
      return message?.seq === seq ? [{ segment: name, offset, length, message }] : [];
    });
    yield { name, bytes: bytes.length, records, damagedBytes: scan.damagedBytes, tornBytes: scan.tornBytes };
  }
}

/** The place of a meter's message in a spool. */
export interface Located {
  readonly seq: bigint;
  /** A `Kind`, or a kind of a later version. */
  readonly kind: number;
  /** The answer of the caller about the message. */
  readonly isMarked: boolean;
  readonly segment: string;
  readonly offset: number;
  readonly length: number;
}

/**
 * Lists the places of a meter's messages by rising seq, each marked by `mark`; of two copies of a seq the first counts.
 * Holds 6 values for each message. Rejects with the disk's error.
 */
export async function locateMessages(
  disk: Pick<Disk, 'list' | 'read'>,
  dir: string,
  meterId: MeterId,
  mark: (message: SignedMessage) => boolean,
): Promise<Located[]> {
  const found = new Map<bigint, Located>();
  for await (const { records } of browseSpool(disk, dir)) {
    for (const { segment, offset, length, message } of records) {
      const { seq, kind } = message;
      if (message.meterId !== meterId || found.has(seq)) continue;
      found.set(seq, { seq, kind, isMarked: mark(message), segment, offset, length });
    }
  }
  return [...found.values()].sort((a, b) => (a.seq < b.seq ? -1 : 1));
}
