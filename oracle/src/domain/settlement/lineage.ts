import type { ArchiveHead, AttestedTotals, MeterPageRead, SlotRead } from './ports.js';

export type Lineage =
  /** The page is where the archive says. */
  | 'same'
  /** Something else changed the page after the archive's last transaction; nothing of ours is gone. */
  | 'ahead'
  /** The chain came back older, or is another one: transactions of the archive are not in it. */
  | 'rolled back';

/**
 * Compares a page with the archive's last transaction on it [settlement §6]. `version` is raised only by
 * attest_page, and by every one; `moves` by whatever else changes a slot's energy. A lower version has lost something.
 * The same version with another history is explained by moves that were added since; or by a dispute, an answer or new
 * limits, which raise neither number: then the page still has all that was attested (`hasAll`).
 */
export function compareWithArchive(
  read: MeterPageRead,
  head: ArchiveHead | undefined,
  hasAll: () => boolean = () => false,
): Lineage {
  if (!head) return 'ahead';
  if (read.version < head.version) return 'rolled back';
  if (read.version > head.version) return 'ahead';
  if (equal(read.history, head.history)) return 'same';
  return read.moves > head.moves || (read.moves === head.moves && hasAll()) ? 'ahead' : 'rolled back';
}

/** True when a slot shows what was attested on it, or more. Totals and windows never fall. */
export function hasAttested(slot: SlotRead | undefined, last: AttestedTotals | undefined): boolean {
  if (!last) return true;
  if (!slot) return false;
  return slot.window >= last.window && slot.exportWh >= last.exportWh && slot.importWh >= last.importWh;
}

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
