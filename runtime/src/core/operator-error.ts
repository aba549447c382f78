/** What an operator needs to mend something. Texts are plain words without a secret in them. */
export interface OperatorFault {
  /** Stable word in kebab case, for programs: `port-taken`, `unknown-key`. */
  readonly code: string;
  /** File that holds the fault. */
  readonly file?: string | undefined;
  /** Its line, from 1 on; means nothing without `file`. */
  readonly line?: number | undefined;
  /** Key of a configuration, or option of a command line. */
  readonly key?: string | undefined;
  /** What is wrong. */
  readonly problem: string;
  /** What to do. Empty where `problem` says it already. */
  readonly advice: string;
}

/**
 * Something that the person who runs the program can mend; everything else is a defect of ours. Its message is one line:
 * `FILE:LINE: key: what is wrong; what to do`, each part where there is one. A program ends with 2 for it.
 */
export class OperatorError extends Error {
  override readonly name: string = 'OperatorError';
  readonly code: string;
  readonly file: string | null;
  readonly line: number | null;
  readonly key: string | null;
  readonly problem: string;
  readonly advice: string;

  constructor(fault: OperatorFault, options?: ErrorOptions) {
    super(lineOf(fault), options);
    this.code = fault.code;
    this.file = fault.file ?? null;
    this.line = fault.line ?? null;
    this.key = fault.key ?? null;
    this.problem = fault.problem;
    this.advice = fault.advice;
  }
}

function lineOf({ file, line, key, problem, advice }: OperatorFault): string {
  const place = file === undefined ? undefined : line === undefined ? file : `${file}:${line}`;
  const says = advice === '' ? problem : `${problem}; ${advice}`;
  // A name or a text from a file may hold a line feed: whoever reads the log by lines sees one fault.
  return [place, key, says]
    .filter((part) => part !== undefined && part !== '')
    .join(': ')
    .replace(/\s*[\r\n]+\s*/g, ' ');
}
