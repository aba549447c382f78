/** One small change of a source. Lines and columns count from 1; the end is the first place after the text. */
export interface Mutant {
  /** Names the same mutant on every machine: path, place, mutator and new text. */
  readonly key: string;
  readonly language: 'typescript' | 'rust';
  /** Relative to the project's folder, with `/`. */
  readonly file: string;
  readonly start: Place;
  readonly end: Place;
  readonly mutator: string;
  readonly original: string;
  readonly replacement: string;
  /** The rule that excludes it; null for a mutant that counts. */
  readonly ignored: string | null;
}

export interface Place {
  readonly line: number;
  readonly column: number;
}

/** `unbuildable`: the compiler refuses the change, so no test has to. */
export type Status = 'killed' | 'timeout' | 'survived' | 'no coverage' | 'unbuildable' | 'not run';

export interface Outcome {
  readonly mutant: Mutant;
  readonly status: Status;
  /** The test file that noticed, or the reason why nothing ran; empty otherwise. */
  readonly by: string;
  readonly seconds: number;
}

type Parts = Omit<Mutant, 'key' | 'original'>;

/** Builds a mutant of a source with a given text. */
export function mutantOf(text: string, parts: Parts): Mutant {
  const { file, start, end, mutator, replacement } = parts;
  return {
    ...parts,
    key: [file, `${start.line}:${start.column}-${end.line}:${end.column}`, mutator, replacement].join(' '),
    original: text.slice(offsetOf(text, start), offsetOf(text, end)),
  };
}

/** Counts the characters before a place. */
function offsetOf(text: string, { line, column }: Place): number {
  const before = text.split('\n', line - 1);
  return before.reduce((sum, each) => sum + each.length + 1, 0) + column - 1;
}

/** Returns the source with the change of one mutant. */
export function applied(text: string, { start, end, replacement }: Mutant): string {
  return text.slice(0, offsetOf(text, start)) + replacement + text.slice(offsetOf(text, end));
}
