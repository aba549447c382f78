import { expect, test } from 'vitest';
import { NoAnswer } from '../../src/domain/bus/port.js';
import { ModbusException } from '../../src/domain/bus/ports.js';
import { readErrorOf } from '../../src/domain/bus/read-error.js';
import { ReadError, ReadFailure } from '../../src/domain/ports.js';

const ASK = { unit: 7, fn: 4, address: 72, count: 4 } as const;

test.each([
  [
    new ModbusException(2),
    ReadFailure.exception,
    'unit 7 answers the read of registers 72 to 75 (function 4) with exception 2, the meter does not have these registers: is it another model or variant than its profile?',
  ],
  [
    new ModbusException(5),
    ReadFailure.exception,
    'unit 7 answers the read of registers 72 to 75 (function 4) with exception 5',
  ],
  [
    new ModbusException(10),
    ReadFailure.exception,
    'unit 7: the converter got no answer from the meter, because it has no path to it (exception 10)',
  ],
  [new TypeError('no such thing'), ReadFailure.badReply, 'unit 7: no such thing'],
  [new NoAnswer('timeout', 'x'), ReadFailure.timeout, 'unit 7 on rs485 gave no answer in time'],
  [new NoAnswer('damaged', 'no frame'), ReadFailure.timeout, 'unit 7 on rs485: no frame'],
  [new NoAnswer('foreign', 'x'), ReadFailure.secondMaster, 'another device polls the meters on rs485'],
  [new NoAnswer('violation', 'wrong unit'), ReadFailure.connection, 'unit 7 on rs485: wrong unit'],
  [new NoAnswer('gone', 'unplugged'), ReadFailure.connection, 'unit 7 on rs485: unplugged'],
])('%s is told in words', (error, failure, message) => {
  const told = readErrorOf(error, ASK, 'rs485');
  expect(told).toBeInstanceOf(ReadError);
  expect(told).toMatchObject({ failure, message, cause: error });
});

test('an error that is told already stays as it is', () => {
  const error = new ReadError(ReadFailure.resting, 'rests');
  expect(readErrorOf(error, ASK, 'rs485')).toBe(error);
});
