import { type Reason, WireError } from '../src/index.js';

/** The reason under which `work` refuses, null when it does not; any other error is thrown on. */
export function reasonOf(work: () => unknown): Reason | null {
  try {
    work();
    return null;
  } catch (error) {
    if (error instanceof WireError) return error.reason;
    throw error;
  }
}
