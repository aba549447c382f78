import { ClockSource } from '@gridtokenx/runtime/core';
import type { NtpReport } from '../../domain/time/disciplined-clock.js';

/** Runs a program without a shell. Rejects when it fails, is late, or prints more than `mostBytes`. */
export type RunProgram = (
  file: string,
  args: readonly string[],
  limits: { readonly deadlineMs: number; readonly mostBytes: number },
) => Promise<string>;

/** Absolute paths only: a folder of the user's PATH might hold another program of this name. */
export const CHRONYC_PATHS = ['/usr/bin/chronyc', '/usr/local/bin/chronyc', '/bin/chronyc'] as const;
const ARGUMENTS = ['-c', '-n', 'tracking'] as const;
const LIMITS = { deadlineMs: 2_000, mostBytes: 2_048 };

/** Places in the line of `tracking` with `-c` (chrony 4.3). */
const FIELDS = 14;
const [REFERENCE, STRATUM, SYNCED_AT, OFFSET, ROOT_DELAY, ROOT_DISPERSION, LEAP] = [0, 2, 3, 4, 10, 11, 13];
/** The reference of a chronyd that believes its own machine (`local stratum`). */
const LOCAL_REFERENCE = '7F7F0101';
const HEX = /^[0-9A-F]{8}$/;
const NUMBER = /^-?\d{1,12}(\.\d{1,12})?$/;
const WHOLE = /^\d{1,2}$/;
const SYNCHRONISED = new Set(['Normal', 'Insert second', 'Delete second']);
const MAX_STRATUM = 15;

/**
 * Reads the answer of `chronyc -c -n tracking`. Returns null for a daemon that is not synchronised, and for any text that is
 * not such an answer. The error is the correction that is still to be made, half of the root delay and the root
 * dispersion. `nowMs`: the machine's clock.
 */
export function parseTracking(text: string, nowMs: number): NtpReport | null {
  const fields = text.trimEnd().split(',');
  const field = (place: number | undefined) => fields[place ?? -1] ?? '';
  if (fields.length !== FIELDS || text.length > LIMITS.mostBytes) return null;
  const [reference, stratum, syncedAt] = [field(REFERENCE), field(STRATUM), field(SYNCED_AT)];
  const seconds = [OFFSET, ROOT_DELAY, ROOT_DISPERSION].map(field);
  if (!HEX.test(reference) || reference === LOCAL_REFERENCE || !WHOLE.test(stratum)) return null;
  if (Number(stratum) < 1 || Number(stratum) > MAX_STRATUM || !SYNCHRONISED.has(field(LEAP))) return null;
  if (![syncedAt, ...seconds].every((one) => NUMBER.test(one))) return null;
  const [offset = 0, rootDelay = 0, rootDispersion = 0] = seconds.map((one) => Math.abs(Number(one)));
  return {
    source: ClockSource.chrony,
    stamp: `chrony ${syncedAt}`,
    ageMs: nowMs - 1_000 * Number(syncedAt),
    errorMs: 1_000 * (offset + rootDelay / 2 + rootDispersion),
  };
}

/** Returns the function that asks chronyd; null where it does not run, is late, or is not synchronised. Never rejects. */
export function chronySource(run: RunProgram, isThere: (file: string) => boolean, nowMs: () => number) {
  return async (): Promise<NtpReport | null> => {
    const file = CHRONYC_PATHS.find(isThere);
    if (file === undefined) return null;
    try {
      return parseTracking(await run(file, ARGUMENTS, LIMITS), nowMs());
    } catch {
      return null;
    }
  };
}
