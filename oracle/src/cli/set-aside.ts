import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { OperatorError } from '@gridtokenx/runtime/core';
import { DatabaseDamaged, moveAside, openChecked, stampOf } from '../adapters/sqlite/damage.js';
import type { Config } from '../wiring/config.js';

/** A listener on this machine answers at once, in ms. */
const LOOK_MS = 1_000;

/** Returns true when a process listens on the address of the oracle's page. */
function isServing({ host, port }: Config['page']): Promise<boolean> {
  if (port === 0) return Promise.resolve(false);
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: LOOK_MS });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
  });
}

/**
 * Moves a damaged ledger aside. The next start begins a new ledger, and gateways send their messages again. Returns the
 * new names. Throws one line where the oracle runs or the ledger is intact.
 */
export async function setAside(config: Config, path: (name: string) => string, nowMs: number): Promise<string[]> {
  const file = join(path(config.data_dir), 'ledger.sqlite');
  const { host, port } = config.page;
  if (!existsSync(file))
    throw new OperatorError({
      code: 'no-ledger',
      file: file,
      problem: 'there is no ledger',
      advice: 'is data_dir right?',
    });
  if (await isServing(config.page))
    throw new OperatorError({
      code: 'still-running',
      problem: `something listens on ${host}:${port}`,
      advice: 'stop the oracle first',
    });
  try {
    openChecked(file, Number.POSITIVE_INFINITY).close();
  } catch (error) {
    if (error instanceof DatabaseDamaged) return moveAside(file, stampOf(nowMs));
    throw error;
  }
  throw new OperatorError({ code: 'nothing-to-do', problem: `${file} is intact`, advice: 'there is nothing to move' });
}
