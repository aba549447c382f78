import { type ChildProcess, fork, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../user-error.js';
import { LOG_LOOK_MS, rotateAll } from './log-files.js';

/** One process of the system. */
export interface ProcessSpec {
  readonly name: string;
  readonly script: string;
  readonly args: readonly string[];
}

const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 15_000;
const BACKOFF_MS = [100, 200, 500, 1_000, 2_000, 5_000];

interface Child {
  readonly spec: ProcessSpec;
  process: ChildProcess | null;
  failures: number;
  wanted: boolean;
  startedAtMs: number;
  /** Why it was started again, as it was said last: the same is not said twice. */
  said: string;
}

/** Starts processes, starts them again when they die, stops them in order. Their output goes to files in `logs`, of bounded size. */
export class Supervisor {
  readonly #logs: string;
  readonly #say: (line: string) => void;
  readonly #children = new Map<string, Child>();

  constructor(logs: string, say: (line: string) => void) {
    this.#logs = logs;
    this.#say = say;
    mkdirSync(logs, { recursive: true });
    setInterval(() => rotateAll(logs), LOG_LOOK_MS).unref();
  }

  /** Processes that ended and are not back, in words. */
  problems(): string[] {
    return [...this.#children.values()]
      .filter(({ wanted, said }) => wanted && said !== '')
      .map(({ said }) => said.replace(/; starting it again\.$/, ', and is not back'));
  }

  /** Process ids by name, for people and for tests that kill. */
  pids(): Record<string, number> {
    const pids: Record<string, number> = {};
    for (const [name, child] of this.#children) if (child.process?.pid) pids[name] = child.process.pid;
    return pids;
  }

  /** Starts a process and waits until it says that it is ready. Throws `UserError` with its last words otherwise. */
  async start(spec: ProcessSpec): Promise<void> {
    const child: Child = { spec, process: null, failures: 0, wanted: true, startedAtMs: 0, said: '' };
    this.#children.set(spec.name, child);
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(this.#failed(spec, `not ready after ${READY_TIMEOUT_MS / 1000} s`)),
        READY_TIMEOUT_MS,
      );
      this.#launch(child, {
        onReady: () => {
          clearTimeout(timer);
          resolve();
        },
        onExit: (how) => {
          clearTimeout(timer);
          child.wanted = false;
          reject(this.#failed(spec, how));
        },
      });
    });
  }

  #failed(spec: ProcessSpec, how: string): UserError {
    const log = this.#lastWords(spec.name, 5);
    return new UserError(`${spec.name} did not start (${how}). Its last words:\n  ${log}`);
  }

  #lastWords(name: string, lines: number): string {
    const log = readFileSync(join(this.#logs, `${name}.log`), 'utf8');
    return log.trimEnd().split('\n').slice(-lines).join('\n  ');
  }

  #launch(child: Child, first: { onReady: () => void; onExit: (how: string) => void } | null): void {
    const { spec } = child;
    rotateAll(this.#logs);
    const log = openSync(join(this.#logs, `${spec.name}.log`), 'a');
    // A group of its own: a Ctrl-C in the terminal must reach us alone, so that we stop the others in order. When we
    // die, their channel to us closes and they stop by themselves.
    const started = fork(spec.script, [...spec.args], {
      execPath: process.execPath,
      execArgv: [],
      stdio: ['ignore', log, log, 'ipc'],
      detached: true,
    });
    closeSync(log);
    child.process = started;
    child.startedAtMs = Date.now();
    let ready = false;
    started.on('message', (message: { type?: string }) => {
      if (message.type !== 'ready' || ready) return;
      ready = true;
      if (first) first.onReady();
      else {
        child.said = '';
        this.#say(`${spec.name} is back.`);
      }
    });
    started.on('exit', (code, signal) => {
      child.process = null;
      const how = signal ? `signal ${signal}` : `exit code ${code}`;
      if (!child.wanted) return;
      if (first && !ready) first.onExit(how);
      else this.#again(child, how);
    });
  }

  #again(child: Child, how: string): void {
    if (Date.now() - child.startedAtMs > 30_000) child.failures = 0;
    const wait = BACKOFF_MS[Math.min(child.failures, BACKOFF_MS.length - 1)] ?? 5_000;
    child.failures++;
    // What a person can mend ends with 2, and its last line says how.
    const why = how === 'exit code 2' ? `: ${this.#lastWords(child.spec.name, 1)}` : '';
    const words = `${child.spec.name} ended (${how})${why}; starting it again.`;
    if (words !== child.said) this.#say(words);
    child.said = words;
    setTimeout(() => {
      if (child.wanted) this.#launch(child, null);
    }, wait);
  }

  /** Stops the named processes together and waits; a process that does not end is killed. */
  async stop(names: readonly string[]): Promise<void> {
    await Promise.all(
      names.map(async (name) => {
        const child = this.#children.get(name);
        if (!child) return;
        child.wanted = false;
        const running = child.process;
        if (!running) return;
        const ended = new Promise<void>((resolve) => running.once('exit', () => resolve()));
        running.kill('SIGTERM');
        const timer = setTimeout(() => {
          this.#say(`${name} does not stop; killing it.`);
          running.kill('SIGKILL');
        }, STOP_TIMEOUT_MS);
        await ended;
        clearTimeout(timer);
      }),
    );
  }

  names(): string[] {
    return [...this.#children.keys()];
  }
}

/** Runs a command of one of the services to its end and returns what it printed. Throws with its error text. */
export function runOnce(script: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    child.stderr.on('data', (chunk) => {
      err += chunk;
    });
    child.on('close', (code) => {
      if (code === 0) resolve(out);
      else
        reject(
          new UserError(`${script} ${args.join(' ')} failed: ${(err || out).trim().split('\n').slice(-3).join(' | ')}`),
        );
    });
  });
}
