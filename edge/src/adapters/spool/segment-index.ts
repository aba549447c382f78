import { asMeterId, type MeterId } from '@gridtokenx/protocol';
import { SeqRuns } from '../../domain/seq-runs.js';
import { sealText, unsealText } from './sealed-text.js';
import type { Segment } from './segment.js';

/** Encodes the index of a closed segment: its bytes, and the seqs of each meter as runs [gateway §4.5]. */
export function encodeIndex({ bytes, runs }: Segment): Uint8Array {
  const meters = Array.from(runs, ([id, own]) => [id, deltas(own)]);
  return sealText(JSON.stringify({ bytes, meters }));
}

/** Returns the runs of each meter; null for a file that is damaged, or of a segment of another length. */
export function decodeIndex(file: Uint8Array | null, bytes: number): Map<MeterId, SeqRuns> | null {
  const text = unsealText(file);
  if (text === null) return null;
  const index = JSON.parse(text) as { bytes: number; meters: [string, number[]][] };
  if (index.bytes !== bytes) return null;
  return new Map(index.meters.map(([id, own]) => [asMeterId(id), runsOf(own)]));
}

/** Returns each bound of the runs as its distance from the bound before it. */
function deltas(runs: SeqRuns): number[] {
  const distances: number[] = [];
  let before = 0;
  for (const { first, last } of runs) {
    distances.push(first - before, last - first);
    before = last;
  }
  return distances;
}

function runsOf(distances: readonly number[]): SeqRuns {
  const runs = new SeqRuns();
  let before = 0;
  for (let at = 0; at < distances.length; at += 2) {
    const first = before + (distances[at] ?? 0);
    before = first + (distances[at + 1] ?? 0);
    runs.addRun(first, before);
  }
  return runs;
}
