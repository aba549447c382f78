import type { Logger } from '@gridtokenx/runtime/core';

/** A log that nobody reads. */
export const quietLog: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
