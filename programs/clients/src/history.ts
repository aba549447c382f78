import { sha256 } from '@noble/hashes/sha2.js';

/**
 * The page history after one change: SHA-256(old | tag | signer bitmap | data | payload). Pure, for a check of an archive.
 *
 * @param old 32 bytes; zero before create_page
 * @param tag the instruction's 8-byte discriminator
 * @param signerBitmap bits of the zone's attestors; 0 where anyone may call
 * @param data the instruction data after the discriminator
 * @param payload the 96-byte payload of a statement that came through the precompile, or, for activate_slot, the slot's 32
 *   bytes as written (its values come from the registry and are not in the data)
 */
export function foldHistory(
  old: Uint8Array,
  tag: Uint8Array,
  signerBitmap: number,
  data: Uint8Array,
  payload: Uint8Array = new Uint8Array(0),
): Uint8Array {
  if (old.length !== 32) throw new RangeError(`history has 32 bytes, not ${old.length}`);
  if (tag.length !== 8) throw new RangeError(`an instruction tag has 8 bytes, not ${tag.length}`);
  return sha256(Uint8Array.of(...old, ...tag, signerBitmap, ...data, ...payload));
}
