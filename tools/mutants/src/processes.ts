import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';

const children = new Set<ChildProcess>();

/** Ends a process with everything that it started. */
export function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

/** Ends every process that was started here: before this one ends. */
export function endAll(): void {
  for (const child of children) endGroup(child);
}

export interface Ended {
  /** null: it was ended by a signal, or could not be started. */
  readonly code: number | null;
  readonly isOutOfTime: boolean;
  readonly seconds: number;
}

/** Starts a process in a group of its own, and ends the group after `limitMs` at the latest. */
export function start(
  command: string,
  args: readonly string[],
  limitMs: number,
  options: SpawnOptions,
): { child: ChildProcess; ended: Promise<Ended> } {
  const started = Date.now();
  const child = spawn(command, [...args], { ...options, detached: true });
  children.add(child);
  let isOutOfTime = false;
  const ended = new Promise<Ended>((resolve) => {
    const timer = setTimeout(() => {
      isOutOfTime = true;
      endGroup(child);
    }, limitMs);
    const finish = (code: number | null) => {
      clearTimeout(timer);
      children.delete(child);
      resolve({ code, isOutOfTime, seconds: (Date.now() - started) / 1000 });
    };
    child.on('error', () => finish(null));
    // What it started may hold its output open.
    child.on('exit', () => endGroup(child));
    child.on('close', finish);
  });
  return { child, ended };
}
