import type { AppendFile, Disk } from '../../domain/ports.js';
import type { Catalogue } from './catalogue.js';
import { type Segment, type Stream, segmentAt, VERSION_RECORD } from './segment.js';

export interface SegmentWriterOptions {
  readonly disk: Disk;
  readonly dir: string;
  readonly catalogue: Catalogue;
  /** Size at which a segment is closed. */
  readonly segmentBytes: number;
  /** Called when nothing more is appended to a segment. Never rejects. */
  readonly closed: (segment: Segment) => Promise<void>;
}

/** Appends to the newest segment of each stream, and begins the next one. */
export class SegmentWriter {
  readonly #options: SegmentWriterOptions;
  readonly #files: Record<Stream, { segment: Segment; file: AppendFile } | null> = { r: null, s: null };
  readonly #next: Record<Stream, number> = { r: 1, s: 1 };
  /** Bytes that were handed to the disk. */
  bytesWritten = 0;
  syncs = 0;

  constructor(options: SegmentWriterOptions) {
    this.#options = options;
  }

  /** Keeps the number of a segment that is there from being used again. */
  taken({ stream, number }: Segment): void {
    this.#next[stream] = Math.max(this.#next[stream], number + 1);
  }

  /** Appends and syncs. Returns the segment. After a rejection nothing is known about the file: call `abandon`. */
  async write(stream: Stream, block: Uint8Array): Promise<Segment> {
    const { segment, file } = await this.#writable(stream);
    await file.append(block);
    await file.sync();
    segment.bytes += block.length;
    this.bytesWritten += block.length;
    this.syncs++;
    return segment;
  }

  /** Ends the segments in use after a failed write, so that no record follows a torn one. */
  async abandon(): Promise<void> {
    for (const stream of ['r', 's'] as const) {
      const open = this.#files[stream];
      this.#files[stream] = null;
      const last = this.#options.catalogue.last(stream);
      if (last) last.isOpen = false;
      await open?.file.close().catch(() => {});
    }
  }

  async close(): Promise<void> {
    for (const stream of ['r', 's'] as const) await this.#files[stream]?.file.close().catch(() => {});
  }

  async #writable(stream: Stream): Promise<{ segment: Segment; file: AppendFile }> {
    const { catalogue, segmentBytes, closed, disk, dir } = this.#options;
    const open = this.#files[stream];
    if (open && open.segment.bytes < segmentBytes) return open;
    this.#files[stream] = null;
    await open?.file.close();
    const last = catalogue.last(stream);
    const isContinued = last?.isOpen === true && last.bytes < segmentBytes;
    if (last?.isOpen && !isContinued) {
      last.isOpen = false;
      await closed(last);
    }
    const segment = isContinued && last ? last : segmentAt(dir, stream, this.#next[stream]++);
    const file = await disk.openAppend(segment.path);
    if (!isContinued) {
      await file.append(VERSION_RECORD);
      segment.bytes = VERSION_RECORD.length;
      await disk.syncDir(dir);
      catalogue.push(segment);
    }
    this.#files[stream] = { segment, file };
    return { segment, file };
  }
}
