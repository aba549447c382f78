import { OperatorError } from '@gridtokenx/runtime/core';
import { type Fault, parseLocated } from '@gridtokenx/runtime/node';
import type { AddressRange, MeterProfile, ModbusProfile, ReadLimits, SunspecProfile } from './profile.js';
import type { Register } from './register.js';
import {
  type ModbusText,
  type ProfileKey,
  type ProfileText,
  profileSchema,
  registerFault,
  registerOf,
} from './schema.js';

/** Reports a profile that cannot be used. The message is one line: `FILE:LINE: key: what was expected`. */
export class ProfileError extends OperatorError {
  override readonly name = 'ProfileError';
  constructor(file: string, line: number, key: string, what: string) {
    super({ code: 'profile', file, line, key, problem: what, advice: '' });
  }
}

/** Parses a profile file's text; the result is frozen. `file` is used in errors only. Throws `ProfileError`. */
export function parseProfile(text: string, file: string): MeterProfile {
  const located = parseLocated(text, profileSchema, crossFaults);
  if (!located.ok) throw new ProfileError(file, located.fault.line, located.fault.key, located.fault.message);
  return Object.freeze(located.value.protocol === 'modbus' ? modbusOf(located.value) : sunspecOf(located.value));
}

/** Returns the registers of a text in the order of the file. */
function entries(text: ModbusText) {
  return Object.entries(text.registers) as [ProfileKey, NonNullable<ModbusText['registers'][ProfileKey]>][];
}

function crossFaults(text: ProfileText): Fault[] {
  const { serial } = text;
  const faults: Fault[] = [];
  if (serial.assumed === (serial.source !== undefined)) {
    faults.push({ path: ['serial'], message: 'expected either a source or assumed: true' });
  }
  if (text.protocol === 'modbus') faults.push(...modbusFaults(text));
  return faults;
}

function modbusFaults(text: ModbusText): Fault[] {
  const single = entries(text).flatMap(([key, register]) => {
    const fault = registerFault(key, register);
    return fault ? [{ path: ['registers', key, ...pathOf(fault.key)], message: fault.message }] : [];
  });
  // The checks between registers rely on registers that are valid in themselves.
  return single.length > 0 ? single : [...placeFaults(text), ...rangeFaults(text), ...meaningFaults(text)];
}

const pathOf = (key: string): PropertyKey[] => key.split('.').map((step) => (/^\d+$/.test(step) ? Number(step) : step));

/** Finds registers outside the limits, or over one another. */
function placeFaults({ registers, limits }: ModbusText): Fault[] {
  const list = (Object.entries(registers) as [ProfileKey, ModbusText['registers'][ProfileKey]][]).flatMap(
    ([key, entry]) => (entry ? [registerOf(key, entry)] : []),
  );
  const faults: Fault[] = [];
  for (const [i, register] of list.entries()) {
    const at = (message: string) => faults.push({ path: ['registers', register.key, 'address'], message });
    if (register.length > limits.max_registers) {
      at(`${register.length} registers do not fit a read of ${limits.max_registers}`);
    }
    if (register.address % limits.align !== 0 || register.length % limits.align !== 0) {
      at(`address and length are no multiple of ${limits.align} (limits.align)`);
    }
    const other = list.slice(0, i).find((one) => overlap(one, register));
    if (other) at(`lies over "${other.key}" at ${other.address}`);
    const hole = limits.forbidden.find((range) => touches(range, register));
    if (hole) at(`lies in the forbidden range ${hole.first} to ${hole.last}`);
  }
  return faults;
}

function rangeFaults({ limits }: ModbusText): Fault[] {
  return (['readable', 'forbidden'] as const).flatMap((kind) =>
    limits[kind].flatMap((range, i): Fault[] => {
      const path = ['limits', kind, i, 'last'];
      if (range.last < range.first) return [{ path, message: `expected at least ${range.first}` }];
      if (kind !== 'readable') return [];
      const hole = limits.forbidden.find((other) => rangesMeet(range, other));
      return hole ? [{ path, message: `reaches into the forbidden range ${hole.first} to ${hole.last}` }] : [];
    }),
  );
}

/** Finds a meter without any energy, and probe checks whose register is missing or has another type. */
function meaningFaults({ registers, probe }: ModbusText): Fault[] {
  const faults: Fault[] = [];
  const has = (key: ProfileKey) => registers[key] !== undefined;
  if (!has('import') && !has('export') && !has('total')) {
    faults.push({ path: ['registers'], message: 'expected import, export or total' });
  }
  if (has('power_export') && !has('power')) {
    faults.push({ path: ['registers', 'power_export'], message: 'means nothing without power' });
  }
  for (const [i, check] of probe.entries()) {
    const entry = registers[check.register];
    const path = ['probe', i, 'register'];
    if (!entry) faults.push({ path, message: `there is no register "${check.register}"` });
    else if ('min' in check && entry.type === 'text') faults.push({ path, message: 'a text has no min and max' });
    else if ('min' in check && check.min >= check.max)
      faults.push({ path: ['probe', i, 'max'], message: 'expected more than min' });
  }
  return faults;
}

const overlap = (a: Register, b: Register) =>
  a.function === b.function && a.address < b.address + b.length && b.address < a.address + a.length;
const touches = (range: AddressRange, { function: code, address, length }: Register) =>
  range.function === code && range.first < address + length && address <= range.last;
const rangesMeet = (a: AddressRange, b: AddressRange) =>
  a.function === b.function && a.first <= b.last && b.first <= a.last;

function commonOf(text: ProfileText) {
  const { id, manufacturer, models, variant = null, confidence, notes, serial } = text;
  const settings = {
    baud: serial.baud,
    parity: serial.parity,
    stopBits: serial.stop_bits,
    unit: serial.unit,
    assumed: serial.assumed,
  };
  return { id, manufacturer, models, variant, confidence, notes, serial: Object.freeze(settings) };
}

function limitsOf({ limits }: ProfileText): Omit<ReadLimits, 'readable' | 'forbidden'> {
  return {
    maxRegisters: limits.max_registers,
    align: limits.align,
    pauseMs: limits.pause_ms,
    timeoutMinMs: limits.timeout_min_ms,
    quarantineMs: limits.quarantine_ms,
  };
}

/** Sets the brand, here and nowhere else: only `parseProfile` makes a profile. */
function modbusOf(text: ModbusText): ModbusProfile {
  const registers = Object.freeze(entries(text).map(([key, entry]) => registerOf(key, entry)));
  const readable = text.limits.readable.map(({ function: code, first, last, step }) =>
    Object.freeze({ function: code, first, last, step }),
  );
  const forbidden = text.limits.forbidden.map(({ function: code, first, last }) =>
    Object.freeze({ function: code, first, last }),
  );
  return {
    ...commonOf(text),
    protocol: 'modbus',
    registers,
    limits: Object.freeze({ ...limitsOf(text), readable, forbidden }),
    bills: Object.freeze({ import: 'import' in text.registers, export: 'export' in text.registers }),
    probe: Object.freeze(text.probe),
  } as unknown as ModbusProfile;
}

function sunspecOf(text: Extract<ProfileText, { protocol: 'sunspec' }>): SunspecProfile {
  return {
    ...commonOf(text),
    protocol: 'sunspec',
    bases: Object.freeze(text.bases),
    sunspecModels: Object.freeze(text.sunspec_models),
    limits: Object.freeze(limitsOf(text)),
  } as unknown as SunspecProfile;
}
