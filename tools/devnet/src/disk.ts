import { OperatorError } from '@gridtokenx/runtime/core';
import { operatorErrorOf } from '@gridtokenx/runtime/node';

/**
 * Returns a disk's error that the operator can correct, with `folder` where the system names no path; null for every
 * other error.
 */
export function diskError(error: unknown, folder: string): OperatorError | null {
  const known = operatorErrorOf(error);
  if (!known || known.file !== null || known.key !== null) return known;
  const { code, problem, advice } = known;
  return new OperatorError(
    { code, file: folder, problem, advice: `${advice}, or give another --data` },
    { cause: error },
  );
}

/**
 * Returns the meaning of an error of the disk below `folder` for an operator, and the remedy; other errors keep their
 * own words.
 */
export function diskProblem(error: unknown, folder: string): string {
  return (diskError(error, folder) ?? (error as Error)).message;
}
