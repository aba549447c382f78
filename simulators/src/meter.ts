import type { ProfilePosition } from './clock.js';
import type { ModbusUnit } from './modbus-frames.js';
import { type MeterModel, type MeterValues, meterUnit } from './models.js';
import { energyAt, type Profile, powerAt } from './profile.js';

/** Registers of a simulated meter start below this reading, so that a float32 in kWh keeps every watt-hour. */
export const MOST_INITIAL_WH = 16_000_000n;

export interface SimulatedMeterOptions {
  readonly model: MeterModel;
  /** u32, as on the nameplate. */
  readonly serial: number;
  readonly initialImportWh: bigint;
  readonly initialExportWh: bigint;
  readonly profile: Profile;
  readonly position: ProfilePosition;
}

/** A meter in front of a home: its registers are a pure function of how far the profile was played. */
export class SimulatedMeter {
  readonly unit: ModbusUnit;
  readonly #options: SimulatedMeterOptions;

  /** Throws `RangeError` for an initial reading of 16,000 kWh or more. */
  constructor(options: SimulatedMeterOptions) {
    for (const wh of [options.initialImportWh, options.initialExportWh]) {
      if (wh < 0n || wh >= MOST_INITIAL_WH)
        throw new RangeError(`an initial reading of ${wh} Wh is not below 16,000 kWh`);
    }
    this.#options = options;
    this.unit = meterUnit(options.model, options.serial, () => this.values());
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
