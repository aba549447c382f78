import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Returns files and folders below `folder` that anybody but the owner may read, write or enter; empty when all are
 * private.
 */
export function readableByOthers(folder: string): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    // A file may disappear between the listing and the check.
    const mode = lstatSync(path, { throwIfNoEntry: false })?.mode ?? 0;
    if ((mode & 0o077) !== 0) found.push(`${path} ${(mode & 0o777).toString(8)}`);
    if (entry.isDirectory()) found.push(...readableByOthers(path));
  }
  return found;
}
