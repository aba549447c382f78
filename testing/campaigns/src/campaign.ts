/** The outcome of a seed. */
export interface Outcome {
  /** Faults in words; empty when all checks pass. */
  readonly faults: readonly string[];
  /** Counts that are summed over all seeds. */
  readonly figures: Readonly<Record<string, number>>;
}

/** A fault switched on by hand. A campaign that does not notice it proves nothing. */
export interface Control {
  /** Names the broken rule. */
  readonly about: string;
  /** The campaign must notice within this number of seeds. */
  readonly seeds: number;
  /** Breaks the rule in this process; returns what repairs it. */
  readonly install: () => () => void;
}

/** A seeded attempt to break an application. `catalogue.ts` finds modules by name. */
export interface Campaign {
  readonly name: string;
  readonly about: string;
  /** Seeds of a full run. */
  readonly seeds: number;
  /** A seed that takes longer than this is a fault. */
  readonly secondsPerSeed: number;
  /** Replaces a process after so many seeds; absent: a process has no limit. */
  readonly seedsPerProcess?: number;
  /**
   * Number of simultaneous seeds, where fewer than one for each core: seeds that measure times need the machine for
   * themselves.
   */
  readonly workers?: number;
  /** Inputs of the seeds: files, and folders of built code, below the project's folder. */
  readonly code: readonly string[];
  readonly controls: Readonly<Record<string, Control>>;
  /** Runs one seed; the same seed does the same. Rejects only when the campaign itself is broken. */
  run(seed: number): Promise<Outcome>;
  /** Ends the state that seeds of this process keep for later seeds; called before the process ends. */
  end?(): Promise<void>;
  /** Returns faults of the whole run: events that `seeds` seeds must have reached and did not. */
  review(figures: Readonly<Record<string, number>>, seeds: number): string[];
}

/** Adds `more` to `sums`. */
export function addFigures(sums: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(more)) sums[name] = (sums[name] ?? 0) + value;
}
