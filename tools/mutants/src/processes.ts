import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';

const children = new Set<ChildProcess>();

/** Ends a process and all its descendants. */
export function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The process has ended already.
  }
}

/** Ends every process that this module started: call it before this process ends. */
export function endAll(): void {
  for (const child of children) endGroup(child);
}

export interface Ended {
  /** null: a signal ended the process, or it could not start. */
  readonly code: number | null;
  readonly isOutOfTime: boolean;
  readonly seconds: number;
}

/** Starts a process in its own group, and ends the group after `limitMs` at the latest. */
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
    // Descendants may hold the process's output open.
    child.on('exit', () => endGroup(child));
    child.on('close', finish);
  });
  return { child, ended };
}
