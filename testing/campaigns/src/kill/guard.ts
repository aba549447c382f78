import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** A start's processes end by themselves after their launcher; the guard kills those that have not ended by then. */
const GRACE_MS = 2_000;
const ROUND_MS = 200;
const ROUNDS = 50;

/** Returns processes with the folder's path in their command line, except this process. */
export function processesOf(folder: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map(Number)
    .filter((pid) => argumentsOf(pid).some((text) => text === folder || text.startsWith(`${folder}/`)));
}

function argumentsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/** Kills processes that name the folder until none is left; first gives them time to end by themselves. */
async function endAll(folder: string): Promise<void> {
  const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  for (let waited = 0; waited < GRACE_MS && processesOf(folder).length > 0; waited += ROUND_MS) await sleep(ROUND_MS);
  for (let round = 0; round < ROUNDS; round++) {
    const left = processesOf(folder);
    if (left.length === 0) return;
    for (const pid of left) kill(pid);
    await sleep(ROUND_MS);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // The process has ended by itself.
  }
}

/**
 * Runs one start of the whole system and ends it when its parent is gone: `guard.js DATA SCRIPT ARGS...`. Sends `{pid}`
 * of the start over the channel to its parent and ends with the start's code. A worker can be killed at any moment,
 * even while it hangs. Its channel closes all the same, and no process that names the data folder outlives it.
 */
function main(folder: string, script: string, args: readonly string[]): void {
  // A Ctrl-C reaches the start through the terminal too; the guard stays until the start has ended.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  const start = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
  let isOrphan = false;
  process.once('disconnect', () => {
    isOrphan = true;
    start.kill('SIGKILL');
    void endAll(folder).finally(() => process.exit(1));
  });
  start.once('exit', (code) => {
    if (!isOrphan) process.exit(code ?? 1);
  });
  process.send?.({ pid: start.pid });
}

if (/\/guard\.[jt]s$/.test(process.argv[1] ?? '')) {
  const [folder = '', script = '', ...args] = process.argv.slice(2);
  main(folder, script, args);
}
