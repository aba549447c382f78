import { errors } from './generated/errors.js';

/** The name of one of the programs' errors. */
export type ChainErrorName = (typeof errors)[number][1];

export interface ChainError {
  readonly code: number;
  readonly name: string;
  readonly message: string;
}

/** The programs' numbered errors (one table for all of them), by number. */
export const chainErrors: ReadonlyMap<number, ChainError> = new Map(
  errors.map(([code, name, message]) => [code, { code, name, message }]),
);

function fromCode(code: number): ChainError | undefined {
  return chainErrors.get(code);
}

function fromLogs(logs: readonly string[]): ChainError | undefined {
  for (const line of logs) {
    const hex = /custom program error: 0x([0-9a-f]+)/i.exec(line)?.[1];
    const known = hex && fromCode(Number.parseInt(hex, 16));
    if (known) return known;
  }
  return undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/**
 * Finds the programs' error in whatever reports a failed transaction: its log lines, `meta.err` of an RPC node
 * (`{InstructionError: [index, {Custom: n}]}`), or an Error that carries logs or the text "custom program error: 0x...".
 * Undefined when the failure is not one of ours.
 */
export function parseChainError(failure: unknown): ChainError | undefined {
  if (typeof failure === 'string') return fromLogs([failure]);
  if (Array.isArray(failure) && failure.every((line) => typeof line === 'string')) return fromLogs(failure);
  if (!isRecord(failure)) return undefined;
  const instruction = failure.InstructionError;
  if (Array.isArray(instruction) && isRecord(instruction[1]) && typeof instruction[1].Custom === 'number') {
    return fromCode(instruction[1].Custom);
  }
  const logs = failure.logs ?? failure.transactionLogs;
  const found = Array.isArray(logs) ? fromLogs(logs.map(String)) : undefined;
  if (found) return found;
  if (failure instanceof Error) return fromLogs([failure.message]) ?? parseChainError(failure.cause);
  return parseChainError(failure.err ?? failure.data);
}
