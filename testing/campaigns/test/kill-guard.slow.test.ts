// Slow: kills real processes. Budget: 20 s.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '@gridtokenx/testing-kit/until';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { processesOf } from '../src/kill/guard.js';

let folder = '';
let worker: ChildProcess | null = null;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-guard-'));
  mkdirSync(join(folder, 'data'));
});
afterEach(() => {
  worker?.kill('SIGKILL');
  for (const pid of processesOf(join(folder, 'data'))) process.kill(pid, 'SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** A launcher with a child that ignores signals and a closed channel; both have the data folder in their arguments. */
function launcher(): string {
  const [path, child] = [join(folder, 'launcher.mjs'), join(folder, 'child.mjs')];
  writeFileSync(
    child,
    `for (const name of ['SIGTERM', 'SIGINT', 'disconnect']) process.on(name, () => {}); setInterval(() => {}, 1e6);`,
  );
  writeFileSync(
    path,
    `import { fork } from 'node:child_process';
     fork(${JSON.stringify(child)}, ['--config', process.argv[3] + '/config'], { detached: true });
     process.on('SIGTERM', () => {});
     setInterval(() => {}, 1e6);`,
  );
  return path;
}

/** Starts a worker that runs a start; `how` is the code that starts it. Resolves when its processes run. */
async function startWorker(how: (script: string, data: string) => string, processes: number): Promise<string> {
  const data = join(folder, 'data');
  const path = join(folder, 'worker.mjs');
  writeFileSync(path, how(launcher(), data));
  worker = spawn(process.execPath, [path], { stdio: ['ignore', 'inherit', 'inherit'] });
  await until('the start is under way', () => processesOf(data).length === processes, 20_000);
  return data;
}

async function killWorker(): Promise<void> {
  const ended = new Promise((resolve) => worker?.once('exit', resolve));
  worker?.kill('SIGKILL');
  await ended;
}

const GUARD = new URL('../src/kill/guard.ts', import.meta.url).pathname;

it('a worker that is killed leaves no process of its start behind', async () => {
  const data = await startWorker(
    (script, path) =>
      `import { fork } from 'node:child_process';
       fork(${JSON.stringify(GUARD)}, ${JSON.stringify([path, script, '--data', path])});
       // Stuck: it hears nothing any more.
       setTimeout(() => { for (;;); }, 100);`,
    3,
  );
  await killWorker();
  await until('nothing is left', () => processesOf(data).length === 0, 20_000);
});

it('control: without the guard they stay', async () => {
  const data = await startWorker(
    (script, path) =>
      `import { spawn } from 'node:child_process';
       spawn(process.execPath, ${JSON.stringify([script, '--data', path])});`,
    2,
  );
  await killWorker();
  await expect(until('nothing is left', () => processesOf(data).length === 0, 3_000)).rejects.toThrow(
    'nothing is left',
  );
});
