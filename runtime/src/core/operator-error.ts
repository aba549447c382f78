/** The facts that an operator needs to repair a fault. Texts are plain words without a secret. */
export interface OperatorFault {
  /** Stable word in kebab case, for programs: `port-taken`, `unknown-key`. */
  readonly code: string;
  /** File that holds the fault. */
  readonly file?: string | undefined;
  /** The fault's line, from 1 on; without meaning when there is no `file`. */
  readonly line?: number | undefined;
  /** Key of a configuration, or option of a command line. */
  readonly key?: string | undefined;
  /** The fault in plain words. */
  readonly problem: string;
  /** The repair. Empty when `problem` already states it. */
  readonly advice: string;
}

/**
 * A fault that the operator can repair; every other error is a defect of the program. Its message is one line: `FILE:LINE: key:
 * problem; advice`, each part when it exists. A program exits with 2 for it.
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
  // A name or a text from a file may hold a line feed. A reader by lines must see one fault.
  return [place, key, says]
    .filter((part) => part !== undefined && part !== '')
    .join(': ')
    .replace(/\s*[\r\n]+\s*/g, ' ');
}
