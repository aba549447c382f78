import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve as resolvePath } from 'node:path';
import { fileURLToPath } from 'node:url';

export { freePort } from './free-port.js';
export { until } from './until.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const READY_MS = 60_000;
let built = false;

/** Processes run what `npm run build` makes. */
export function build(): void {
  if (!built) execFileSync(process.execPath, [join(root, 'tools/build.mjs')], { stdio: 'inherit' });
  built = true;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
}

/** What a service says when it serves. */
interface Ready {
  readonly port?: number;
  readonly servicePort?: number;
}

/** A process of ours, whether it serves yet or not. */
export interface Forked {
  readonly child: ChildProcess;
  /** Null when it ends without having served. */
  readonly ready: Promise<Ready | null>;
  /** What it wrote so far. It may be ready, and answer, before its log is written: poll for lines. */
  readonly output: () => string;
  readonly exited: Promise<Ended>;
  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<Ended>;
}

/** A service that serves. */
export interface Running extends Forked {
  /** Where it serves its page; `NaN` where it does not say. */
  readonly port: number;
  /** Where the oracle serves time and co-signing. */
  readonly servicePort: number;
}

/** Starts a script; a relative path is below the project's folder. */
export function forkProcess(script: string, args: readonly string[]): Forked {
  // Not the test runner's own options: the process must run as a user's does.
  const { NODE_OPTIONS: _, ...env } = process.env;
  const stdio = ['ignore', 'pipe', 'pipe', 'ipc'] as const;
  const child = fork(resolvePath(root, script), [...args], { stdio: [...stdio], execArgv: [], env });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += String(chunk)));
  // What it wrote last may still be on its way at `exit`; `close` does not come after a disconnect.
  const written = Promise.all(
    [child.stdout, child.stderr].map((stream) => new Promise<void>((done) => stream?.once('close', () => done()))),
  );
  const exited = new Promise<Ended>((resolve) => {
    child.once('exit', (code, signal) => void written.then(() => resolve({ code, signal })));
  });
  const ready = new Promise<Ready | null>((resolve) => {
    child.once('message', (message) => resolve(message as Ready));
    void exited.then(() => resolve(null));
  });
  const kill = (signal: 'SIGKILL' | 'SIGTERM') => {
    child.kill(signal);
    return exited;
  };
  return { child, ready, output: () => output, exited, kill };
}

/** Starts a service and waits until it serves. Rejects with its output when it ends before, or takes a minute. */
export async function startProcess(script: string, args: readonly string[]): Promise<Running> {
  const forked = forkProcess(script, args);
  const timer = setTimeout(() => forked.child.kill('SIGKILL'), READY_MS);
  const ready = await forked.ready;
  clearTimeout(timer);
  if (!ready) {
    const { code, signal } = await forked.exited;
    throw new Error(`ended with ${code ?? signal}: ${forked.output()}`);
  }
  return { ...forked, port: ready.port ?? Number.NaN, servicePort: ready.servicePort ?? Number.NaN };
}

/** Runs a command to its end. */
export async function command(
  script: string,
  args: readonly string[],
): Promise<{ code: number | null; output: string }> {
  const { exited, output } = forkProcess(script, args);
  const { code } = await exited;
  return { code, output: output() };
}

export function temporaryDirectory(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'gridtokenx-edge-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export function writeJson(path: string, value: unknown): string {
  writeFileSync(path, JSON.stringify(value, null, 2));
  return path;
}
