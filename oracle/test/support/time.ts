import type { Logger } from '@gridtokenx/runtime/core';

/** A logger that keeps its lines. */
export function testLogger(): Logger & { readonly lines: string[] } {
  const lines: string[] = [];
  const log = (_fields: object, message: string) => void lines.push(message);
  return { lines, debug: log, info: log, warn: log, error: log };
}

/** Runs callbacks of promises that are already resolved. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 200; i++) await Promise.resolve();
}
