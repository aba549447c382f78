import { existsSync, readFileSync } from 'node:fs';
import { parseSimulatedClock } from '@gridtokenx/protocol';
import { parse } from 'yaml';
import { Generations } from '../chain/generations.js';
import { UserError } from '../user-error.js';
import { type Paths, pathsIn } from './layout.js';

/** The network that a data folder was made for, hex: its oracle's configuration names it. Null for a new folder. */
export function networkIn({ oracleConfig }: Pick<Paths, 'oracleConfig'>): string | null {
  if (!existsSync(oracleConfig)) return null;
  try {
    const { network_id: id } = parse(readFileSync(oracleConfig, 'utf8')) as { network_id?: unknown };
    return typeof id === 'string' && /^[0-9a-f]{16}$/.test(id) ? id : null;
  } catch {
    return null;
  }
}

/** Files without which an existing deployment cannot go on; made anew, they would be others. */
const KEYS = ['authority', 'utility', 'installer', 'attestor'] as const;

/**
 * Throws `UserError` for a data folder whose chain, clock or keys are lost or damaged, or which another version made. An
 * empty one is never begun in its place. Touches nothing.
 */
export function checkDataIn(data: string): void {
  const paths = pathsIn(data);
  const network = networkIn(paths);
  new Generations(paths.snapshot).choose(network, data);
  const wayOut = `bring it back from a backup, or delete ${data} to begin anew`;
  if (existsSync(paths.clock)) {
    try {
      parseSimulatedClock(readFileSync(paths.clock, 'utf8'));
    } catch {
      throw new UserError(`${paths.clock} is cut off or changed: ${wayOut}`);
    }
  }
  if (network === null) return;
  for (const path of [paths.clock, ...KEYS.map((name) => paths.key(name))]) {
    if (!existsSync(path))
      throw new UserError(`${path} is not there, and ${data} was made for network ${network}: ${wayOut}`);
  }
}

/** True when another process with this id runs. */
export function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
