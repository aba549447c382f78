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
  /** u32, as on the nameplate. */
  readonly serial: number;
  readonly initialImportWh: bigint;
  readonly initialExportWh: bigint;
  readonly profile: Profile;
  readonly position: ProfilePosition;
  /** What the registers show of what the meter counted; default: that. */
  readonly shown?: (values: () => MeterValues) => () => MeterValues;
}

/** A meter in front of a home: its registers are a pure function of how far the profile was played. */
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

  /** What the meter shows now. */
  values(): MeterValues {
    const { profile, position, initialImportWh, initialExportWh } = this.#options;
    const { positionMs, moving } = position.now();
    const energy = energyAt(profile, positionMs);
    const powerW = moving ? powerAt(profile, positionMs) : 0;
    return {
      importWh: initialImportWh + energy.importWh,
      exportWh: initialExportWh + energy.exportWh,
      powerW,
      // A house far out on the feeder: the voltage rises with what it feeds in, by 1 V a kilowatt.
      voltageV: 230 - powerW / 1000,
      frequencyHz: 50,
    };
  }
}
