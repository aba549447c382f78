/** How one test file went. `pending`: another failed before it ran. */
export interface FileResult {
  /** Relative to the copy's folder, with `/`. */
  readonly file: string;
  readonly state: 'passed' | 'failed' | 'pending';
  readonly seconds: number;
}

/** The one message of a child to its parent. */
export interface RunResult {
  readonly files: readonly FileResult[];
  /** Errors that no test caught: the run counts as failed. */
  readonly strayErrors: number;
}

/** Gives a child its task, in its environment. */
export const TASK = 'GTX_MUTANTS_TASK';

export interface Task {
  /** Run in this order. */
  readonly files: readonly string[];
  readonly workers: number;
  /** Stops at the first failure. */
  readonly bail: boolean;
  /** null: as each test says. */
  readonly testTimeoutMs: number | null;
  /** Where each file writes which mutants it reached; null: nowhere. */
  readonly coverage: string | null;
}
