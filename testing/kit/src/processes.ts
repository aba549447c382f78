import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve as resolvePath } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export { freePort } from './free-port.js';
export { until } from './until.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const READY_MS = 60_000;
let built = false;

/** Builds: processes run the output of `npm run build`. */
export function build(): void {
  if (!built) execFileSync(process.execPath, [join(root, 'tools/build.mjs')], { stdio: 'inherit' });
  built = true;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
}

/** The message of a service that serves; a guard adds the process that it runs. */
interface Ready {
  readonly port?: number;
  readonly servicePort?: number;
  readonly pid?: number;
}

/** Options of a script's process where they differ from the defaults. */
interface ForkOptions {
  /** Options of Node itself. */
  readonly execArgv?: readonly string[];
  /** The Node that runs it; the test's own by default. */
  readonly execPath?: string;
}

/** A process of this project, serving or not. */
export interface Forked {
  readonly child: ChildProcess;
  /** Null when the process ends without having served. */
  readonly ready: Promise<Ready | null>;
  /** Returns its output so far. It may be ready, and answer, before its log is written: poll for lines. */
  readonly output: () => string;
  /** Its complete lines so far. */
  readonly lines: readonly string[];
  /** Resolves with the next line that matches; rejects when the process ends without one. */
  line(pattern: RegExp): Promise<string>;
  readonly exited: Promise<Ended>;
  kill(signal: 'SIGKILL' | 'SIGTERM' | 'SIGINT'): Promise<Ended>;
}

/** A service that serves. */
export interface Running extends Forked {
  /** Port of its page; `NaN` where the service states none. */
  readonly port: number;
  /** Port of the oracle's time and co-signing. */
  readonly servicePort: number;
}

/** Collects a process's output, as text and by lines. */
function collect(child: ChildProcess, exited: Promise<Ended>): Pick<Forked, 'output' | 'lines' | 'line'> {
  let output = '';
  const lines: string[] = [];
  const watchers = new Set<(line: string) => void>();
  for (const stream of [child.stdout, child.stderr]) {
    if (!stream) continue;
    stream.on('data', (chunk) => (output += String(chunk)));
    createInterface(stream).on('line', (line) => {
      lines.push(line);
      for (const watcher of [...watchers]) watcher(line);
    });
  }
  const line = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const watcher = (one: string) => {
        if (!pattern.test(one)) return;
        watchers.delete(watcher);
        resolve(one);
      };
      watchers.add(watcher);
      void exited.then(({ code, signal }) =>
        reject(new Error(`ended (${code ?? signal}) before ${pattern}:\n${output}`)),
      );
    });
  return { output: () => output, lines, line };
}

/** Starts a script in the project's folder; resolves a relative path from there. */
export function forkProcess(script: string, args: readonly string[], options: ForkOptions = {}): Forked {
  // Without the test runner's own options: the process must run as a user's does.
  const { NODE_OPTIONS: _, ...env } = process.env;
  const { execArgv = [], execPath = process.execPath } = options;
  const child = fork(resolvePath(root, script), [...args], {
    ...{ cwd: root, env, execPath, execArgv: [...execArgv] },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  // At `exit`, the last output may still be on its way; `close` is not emitted after a disconnect.
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
  const kill = (signal: 'SIGKILL' | 'SIGTERM' | 'SIGINT') => {
    child.kill(signal);
    return exited;
  };
  return { child, ready, ...collect(child, exited), exited, kill };
}

/**
 * Starts a service and waits until it serves. Rejects with its output when it ends before, or needs more than a minute.
 */
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
