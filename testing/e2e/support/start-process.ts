import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Forked, forkProcess } from '@gridtokenx/testing-kit/processes';

/** A whole `npm start` as a process of its own. */
export const startAll = (args: readonly string[]): Forked => forkProcess('tools/devnet/dist/start/main.js', args);

/** Process ids by name, as the start keeps them in its data folder. */
export function processesOf(data: string): Record<string, number> {
  return (JSON.parse(readFileSync(join(data, 'running.json'), 'utf8')) as { processes: Record<string, number> })
    .processes;
}
