import { readFileSync } from 'node:fs';

/** With more than this share of the machine in others' hands, times say more about them than about an attack. */
export const MAX_FOREIGN_SHARE = 0.1;
/** Linux counts CPU time for its readers in hundredths of a second. */
const TICK_MS = 10;

/** Milliseconds that a process has waited for a CPU with its main thread, ready to run (/proc/PID/schedstat). */
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

/** Busy and whole CPU time of the machine, in milliseconds of one core. */
function machineMs(): { busy: number; whole: number } {
  const times = (/^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? '').split(' ').map(Number);
  const whole = times.slice(0, 8).reduce((sum, ticks) => sum + ticks, 0);
  const idle = (times[3] ?? 0) + (times[4] ?? 0);
  return { busy: (whole - idle) * TICK_MS, whole: whole * TICK_MS };
}

/** Tells which part of the machine others took since it was made. */
export class Share {
  readonly #ours: ReadonlyMap<number, number>;
  readonly #machine = machineMs();

  /** `pids`: processes that are ours. */
  constructor(pids: readonly number[]) {
    this.#ours = new Map(pids.map((pid) => [pid, usedMs(pid)]));
  }

  /** From 0 to 1; `more` is CPU time of ours by processes that came later, in milliseconds. */
  foreign(more: number): number {
    const now = machineMs();
    let ours = more;
    for (const [pid, before] of this.#ours) ours += Math.max(0, usedMs(pid) - before);
    const whole = now.whole - this.#machine.whole;
    return whole <= 0 ? 0 : Math.max(0, now.busy - this.#machine.busy - ours) / whole;
  }
}
