import { ReadError, ReadFailure } from '../ports.js';
import { describe } from './connection.js';
import { NoAnswer } from './port.js';
import { ModbusException } from './ports.js';

/** Says in plain words why a read of a unit on the named bus failed. */
export function readErrorOf(error: unknown, unit: number, bus: string): ReadError {
  if (error instanceof ReadError) return error;
  const because = { cause: error };
  if (error instanceof ModbusException)
    return new ReadError(ReadFailure.exception, `unit ${unit} answers with exception ${error.code}`, because);
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
