import type { ArchiveHead, MeterPageRead } from './ports.js';

export type Lineage =
  /** The page is where the archive says. */
  | 'same'
  /** Something else changed the page after the archive's last transaction; nothing of ours is gone. */
  | 'ahead'
  /** The chain came back older, or is another one: transactions of the archive are not in it. */
  | 'rolled back';

/**
 * Compares a page with the archive's last transaction on it (chain: Chain for development). `version` is raised only by
 * attest_page, and by every one; `moves` by whatever else changes a slot. A lower version has lost something. The same
 * version with another history is explained by moves that were added since, and by nothing else.
 */
export function compareWithArchive(read: MeterPageRead, head: ArchiveHead | undefined): Lineage {
  if (!head) return 'ahead';
  if (read.version < head.version) return 'rolled back';
  if (read.version > head.version) return 'ahead';
  if (equal(read.history, head.history)) return 'same';
  return read.moves > head.moves ? 'ahead' : 'rolled back';
}

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
