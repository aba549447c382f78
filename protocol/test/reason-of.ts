import { type Reason, WireError } from '../src/index.js';

/** Returns the reason under which `work` refuses; null when it does not. Rethrows any other error. */
export function reasonOf(work: () => unknown): Reason | null {
  try {
    work();
    return null;
  } catch (error) {
    if (error instanceof WireError) return error.reason;
    throw error;
  }
}
