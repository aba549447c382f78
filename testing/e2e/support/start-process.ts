import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Forked, forkProcess } from '@gridtokenx/testing-kit/processes';

/** Starts a whole `npm start` as a separate process. */
export const startAll = (args: readonly string[]): Forked => forkProcess('tools/devnet/dist/start/main.js', args);

/** Returns process ids by name, which the start keeps in its data folder. */
export function processesOf(data: string): Record<string, number> {
  return (JSON.parse(readFileSync(join(data, 'running.json'), 'utf8')) as { processes: Record<string, number> })
    .processes;
}
