import { type Clock, errorText, type Logger, StateLog } from '@gridtokenx/runtime/core';
import type { MeterSample } from '../ports.js';
import type { ClosedWindow } from '../signing/windows.js';

/**
 * Writes the log lines of one meter: its closed windows, and the begin and the end of times in which it cannot be read or
 * the disk refuses what it says.
 */
export class MeterReport {
  readonly #meter: string;
  readonly #logger: Logger;
  readonly #states: StateLog;

  constructor(meter: string, logger: Logger, clock: Clock) {
    this.#meter = meter;
    this.#logger = logger;
    this.#states = new StateLog(logger, clock);
  }

  taken({ importWh, exportWh }: MeterSample, good: boolean): void {
    const fields = { event: 'register_read', meter: this.#meter, import_wh: importWh, export_wh: exportWh, good };
    this.#logger.debug(fields, 'Read the registers');
  }

  closed({ window, importWh, exportWh, quality }: ClosedWindow): void {
    const registers = { import_wh: `${importWh}`, export_wh: `${exportWh}` };
    const fields = { event: 'window_closed', meter: this.#meter, window, ...registers, quality };
    this.#logger.info(fields, 'Closed a window');
  }

  unreadable(error: Error): void {
    const fields = { event: 'meter_unreadable', meter: this.#meter, err: error.message };
    this.#states.holds('read', fields, 'Cannot read a meter: the polls go on');
  }

  read(): void {
    this.#states.ended('read', { event: 'meter_readable', meter: this.#meter }, 'The meter can be read again');
  }

  /** Returns the error in plain words. */
  unstored(error: unknown): string {
    const err = errorText(error);
    const fields = { event: 'meter_state_not_stored', meter: this.#meter, err };
    this.#states.holds('store', fields, 'Cannot store what a meter says: the gateway signs nothing of it', 'error');
    return err;
  }

  stored(): void {
    this.#states.ended('store', { event: 'meter_state_stored', meter: this.#meter }, 'The disk stores it again');
  }
}
