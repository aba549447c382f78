import type { Logger } from '@gridtokenx/runtime/core';

/** Keeps what was logged. */
export function testLogger(): Logger & { readonly lines: string[] } {
  const lines: string[] = [];
  const log = (_fields: object, message: string) => void lines.push(message);
  return { lines, debug: log, info: log, warn: log, error: log };
}

/** Lets promises that are already resolved run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 200; i++) await Promise.resolve();
}
