import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The clone's folder: two levels above tools/src and tools/dist alike. */
export const projectRoot = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
