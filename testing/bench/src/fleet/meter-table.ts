/** Registers of a simulated meter, read as a whole by one request. */
export const REGISTERS = 30;
/** Power of a simulated meter, W: a watt-hour a second. */
export const POWER_W = 3_600;
/** Id, maker and model of the profile of a simulated meter. */
export const FLEET_PROFILE = 'bench-fleet';
export const FLEET_MAKER = 'Bench';
export const FLEET_MODEL = 'Fleet';

const VOLTAGE_AT = 8;
const FREQUENCY_AT = 29;
const HEADER_BYTES = 7;
const REQUEST_BYTES = 12;
const ILLEGAL_FUNCTION = 1;
const ILLEGAL_ADDRESS = 2;

/**
 * Returns the registers of a meter that has imported `importWh`: import and export as u32 in Wh, power, voltages and
 * currents, and the frequency last, so that a poll reads all of them.
 */
export function registersAt(importWh: number): readonly number[] {
  const registers = Array.from({ length: REGISTERS }, (_, i) => 100 + i);
  registers.splice(0, 6, importWh >>> 16, importWh & 0xffff, 0, 0, 0, POWER_W);
  registers[VOLTAGE_AT] = 2_300;
  registers[FREQUENCY_AT] = 5_000;
  return registers;
}

/**
 * Answers the first request of Modbus TCP in `input`, an exception where it is no read of the table. Returns null while
 * the request is incomplete; `used`: its bytes.
 */
export function answerTo(input: Buffer, registers: readonly number[]): { answer: Buffer; used: number } | null {
  if (input.length < REQUEST_BYTES) return null;
  const [fn, address, count] = [input[7] ?? 0, input.readUInt16BE(8), input.readUInt16BE(10)];
  const exception = fn !== 3 && fn !== 4 ? ILLEGAL_FUNCTION : address + count > REGISTERS ? ILLEGAL_ADDRESS : null;
  const body = exception === null ? Buffer.alloc(2 + 2 * count) : Buffer.of(fn | 0x80, exception);
  if (exception === null) {
    body[0] = fn;
    body[1] = 2 * count;
    for (let i = 0; i < count; i++) body.writeUInt16BE(registers[address + i] ?? 0, 2 + 2 * i);
  }
  const head = Buffer.from(input.subarray(0, HEADER_BYTES));
  head.writeUInt16BE(1 + body.length, 4);
  return { answer: Buffer.concat([head, body]), used: REQUEST_BYTES };
}

/** Returns the profile of a simulated meter, as a file of the user's own `profiles_dir`. */
export function profileText(): string {
  const source = 'source: "testing/bench/src/fleet/meter-table.ts"';
  const register = (key: string, address: number, rest: string) =>
    `  ${key}: { function: 4, address: ${address}, ${rest}, ${source} }`;
  const amps = ['current_l1', 'current_l2', 'current_l3'];
  const volts = ['voltage_l2', 'voltage_l3'];
  return [
    `id: ${FLEET_PROFILE}`,
    'protocol: modbus',
    `manufacturer: ${FLEET_MAKER}`,
    `models: ["${FLEET_MODEL}"]`,
    'confidence: { level: simulator, against: "testing/bench/src/fleet/meters-child.ts" }',
    `serial: { baud: 9600, parity: none, stop_bits: 1, ${source} }`,
    'limits:',
    '  max_registers: 125',
    `  ${source}`,
    `  readable: [{ function: 4, first: 0, last: ${REGISTERS - 1}, ${source} }]`,
    'registers:',
    register('import', 0, 'type: u32, unit: Wh'),
    register('export', 2, 'type: u32, unit: Wh'),
    register('power', 4, 'type: i32, unit: W'),
    register('voltage', VOLTAGE_AT, 'type: u16, unit: V, scale: "0.1"'),
    register('frequency', FREQUENCY_AT, 'type: u16, unit: Hz, scale: "0.01"'),
    ...volts.map((key, i) => register(key, VOLTAGE_AT + 1 + i, 'type: u16, unit: V, scale: "0.1"')),
    ...amps.map((key, i) => register(key, VOLTAGE_AT + 3 + i, 'type: u16, unit: A, scale: "0.01"')),
    register('reactive_power', 14, 'type: i32, unit: var'),
    'probe:',
    '  - { register: voltage, min: 80, max: 300 }',
    '  - { register: frequency, min: 45, max: 65 }',
    '',
  ].join('\n');
}
