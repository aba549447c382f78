import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Forked, forkProcess } from '@gridtokenx/testing-kit/processes';
import { until } from '@gridtokenx/testing-kit/until';

/** The project's folder, from `testing/campaigns/{src,dist}/kill`. */
export const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
/** Below the ephemeral ports; each range serves one run, so that several runs can run at once. */
const BASE_PORT = 30_000;
const RANGES = 10;
const RANGE_PORTS = 20;
/** Offset of a port that the start itself does not use. */
const GUARD = 9;

/** Adjacent ranges of ports: each has room for one start. */
export interface PortRanges {
  readonly first: number;
  readonly count: number;
  /** Number of ports in one range. */
  readonly size: number;
}
const KILL_PORT_RANGES: PortRanges = { first: BASE_PORT, count: RANGES, size: RANGE_PORTS };

/** Claims a free range of ports for as long as the guard is open. Throws when all are claimed. */
export async function claimPorts(ranges = KILL_PORT_RANGES): Promise<{ ports: number; release: () => Promise<void> }> {
  for (let range = 0; range < ranges.count; range++) {
    const ports = ranges.first + range * ranges.size;
    const guard = await listen(ports + GUARD);
    if (guard) return { ports, release: () => new Promise((resolve) => guard.close(() => resolve())) };
  }
  throw new Error(`the ports from ${ranges.first} on are taken`);
}

function listen(port: number): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** The guard beside this module: the built file, or the source when a test runs on the sources. */
const GUARD_SCRIPT = fileURLToPath(
  new URL(`./guard${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
);

/** Starts `script` under a guard, which ends all processes that name the folder `data` when this process is gone. */
export async function guarded(data: string, script: string, args: readonly string[]) {
  const guard = forkProcess(GUARD_SCRIPT, [data, script, ...args]);
  const launcher = (await guard.ready)?.pid;
  if (launcher === undefined) throw new Error(`the guard ended with code ${(await guard.exited).code}`);
  return { guard, launcher };
}

/** One start of the whole system, as a person would start it, followed by its lines. */
export class System {
  readonly lines: readonly string[];
  readonly ended: Promise<number | null>;
  readonly #data: string;
  readonly #launcher: number;
  hasEnded = false;

  private constructor(data: string, { guard, launcher }: { guard: Forked; launcher: number }) {
    this.#data = data;
    this.#launcher = launcher;
    this.lines = guard.lines;
    this.ended = guard.exited.then(({ code }) => {
      this.hasEnded = true;
      return code;
    });
  }

  static async start(data: string, args: readonly string[]): Promise<System> {
    return new System(
      data,
      await guarded(data, join(ROOT, 'tools/devnet/dist/start/main.js'), ['--data', data, ...args]),
    );
  }

  said(pattern: RegExp): boolean {
    return this.lines.some((line) => pattern.test(line));
  }

  /** Returns process ids by name, which the start keeps in its data folder. */
  processes(): Record<string, number> {
    const path = join(this.#data, 'running.json');
    if (!existsSync(path)) return {};
    try {
      return (JSON.parse(readFileSync(path, 'utf8')) as { processes?: Record<string, number> }).processes ?? {};
    } catch {
      return {};
    }
  }

  /** Kills one process with -9; returns false when it is not running. */
  kill(name: string): boolean {
    const pid = name === 'launcher' ? (this.hasEnded ? undefined : this.#launcher) : this.processes()[name];
    if (pid === undefined || !isAlive(pid)) return false;
    // The list is written twice a second: a process id in it may now belong to another process.
    if (name !== 'launcher' && !commandOf(pid).includes(this.#data)) return false;
    process.kill(pid, 'SIGKILL');
    return true;
  }

  /** Resolves when no process of this data folder is left. */
  async gone(): Promise<void> {
    const pids = Object.values(this.processes());
    await until(
      'the processes end with their launcher',
      () => pids.every((pid) => !isAlive(pid) || !commandOf(pid).includes(this.#data)),
      30_000,
    );
  }

  async stop(): Promise<void> {
    if (!this.hasEnded) process.kill(this.#launcher, 'SIGTERM');
    await this.ended;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Every process of ours has a path below its data folder in its command line. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
