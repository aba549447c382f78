import type { ProfilePosition } from './clock.js';
import type { ModbusUnit } from './modbus-frames.js';
import { isBuiltIn, type MeterValues, meterUnit } from './models.js';
import { energyAt, type Profile, powerAt } from './profile.js';
import { loadMeterMap } from './profile-map.js';

/** Registers of a simulated meter start below this reading, so that a float32 in kWh keeps every watt-hour. */
export const MAX_INITIAL_WH = 16_000_000n;

export interface SimulatedMeterOptions {
  /** One of `MODELS`, or the id of a profile. */
  readonly model: string;
  /** Serial number, u32, as on the nameplate. */
  readonly serial: number;
  readonly initialImportWh: bigint;
  readonly initialExportWh: bigint;
  readonly profile: Profile;
  readonly position: ProfilePosition;
  /** Derives the shown values from the counted ones; default: shows the counted values. */
  readonly shown?: (values: () => MeterValues) => () => MeterValues;
}

/** Simulates a meter in front of a home: its registers are a pure function of the profile's position. */
export class SimulatedMeter {
  readonly unit: ModbusUnit;
  readonly #options: SimulatedMeterOptions;

  /** Throws `RangeError` for an initial reading of 16,000 kWh or more, `MeterMapError` for an unknown model. */
  constructor(options: SimulatedMeterOptions) {
    for (const wh of [options.initialImportWh, options.initialExportWh]) {
      if (wh < 0n || wh >= MAX_INITIAL_WH)
        throw new RangeError(`an initial reading of ${wh} Wh is not below 16,000 kWh`);
    }
    this.#options = options;
    const { model, serial, shown = (values) => values } = options;
    const values = shown(() => this.values());
    this.unit = isBuiltIn(model) ? meterUnit(model, serial, values) : loadMeterMap(model).unit(serial, values);
  }

  /** Returns the meter's present values. */
  values(): MeterValues {
    const { profile, position, initialImportWh, initialExportWh } = this.#options;
    const { positionMs, moving } = position.now();
    const energy = energyAt(profile, positionMs);
    const powerW = moving ? powerAt(profile, positionMs) : 0;
    return {
      importWh: initialImportWh + energy.importWh,
      exportWh: initialExportWh + energy.exportWh,
      powerW,
      // A house at the end of the feeder: the voltage rises by 1 V for each kilowatt of feed-in.
      voltageV: 230 - powerW / 1000,
      frequencyHz: 50,
    };
  }
}
