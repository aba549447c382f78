/** Where a value lies in a meter: input registers (function 4), float32, high word first. */
export interface MeterProfile {
  readonly name: string;
  readonly energyFunction: 4;
  /** Import and export lie side by side, so that one request reads both at one instant. */
  readonly importAddress: number;
  readonly exportAddress: number;
  readonly powerAddress: number;
  readonly voltageAddress: number;
  readonly frequencyAddress: number;
  /** The registers beside the energy are read as one block from 0. */
  readonly valuesLength: number;
  /** Smallest step of the energy registers in Wh. */
  readonly registerStepWh: number;
}

/** From this reading on a float32 in kWh no longer shows every watt-hour. */
export const FLOAT32_EXACT_WH = 16_384_000n;

const eastron = (name: string, powerAddress: number): MeterProfile => ({
  name,
  energyFunction: 4,
  importAddress: 72,
  exportAddress: 74,
  powerAddress,
  voltageAddress: 0,
  frequencyAddress: 70,
  valuesLength: 72,
  registerStepWh: 1,
});

/** The meters this gateway knows. From their documents and tried against simulators, not yet on hardware. */
export const meterProfiles = {
  'eastron-sdm630': eastron('Eastron SDM630', 52),
  'eastron-sdm120': eastron('Eastron SDM120', 12),
} as const satisfies Record<string, MeterProfile>;

export type ProfileName = keyof typeof meterProfiles;
export const PROFILE_NAMES = Object.keys(meterProfiles) as [ProfileName, ...ProfileName[]];
