import type { MeterId } from '@gridtokenx/protocol';
import { Mutex } from '@gridtokenx/runtime/core';
import type { Disk } from '../../domain/ports.js';
import { readSigned, type SignedMessage } from '../../domain/signed-message.js';
import { decodeRecord, scanSegment } from './record.js';
import type { Segment } from './segment.js';

/** Segments that are held, 1 MiB each: backfill of several meters reads the same few in turn. */
const HELD = 4;

/** Where the records of a meter lie, in the order of the file. */
interface Places {
  readonly seqs: number[];
  readonly offsets: number[];
}

/** The content of a segment. */
export interface LoadedSegment {
  bytes: Uint8Array;
  readonly meters: Map<MeterId, Places>;
}

/** Reads segments to find records in them, and holds the few that were read last. */
export class SegmentCache {
  readonly #disk: Disk;
  readonly #held = new Map<Segment, LoadedSegment>();
  readonly #loads = new Mutex();

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** Returns the records of a meter from `first` to `last`, rising in seq. Rejects with the disk's error. */
  async records(segment: Segment, meter: MeterId, first: number, last: number): Promise<SignedMessage[]> {
    const { bytes, meters } = await this.#loads.run(() => this.#load(segment));
    const found = new Map<number, SignedMessage>();
    const { seqs, offsets } = meters.get(meter) ?? { seqs: [], offsets: [] };
    for (const [at, seq] of seqs.entries()) {
      if (seq < first || seq > last || found.has(seq)) continue;
      const message = messageAt(bytes, offsets[at] ?? 0);
      if (message) found.set(seq, message);
    }
    return [...found.values()].sort((a, b) => (a.seq < b.seq ? -1 : 1));
  }

  forget(segment: Segment): void {
    this.#held.delete(segment);
  }

  async #load(segment: Segment): Promise<LoadedSegment> {
    const held = this.#held.get(segment);
    const has = held?.bytes.length ?? 0;
    if (held && has >= segment.bytes) {
      this.#held.delete(segment);
      this.#held.set(segment, held);
      return held;
    }
    // An open segment grows: only its new records are read.
    const { bytes: wanted } = segment;
    const more = await this.#disk.readAt(segment.path, has, wanted - has);
    const loaded: LoadedSegment = {
      bytes: held ? Buffer.concat([held.bytes, more]) : more,
      meters: held?.meters ?? new Map(),
    };
    addPlaces(loaded.meters, more, has);
    this.#held.delete(segment);
    this.#held.set(segment, loaded);
    for (const oldest of this.#held.keys()) {
      if (this.#held.size <= HELD) break;
      this.#held.delete(oldest);
    }
    return loaded;
  }
}

function messageAt(bytes: Uint8Array, offset: number): SignedMessage | null {
  const record = decodeRecord(bytes, offset);
  // Copied: a message in flight must not hold a whole segment.
  return record && readSigned(record.bytes.slice());
}

/** Adds where the records in `bytes`, which lie from `start` on, are. */
function addPlaces(meters: Map<MeterId, Places>, bytes: Uint8Array, start: number): void {
  for (const { offset, seq, bytes: found } of scanSegment(bytes).records) {
    const message = readSigned(found);
    if (message?.seq !== seq) continue;
    let places = meters.get(message.meterId);
    if (!places) {
      places = { seqs: [], offsets: [] };
      meters.set(message.meterId, places);
    }
    places.seqs.push(Number(seq));
    places.offsets.push(start + offset);
  }
}
