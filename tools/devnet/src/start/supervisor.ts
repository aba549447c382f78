import { type ChildProcess, fork, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BackOff, type Clock, OperatorError, within } from '@gridtokenx/runtime/core';
import { ExitCode, makeFolder, systemClock, systemRandom } from '@gridtokenx/runtime/node';
import { LOG_LOOK_MS, rotateAll } from './log-files.js';

/** One process of the system. */
export interface ProcessSpec {
  readonly name: string;
  readonly script: string;
  readonly args: readonly string[];
}

const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 15_000;
/** Delay before an ended process restarts; real milliseconds. */
const BACK_OFF = { initialMs: 200, maxMs: 5_000 } as const;
/** A process that ran this long restarts with the initial delay again. */
const STEADY_MS = 30_000;

interface Child {
  readonly spec: ProcessSpec;
  process: ChildProcess | null;
  readonly backOff: BackOff;
  wanted: boolean;
  startedAtMs: number;
  /** The last reported reason of a restart, so that the same reason is not repeated. */
  said: string;
}

/** Chooses a process that a debugger may attach to. */
export interface Inspected {
  readonly name: string;
  readonly port: number;
}

/** The default port of Node's debuggers. Only this machine reaches it. */
export const INSPECTOR_PORT = 9_229;

/**
 * Starts processes, restarts them when they die, stops them in order. Their output goes to files in `logs`, of bounded
 * size.
 */
export class Supervisor {
  readonly #logs: string;
  readonly #say: (line: string) => void;
  readonly #clock: Clock;
  readonly #inspected: Inspected | null;
  readonly #children = new Map<string, Child>();

  constructor(
    logs: string,
    say: (line: string) => void,
    clock: Clock = systemClock,
    inspected: Inspected | null = null,
  ) {
    this.#inspected = inspected;
    this.#clock = clock;
    this.#logs = logs;
    this.#say = say;
    makeFolder(logs);
    setInterval(() => rotateAll(logs), LOG_LOOK_MS).unref();
  }

  /** Returns processes that ended and have not restarted, in words. */
  problems(): string[] {
    return [...this.#children.values()]
      .filter(({ wanted, said }) => wanted && said !== '')
      .map(({ said }) => said.replace(/; starting it again\.$/, ', and is not back'));
  }

  /** Returns process ids by name, for people and for tests that kill. */
  pids(): Record<string, number> {
    const pids: Record<string, number> = {};
    for (const [name, child] of this.#children) if (child.process?.pid) pids[name] = child.process.pid;
    return pids;
  }

  /** Starts a process and waits until it reports ready. Rejects with `OperatorError` and its last words otherwise. */
  async start(spec: ProcessSpec): Promise<void> {
    const child: Child = {
      spec,
      process: null,
      backOff: new BackOff(BACK_OFF, systemRandom),
      wanted: true,
      startedAtMs: 0,
      said: '',
    };
    this.#children.set(spec.name, child);
    const ready = new Promise<void>((resolve, reject) => {
      const onExit = (how: string) => {
        child.wanted = false;
        reject(this.#failed(spec, how));
      };
      this.#launch(child, { onReady: resolve, onExit });
    });
    const late = () => this.#failed(spec, `not ready after ${READY_TIMEOUT_MS / 1000} s`);
    await within(this.#clock, READY_TIMEOUT_MS, ready, late);
  }

  /** One line: the process's log, which the line names, has the stack trace. */
  #failed({ name }: ProcessSpec, how: string): OperatorError {
    const problem = `${name} did not start (${how}): ${this.#lastWords(name)}`;
    return new OperatorError({ code: 'not-started', problem, advice: `its log is ${this.#logOf(name)}` });
  }

  #logOf(name: string): string {
    return join(this.#logs, `${name}.log`);
  }

  #lastWords(name: string): string {
    return readFileSync(this.#logOf(name), 'utf8').trimEnd().split('\n').at(-1) ?? '';
  }

  #launch(child: Child, first: { onReady: () => void; onExit: (how: string) => void } | null): void {
    const { spec } = child;
    rotateAll(this.#logs);
    const log = openSync(this.#logOf(spec.name), 'a');
    // A separate process group: a Ctrl-C in the terminal must reach us alone, so that we stop the others in order. When
    // this process dies, their channel to it closes and they stop by themselves.
    const started = fork(spec.script, [...spec.args], {
      execPath: process.execPath,
      execArgv: this.#inspected?.name === spec.name ? [`--inspect=127.0.0.1:${this.#inspected.port}`] : [],
      stdio: ['ignore', log, log, 'ipc'],
      detached: true,
    });
    closeSync(log);
    child.process = started;
    child.startedAtMs = this.#clock.monotonicMs();
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
    if (this.#clock.monotonicMs() - child.startedAtMs > STEADY_MS) child.backOff.reset();
    // Exit code 2 marks an error that the operator can correct, and the process's last line says how.
    const why = how === `exit code ${ExitCode.operator}` ? `: ${this.#lastWords(child.spec.name)}` : '';
    const words = `${child.spec.name} ended (${how})${why}; starting it again.`;
    if (words !== child.said) this.#say(words);
    child.said = words;
    this.#clock.after(child.backOff.next(), () => {
      if (child.wanted) this.#launch(child, null);
    });
  }

  /** Stops the named processes together and waits; kills a process that does not end. */
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
        const cancel = this.#clock.after(STOP_TIMEOUT_MS, () => {
          this.#say(`${name} does not stop; killing it.`);
          running.kill('SIGKILL');
        });
        await ended;
        cancel();
      }),
    );
  }

  names(): string[] {
    return [...this.#children.keys()];
  }
}

/**
 * Runs a command of one of the services to its end and returns its output. Rejects with `OperatorError` and its error
 * text.
 */
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
      else {
        const words = (err || out).trim().split('\n').slice(-3).join(' | ');
        reject(
          new OperatorError({ code: 'not-done', problem: `${script} ${args.join(' ')} failed: ${words}`, advice: '' }),
        );
      }
    });
  });
}
