import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { Generations } from '../chain/generations.js';
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

/** Throws `UserError` for a data folder whose chain is lost, or was made by another version. Touches nothing. */
export function checkChainIn(data: string): void {
  const paths = pathsIn(data);
  new Generations(paths.snapshot).choose(networkIn(paths), data);
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
