import { type CodedValue, ValueCode } from '@gridtokenx/protocol';

/** A value beside energy, power, voltage and frequency, which is never billed. */
interface MoreKey {
  readonly code: ValueCode;
  /** Unit that people read, and its parts in a whole number of the code's unit [numbers §6.4]. */
  readonly unit: 'V' | 'A' | 'varh' | 'var' | 'none' | 'C';
  readonly parts: number;
}

/** The keys of further registers, in the order of their codes. */
export const MORE_KEYS = {
  voltage_l2: { code: ValueCode.voltageL2, unit: 'V', parts: 10 },
  voltage_l3: { code: ValueCode.voltageL3, unit: 'V', parts: 10 },
  current_l1: { code: ValueCode.currentL1, unit: 'A', parts: 1_000 },
  current_l2: { code: ValueCode.currentL2, unit: 'A', parts: 1_000 },
  current_l3: { code: ValueCode.currentL3, unit: 'A', parts: 1_000 },
  reactive_import: { code: ValueCode.reactiveImport, unit: 'varh', parts: 1 },
  reactive_export: { code: ValueCode.reactiveExport, unit: 'varh', parts: 1 },
  reactive_power: { code: ValueCode.reactivePower, unit: 'var', parts: 1 },
  power_factor: { code: ValueCode.powerFactor, unit: 'none', parts: 1_000 },
  temperature: { code: ValueCode.temperature, unit: 'C', parts: 10 },
} as const satisfies Readonly<Record<string, MoreKey>>;
export type MoreRegisterKey = keyof typeof MORE_KEYS;

export const MORE_REGISTER_KEYS = Object.keys(MORE_KEYS) as MoreRegisterKey[];

/**
 * Lists the values that are there, by rising code. `read`: returns a value as a whole number of `parts` of its unit, or
 * null. `voltageDv`: the voltage of phase L1, 0.1 V, or null.
 */
export function codedValues(
  voltageDv: number | null,
  read: (key: MoreRegisterKey, unit: string, parts: number) => number | null,
): CodedValue[] {
  const first = voltageDv === null ? [] : [{ code: ValueCode.voltageL1, value: voltageDv }];
  const others = MORE_REGISTER_KEYS.flatMap((key) => {
    const { code, unit, parts } = MORE_KEYS[key];
    const value = read(key, unit, parts);
    return value === null ? [] : [{ code, value }];
  });
  return [...first, ...others];
}

/** Names a value and its parts for people; L1's voltage stands among them. */
export const VALUE_NAMES: ReadonlyMap<number, { readonly name: string; readonly parts: number }> = new Map([
  [ValueCode.voltageL1, { name: 'voltage_l1', parts: 10 }],
  ...MORE_REGISTER_KEYS.map((name) => [MORE_KEYS[name].code, { name, parts: MORE_KEYS[name].parts }] as const),
]);
