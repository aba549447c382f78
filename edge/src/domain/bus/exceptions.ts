/** Exception codes of the Modbus application protocol (1.1b3, section 7) on which the gateway acts. */
export const ModbusCode = {
  illegalFunction: 1,
  illegalAddress: 2,
  illegalValue: 3,
  noPath: 10,
  noAnswer: 11,
} as const;

/** Codes by which a converter says that its meter gave no answer. */
export const BEHIND_CONVERTER: readonly number[] = [ModbusCode.noPath, ModbusCode.noAnswer];
/** Codes by which a meter refuses a read: a register that it lacks, or more registers than it answers at once. */
export const REFUSES_READ: readonly number[] = [ModbusCode.illegalAddress, ModbusCode.illegalValue];

/** Says what an exception means, for people. */
export const EXCEPTION_TEXTS: Readonly<Record<number, string>> = {
  1: 'the meter does not know the function',
  2: 'the meter does not have these registers: is it another model or variant than its profile?',
  3: 'the meter refuses so many registers at once',
  4: 'the meter has an internal fault: switch it off and on',
  6: 'the meter is busy',
  10: 'the converter got no answer from the meter, because it has no path to it',
  11: 'the converter got no answer from the meter: check the unit number, and speed and line behind the converter',
};
