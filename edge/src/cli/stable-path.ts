import { readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

/** Where Linux keeps a link to each serial adapter, named after maker and serial number. */
const BY_ID = '/dev/serial/by-id';

/**
 * Returns the path of a serial port that stays the same when the adapter returns under another number; the given path
 * where the system has no such link. `folder`: the links.
 */
export function stablePath(path: string, folder: string = BY_ID): string {
  try {
    const device = realpathSync(path);
    const name = readdirSync(folder)
      .sort()
      .find((one) => isLinkTo(join(folder, one), device));
    return name === undefined ? path : join(folder, name);
  } catch {
    return path;
  }
}

function isLinkTo(link: string, device: string): boolean {
  try {
    return realpathSync(link) === device;
  } catch {
    // A link to an adapter that is gone.
    return false;
  }
}
