import { readFileSync } from 'node:fs';

/** When other processes use more than this share of the machine, times say more about them than about an attack. */
export const MAX_FOREIGN_SHARE = 0.1;
/** Linux reports CPU time in hundredths of a second. */
const TICK_MS = 10;

/**
 * Returns milliseconds for which a process's main thread was ready to run and waited for a CPU (/proc/PID/schedstat).
 */
export function waitedMs(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return 0;
  }
}

function usedMs(pid: number): number {
  try {
    const fields = (readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1] ?? '').split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return 0;
  }
}

/** Returns busy and whole CPU time of the machine, in milliseconds of one core. */
function machineMs(): { busy: number; whole: number } {
  const times = (/^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? '').split(' ').map(Number);
  const whole = times.slice(0, 8).reduce((sum, ticks) => sum + ticks, 0);
  const idle = (times[3] ?? 0) + (times[4] ?? 0);
  return { busy: (whole - idle) * TICK_MS, whole: whole * TICK_MS };
}

/** Measures the part of the machine that other processes use from this object's creation on. */
export class Share {
  readonly #ours: ReadonlyMap<number, number>;
  readonly #machine = machineMs();

  /** `pids`: processes that are ours. */
  constructor(pids: readonly number[]) {
    this.#ours = new Map(pids.map((pid) => [pid, usedMs(pid)]));
  }

  /** Returns a share from 0 to 1; `more` is CPU time of our later processes, in milliseconds. */
  foreign(more: number): number {
    const now = machineMs();
    let ours = more;
    for (const [pid, before] of this.#ours) ours += Math.max(0, usedMs(pid) - before);
    const whole = now.whole - this.#machine.whole;
    return whole <= 0 ? 0 : Math.max(0, now.busy - this.#machine.busy - ours) / whole;
  }
}
