import { MORE_REGISTER_KEYS } from '../profiles/more-values.js';
import type { RegisterMap } from '../profiles/profile.js';
import { BILLING_KEYS, type Register, type RegisterKey } from '../profiles/register.js';

const POLLED: readonly RegisterKey[] = [...BILLING_KEYS, 'power', 'power_export', 'voltage', 'frequency'];
const IDENTITY: readonly RegisterKey[] = ['serial', 'firmware', 'model', 'manufacturer'];

/** Returns the registers of a poll: energy, power, voltage and frequency, with their scale factors. */
export function polledRegisters(map: RegisterMap): Register[] {
  return named(map, POLLED);
}

/** Returns the registers that are read once a minute beside the polls; empty where the profile names none. */
export function furtherRegisters(map: RegisterMap): Register[] {
  const further = named(map, MORE_REGISTER_KEYS);
  return further.length === 0 ? [] : named(map, ['voltage', ...MORE_REGISTER_KEYS]);
}

/** Returns the registers without which a poll fails: energy, with scale factors. */
export function billingRegisters(map: RegisterMap): Register[] {
  return named(map, BILLING_KEYS);
}

/** Returns the registers that are read once: serial number, firmware, model. */
export function identityRegisters(map: RegisterMap): Register[] {
  return named(map, IDENTITY);
}

function named({ registers }: RegisterMap, keys: readonly RegisterKey[]): Register[] {
  const values = registers.filter((register) => keys.includes(register.key));
  const factors = new Set(values.map((register) => register.scaleFactor));
  return [
    ...values,
    ...registers.filter((register) => register.type === 'sunssf' && factors.has(register.key as never)),
  ];
}
