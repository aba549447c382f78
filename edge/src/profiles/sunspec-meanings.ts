import type { RegisterKey } from './register.js';

export const COMMON = 1;
export const MPPT = 160;

/** A point of a model, with its meaning for the gateway. */
export type Meaning = readonly [point: string, key: RegisterKey, positive?: 'import' | 'export'];
const METER: readonly Meaning[] = [
  ['TotWhImp', 'import'],
  ['TotWhExp', 'export'],
  ['W', 'power'],
  ['PhVphA', 'voltage'],
  ['Hz', 'frequency'],
];
/** An inverter counts its feed-in, which is export of the point where it stands. */
const INVERTER: readonly Meaning[] = [
  ['WH', 'export'],
  ['W', 'power', 'export'],
  ['PhVphA', 'voltage'],
  ['Hz', 'frequency'],
];
const DER: readonly Meaning[] = [
  ['TotWhAbs', 'import'],
  ['TotWhInj', 'export'],
  ['W', 'power', 'export'],
  ['VL1', 'voltage'],
  ['Hz', 'frequency'],
];
const IDENTITY: readonly Meaning[] = [
  ['Mn', 'manufacturer'],
  ['Md', 'model'],
  ['Vr', 'firmware'],
  ['SN', 'serial'],
];

/** Returns the points of a model that the gateway reads; empty for a model without any. */
export function meanings(model: number): readonly Meaning[] {
  if (model === COMMON) return IDENTITY;
  if (model >= 101 && model <= 113) return INVERTER;
  if (model >= 201 && model <= 214) return METER;
  return model === 701 ? DER : [];
}

/** Returns true for a model with a register of energy that can be billed. */
export function givesEnergy(model: number): boolean {
  return meanings(model).some(([, key]) => key === 'import' || key === 'export');
}
