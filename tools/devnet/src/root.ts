import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The clone's folder: three levels above src and dist alike. */
export const projectRoot = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
