import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Files and folders below `folder` that anybody but the owner may read, write or enter; empty when all is private. */
export function readableByOthers(folder: string): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    // A file may go away between the list and the look.
    const mode = lstatSync(path, { throwIfNoEntry: false })?.mode ?? 0;
    if ((mode & 0o077) !== 0) found.push(`${path} ${(mode & 0o777).toString(8)}`);
    if (entry.isDirectory()) found.push(...readableByOthers(path));
  }
  return found;
}
