/** What a seed came to. */
export interface Outcome {
  /** What is wrong, in words; empty when all holds. */
  readonly faults: readonly string[];
  /** Counts that are summed over all seeds. */
  readonly figures: Readonly<Record<string, number>>;
}

/** A fault switched on by hand. A campaign that does not notice it proves nothing. */
export interface Control {
  /** Which rule is broken. */
  readonly about: string;
  /** The campaign must notice within so many seeds. */
  readonly seeds: number;
  /** Breaks the rule in this process; returns what repairs it. */
  readonly install: () => () => void;
}

/** A seeded attempt to break an application. Modules are looked up by name in `catalogue.ts`. */
export interface Campaign {
  readonly name: string;
  readonly about: string;
  /** Seeds of a full run. */
  readonly seeds: number;
  /** A seed that takes longer than this is a fault. */
  readonly secondsPerSeed: number;
  /** After so many seeds a process is replaced by a new one; without it one process runs as many as there are. */
  readonly seedsPerProcess?: number;
  /** Seeds at once, where fewer than one for each core: those that measure times need the machine for themselves. */
  readonly workers?: number;
  /** What the seeds depend on: files, and folders of built code, below the project's folder. */
  readonly code: readonly string[];
  readonly controls: Readonly<Record<string, Control>>;
  /** Runs one seed; the same seed does the same. Rejects only when the campaign itself is broken. */
  run(seed: number): Promise<Outcome>;
  /** Ends what seeds of this process have left for later ones; called before the process ends. */
  end?(): Promise<void>;
  /** Faults of the whole: what `seeds` seeds must have reached and did not. */
  review(figures: Readonly<Record<string, number>>, seeds: number): string[];
}

/** Adds `more` to `sums`. */
export function addFigures(sums: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(more)) sums[name] = (sums[name] ?? 0) + value;
}
