import type { RegisterKey } from './register.js';

export const COMMON = 1;
export const MPPT = 160;

/** A point of a model, with its meaning for the gateway. */
/** `percent`: the point states hundredths of the value. */
export type Meaning = readonly [
  point: string,
  key: RegisterKey,
  positive?: 'import' | 'export',
  how?: 'percent' | undefined,
];
const CURRENTS: readonly Meaning[] = [
  ['AphA', 'current_l1'],
  ['AphB', 'current_l2'],
  ['AphC', 'current_l3'],
];
const VOLTAGES: readonly Meaning[] = [
  ['PhVphA', 'voltage'],
  ['PhVphB', 'voltage_l2'],
  ['PhVphC', 'voltage_l3'],
];
const METER: readonly Meaning[] = [
  ['TotWhImp', 'import'],
  ['TotWhExp', 'export'],
  ['W', 'power'],
  ...VOLTAGES,
  ...CURRENTS,
  ['VAR', 'reactive_power'],
  ['Hz', 'frequency'],
];
/** An inverter counts its feed-in, which is export of the point where it stands. */
const INVERTER: readonly Meaning[] = [
  ['WH', 'export'],
  ['W', 'power', 'export'],
  ...VOLTAGES,
  ...CURRENTS,
  ['VAr', 'reactive_power'],
  ['PF', 'power_factor', 'import', 'percent'],
  ['TmpCab', 'temperature'],
  ['Hz', 'frequency'],
];
const DER: readonly Meaning[] = [
  ['TotWhAbs', 'import'],
  ['TotWhInj', 'export'],
  ['W', 'power', 'export'],
  ['VL1', 'voltage'],
  ['VL2', 'voltage_l2'],
  ['VL3', 'voltage_l3'],
  ['AL1', 'current_l1'],
  ['AL2', 'current_l2'],
  ['AL3', 'current_l3'],
  ['TotVarhAbs', 'reactive_import'],
  ['TotVarhInj', 'reactive_export'],
  ['Var', 'reactive_power'],
  ['PF', 'power_factor'],
  ['TmpCab', 'temperature'],
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
  // Integer models state the power factor in percent, float models as a ratio.
  if (model >= 201 && model <= 204) return [...METER, ['PF', 'power_factor', 'import', 'percent']];
  if (model >= 211 && model <= 214) return [...METER, ['PF', 'power_factor']];
  return model === 701 ? DER : [];
}

/** Returns true for a model with a register of energy that can be billed. */
export function givesEnergy(model: number): boolean {
  return meanings(model).some(([, key]) => key === 'import' || key === 'export');
}
