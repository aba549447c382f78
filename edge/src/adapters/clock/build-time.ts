import { OperatorError } from '@gridtokenx/runtime/core';
import type { Disk } from '../../domain/ports.js';

/** Lower bound of build times, ms since 1970: no software of this project is older. */
const EARLIEST_MS = Date.UTC(2026, 0, 1);

/**
 * Reads the time at which this software was built, from the file that the build writes: the true time is not below it.
 * Rejects with `OperatorError` where the file states none: without it the gateway would accept a certificate of long
 * ago.
 */
export async function readBuildTime(disk: Pick<Disk, 'read'>, file: string): Promise<number> {
  const bytes = await disk.read(file);
  if (bytes) {
    try {
      const { built_ms: builtAtMs } = JSON.parse(Buffer.from(bytes).toString('utf8')) as { built_ms?: unknown };
      if (Number.isSafeInteger(builtAtMs) && Number(builtAtMs) >= EARLIEST_MS) return Number(builtAtMs);
    } catch {
      // Falls through to the error below.
    }
  }
  const problem = 'does not say when this software was built';
  throw new OperatorError({ code: 'no-build-time', file, problem, advice: 'build or install it again' });
}
