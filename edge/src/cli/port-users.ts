import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

/** Names the programs that have the port at `path` open, as far as this user may see. Empty without `proc` or the port. */
export function portUsers(path: string, proc = '/proc'): string[] {
  try {
    const device = realpathSync(path);
    const pids = readdirSync(proc).filter((name) => /^\d+$/.test(name));
    return pids.filter((pid) => holds(join(proc, pid), device)).map((pid) => nameOf(proc, pid));
  } catch {
    // This system is not Linux, or the port is gone.
    return [];
  }
}

function holds(process: string, device: string): boolean {
  try {
    return readdirSync(join(process, 'fd')).some((fd) => readlinkSync(join(process, 'fd', fd)) === device);
  } catch {
    return false;
  }
}

function nameOf(proc: string, pid: string): string {
  try {
    return `${readFileSync(join(proc, pid, 'comm'), 'utf8').trim()} (process ${pid})`;
  } catch {
    return `process ${pid}`;
  }
}
