import { ClockSource } from '@gridtokenx/runtime/core';
import type { DisciplinedClock, NtpSource } from './disciplined-clock.js';

const NAMES: Readonly<Record<NtpSource, string>> = {
  [ClockSource.timesyncd]: 'systemd-timesyncd',
  [ClockSource.chrony]: 'chrony',
};

/** Returns the name of a source, as `status` shows it [numbers §4.2]. */
export function sourceName(source: ClockSource): string {
  return Object.entries(ClockSource).find(([, number]) => number === source)?.[0] ?? 'none';
}

const text = (timeMs: number) => new Date(Math.floor(timeMs)).toISOString().slice(0, 19).replace('T', ' ');

/** Names the clock's sources that contradict each other, with their times; null while none do. */
export function sourceProblem(clock: Pick<DisciplinedClock, 'dispute' | 'belowFloorMs'>): string | null {
  const { dispute, belowFloorMs } = clock;
  if (dispute) {
    const { source, ntpMs, signedMs } = dispute;
    return `${NAMES[source]} says ${text(ntpMs)} and the oracles' signed time says ${text(signedMs)} (UTC): the gateway uses the signed time and closes no window, so correct the servers of ${NAMES[source]}`;
  }
  if (belowFloorMs === null) return null;
  return `this machine's time service says ${text(belowFloorMs)} (UTC), which is in the past of what this gateway knows: it waits for an oracle's signed time`;
}
