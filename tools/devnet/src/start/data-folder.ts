import { existsSync } from 'node:fs';
import { parseSimulatedClock } from '@gridtokenx/protocol';
import { OperatorError } from '@gridtokenx/runtime/core';
import { readRegularFile } from '@gridtokenx/runtime/node';
import { Generations } from '../chain/generations.js';
import { textIn } from '../files.js';
import { type Paths, pathsIn } from './layout.js';

/**
 * Returns the network that a data folder was made for, hex, which its oracle's configuration names. Null for a new
 * folder.
 */
export function networkIn({ oracleConfig }: Pick<Paths, 'oracleConfig'>): string | null {
  const id = textIn(oracleConfig, 'network_id');
  return id !== null && /^[0-9a-f]{16}$/.test(id) ? id : null;
}

/** Files without which an existing deployment cannot continue: new ones would be different. */
const KEYS = ['authority', 'utility', 'installer', 'attestor'] as const;

/**
 * Throws `OperatorError` for a data folder whose chain, clock or keys are lost or damaged, or which another version
 * made. An empty folder never replaces it. Changes nothing.
 */
export function checkDataIn(data: string): void {
  const paths = pathsIn(data);
  const network = networkIn(paths);
  new Generations(paths.snapshot).choose(network, data);
  const advice = `restore it from a backup, or delete ${data} to begin anew`;
  if (existsSync(paths.clock)) {
    try {
      parseSimulatedClock(readRegularFile(paths.clock).toString('utf8'));
    } catch {
      throw new OperatorError({ code: 'damaged-file', file: paths.clock, problem: 'is truncated or changed', advice });
    }
  }
  if (network === null) return;
  for (const path of [paths.clock, ...KEYS.map((name) => paths.key(name))]) {
    if (existsSync(path)) continue;
    const problem = `is not there, and ${data} was made for network ${network}`;
    throw new OperatorError({ code: 'missing-file', file: path, problem, advice });
  }
}

/** Returns true when another process with this id runs. */
export function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
