import type { Disk } from '../../domain/ports.js';
import { sealText, unsealText } from './sealed-text.js';
import type { Stream } from './segment.js';

/** How far a stream was visited: up to `offset` of the segment with this number, and everything before it. */
export interface Position {
  readonly number: number;
  readonly offset: number;
}
export type Positions = Readonly<Record<Stream, Position>>;

export const BEGIN: Positions = { r: { number: 0, offset: 0 }, s: { number: 0, offset: 0 } };

const pathIn = (dir: string) => `${dir}/checkpoint`;

/** Stores how far the records were visited, and what they showed. Rejects with the disk's error. */
export function storeCheckpoint(disk: Disk, dir: string, at: Positions, snapshot: string): Promise<void> {
  return disk.replace(pathIn(dir), sealText(`${JSON.stringify(at)}\n${snapshot}`));
}

/** Returns the stored checkpoint; null when there is none that can be read. */
export async function readCheckpoint(disk: Disk, dir: string): Promise<{ at: Positions; snapshot: string } | null> {
  const text = unsealText(await disk.read(pathIn(dir)).catch(() => null));
  if (text === null) return null;
  const end = text.indexOf('\n');
  return { at: JSON.parse(text.slice(0, end)) as Positions, snapshot: text.slice(end + 1) };
}
