import { ReadError, ReadFailure } from '../ports.js';
import { describe } from './connection.js';
import { BEHIND_CONVERTER, EXCEPTION_TEXTS } from './exceptions.js';
import type { ReadRequest } from './frames.js';
import { NoAnswer } from './port.js';
import { ModbusException } from './ports.js';

/** Reports a read that the unit, or a converter before it, answered with an exception. */
export class RefusedRead extends ReadError {
  /** Exception code of the Modbus application protocol, section 7. */
  readonly code: number;
  /** Registers that were requested at once. */
  readonly count: number;
  constructor(code: number, ask: ReadRequest, options: ErrorOptions) {
    super(ReadFailure.exception, exceptionText(code, ask), options);
    this.code = code;
    this.count = ask.count;
  }
}

/** Says in plain words why a read on the named bus failed. */
export function readErrorOf(error: unknown, ask: ReadRequest, bus: string): ReadError {
  if (error instanceof ReadError) return error;
  const { unit } = ask;
  const because = { cause: error };
  if (error instanceof ModbusException) return new RefusedRead(error.code, ask, because);
  if (!(error instanceof NoAnswer))
    return new ReadError(ReadFailure.badReply, `unit ${unit}: ${describe(error)}`, because);
  const where = `unit ${unit} on ${bus}`;
  switch (error.reason) {
    case 'timeout':
      return new ReadError(ReadFailure.timeout, `${where} gave no answer in time`, because);
    case 'damaged':
      return new ReadError(ReadFailure.timeout, `${where}: ${error.message}`, because);
    case 'foreign':
      return new ReadError(ReadFailure.secondMaster, `another device polls the meters on ${bus}`, because);
    case 'violation':
    case 'gone':
      return new ReadError(ReadFailure.connection, `${where}: ${error.message}`, because);
  }
}

function exceptionText(code: number, { unit, fn, address, count }: ReadRequest): string {
  const what = EXCEPTION_TEXTS[code];
  const why = `exception ${code}${what ? `, ${what}` : ''}`;
  if (BEHIND_CONVERTER.includes(code)) return `unit ${unit}: ${what} (exception ${code})`;
  const registers = count === 1 ? `register ${address}` : `registers ${address} to ${address + count - 1}`;
  return `unit ${unit} answers the read of ${registers} (function ${fn}) with ${why}`;
}
