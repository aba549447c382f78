import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export { freePort } from './free-port.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
let built = false;

/** Processes run what `npm run build` makes. */
export function build(): void {
  if (!built) execFileSync(process.execPath, [join(root, 'tools/build.mjs')], { stdio: 'inherit' });
  built = true;
}

/** Waits for a condition; fails with its name when the deadline passes. Polled, because it spans processes. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs = 30_000,
): Promise<void> {
  const end = Date.now() + deadlineMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export class Service {
  readonly process: ChildProcess;
  output = '';
  readonly exited: Promise<number | null>;

  constructor(script: string, args: readonly string[]) {
    // Not the test runner's own options: the process must run as a user's does.
    const { NODE_OPTIONS: _, ...env } = process.env;
    this.process = fork(join(root, script), args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], execArgv: [], env });
    this.process.stdout?.on('data', (bytes: Buffer) => {
      this.output += bytes.toString();
    });
    this.process.stderr?.on('data', (bytes: Buffer) => {
      this.output += bytes.toString();
    });
    this.exited = once(this.process, 'exit').then(([code]) => code as number | null);
  }

  /** Resolves when the process says that it serves; fails with its output when it ends before. */
  async ready(): Promise<this> {
    const said = new Promise<boolean>((resolve) => {
      this.process.on('message', (message: { type?: string }) => message.type === 'ready' && resolve(true));
    });
    if (!(await Promise.race([said, this.exited.then(() => false)]))) throw new Error(`ended early:\n${this.output}`);
    return this;
  }

  async kill(signal: NodeJS.Signals): Promise<number | null> {
    this.process.kill(signal);
    return this.exited;
  }
}

/** Runs a command to its end. */
export async function command(
  script: string,
  args: readonly string[],
): Promise<{ code: number | null; output: string }> {
  const service = new Service(script, args);
  const code = await service.exited;
  return { code, output: service.output };
}

export function temporaryDirectory(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'gridtokenx-edge-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export function writeJson(path: string, value: unknown): string {
  writeFileSync(path, JSON.stringify(value, null, 2));
  return path;
}
