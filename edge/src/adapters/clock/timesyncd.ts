import { statSync } from 'node:fs';
import { ClockSource } from '@gridtokenx/runtime/core';
import { DRIFT } from '../../domain/time/anchor.js';
import type { NtpReport } from '../../domain/time/disciplined-clock.js';

/** systemd-timesyncd touches this file each time it has synchronised the clock. */
const FLAG_FILE = '/run/systemd/timesync/synchronized';
/** Bound of the error right after a synchronisation, ms. */
const SYNCHRONISED_MS = 1_000;

/**
 * Returns when timesyncd synchronised last, ms since 1970 by the machine's clock; null for never, and where this user may
 * not see its file.
 */
export function timesyncdTouchedAtMs(stat: (file: string) => { readonly mtimeMs: number } = statSync): number | null {
  try {
    return stat(FLAG_FILE).mtimeMs;
  } catch {
    return null;
  }
}

/**
 * Judges the machine's clock by the age of timesyncd's last synchronisation. Null where it never synchronised.
 */
export function timesyncdReport(touchedAtMs: number | null, nowMs: number): NtpReport | null {
  if (touchedAtMs === null) return null;
  const ageMs = nowMs - touchedAtMs;
  const errorMs = SYNCHRONISED_MS + Math.max(0, ageMs) * DRIFT;
  return { source: ClockSource.timesyncd, stamp: `timesyncd ${touchedAtMs}`, ageMs, errorMs };
}
