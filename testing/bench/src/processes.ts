import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { startProcess } from '@gridtokenx/testing-kit/processes';

const READY_MS = 30_000;
const STOP_MS = 15_000;

/** A process under measurement. */
export interface Measured {
  readonly pid: number;
  /** Returns the largest resident memory so far in MB (VmHWM); null where the system does not report it. */
  peakMb(): number | null;
  /**
   * Returns the CPU time so far in milliseconds, all threads, user and system; null where the system does not report
   * it.
   */
  cpuMs(): number | null;
  /** Sends SIGTERM, and SIGKILL when the process takes too long; resolves after its end. */
  stop(): Promise<void>;
  /** Sends SIGKILL; resolves after its end. */
  kill(): Promise<void>;
}

function measured(child: ChildProcess): Measured {
  const pid = child.pid ?? 0;
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    pid,
    peakMb: () => peakMbOf(pid),
    cpuMs: () => cpuMsOf(pid),
    async stop() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await exited;
      clearTimeout(timer);
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/**
 * Returns the largest resident memory so far of a process in MB. Null where the system does not report it, or the
 * process has ended.
 */
export function peakMbOf(pid: number): number | null {
  try {
    const match = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return match ? Number(match[1]) / 1024 : null;
  } catch {
    return null;
  }
}

/** Linux reports CPU time in hundredths of a second, whatever the kernel's own tick is (proc(5), USER_HZ). */
const TICK_MS = 10;

/**
 * Returns the CPU time of a process so far in milliseconds; null where the system does not report it, or the process
 * has ended.
 */
export function cpuMsOf(pid: number): number | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the name in brackets and may hold any character; user and system time are fields 14 and 15.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return null;
  }
}

/** Starts one of our services and waits until it reports ready. Rejects with its last output. */
export async function startService(script: string, args: readonly string[]): Promise<Measured> {
  const { child } = await startProcess(script, args);
  return measured(child);
}

/** Starts any other server and waits until its port answers. Rejects with its last output. */
export async function startServer(command: string, args: readonly string[], isUp: () => Promise<boolean>) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const words = lastWords(child);
  await withDeadline(child, words, (resolve) => {
    const look = async () => {
      while (child.exitCode === null && !(await isUp())) await delay(20);
      resolve();
    };
    void look();
  });
  return measured(child);
}

function lastWords(child: ChildProcess): () => string {
  let output = '';
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-2_000);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  return () => output;
}

async function withDeadline(child: ChildProcess, words: () => string, wait: (resolve: () => void) => void) {
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`not ready after ${READY_MS / 1000} s: ${words()}`));
    }, READY_MS);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`ended with ${code}: ${words()}`)));
    wait(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
