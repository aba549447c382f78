/** The result of one test file. `pending`: another file failed before it ran. */
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

/** Name of the environment variable that carries a child's task. */
export const TASK = 'GTX_MUTANTS_TASK';

export interface Task {
  /** Run in this order. */
  readonly files: readonly string[];
  readonly workers: number;
  /** Stops at the first failure. */
  readonly bail: boolean;
  /** null: each test's own limit. */
  readonly testTimeoutMs: number | null;
  /** Folder in which each file writes the mutants that it reached; null: none. */
  readonly coverage: string | null;
}
