import type { Clock } from '@gridtokenx/runtime/core';
import { ReadError, ReadFailure } from '../ports.js';

/** Time between checks while the meter answers, ms: a meter that was never silent can hardly have been exchanged. */
const EVERY_MS = 3_600_000;
/** Delay of the next check when the serial number could not be read or stored, or is another one, ms. */
const AGAIN_MS = 60_000;

export interface NameplateOptions {
  /** Reads the serial number; null where the meter shows none. Rejects with `ReadError`. Absent: no register for it. */
  readonly read: (() => Promise<string | null>) | undefined;
  /** Returns the serial number that this key's meter first showed; null: it was never read. */
  readonly known: () => string | null;
  /** Stores the first serial number durably. */
  readonly store: (serial: string) => Promise<void>;
  /** The serial number of the configuration. */
  readonly configured: string;
  readonly clock: Clock;
}

/**
 * Checks that the answering meter is still the one whose key signs. The meter's own first serial number counts: the
 * print on a nameplate may have another form. Checks at the start, after each silence (an exchange takes the meter off
 * the line) and once an hour; once a minute while it shows another number.
 */
export class Nameplate {
  readonly #options: NameplateOptions;
  #dueAtMs = Number.NEGATIVE_INFINITY;
  #problem: string | null = null;
  /** The serial number that the meter showed last; null before. */
  #shown: string | null = null;

  constructor(options: NameplateOptions) {
    this.#options = options;
  }

  /** Says to a person that the configuration names another serial number; null when all is well. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Returns the serial number that the meter showed last; null: it showed none in this run. */
  get shown(): string | null {
    return this.#shown;
  }

  /** Returns true when the meter's last serial number is the one that it showed first. */
  get isSame(): boolean {
    return this.#shown !== null && this.#shown === this.#options.known();
  }

  /** Records that the meter did not answer. */
  silent(): void {
    this.#dueAtMs = Number.NEGATIVE_INFINITY;
  }

  /**
   * Returns the serial number of another meter, read twice; null where the meter is the same or shows no number.
   * Rejects with the disk's error.
   */
  async other(): Promise<string | null> {
    const { read, known, store, clock } = this.#options;
    if (!read || clock.monotonicMs() < this.#dueAtMs) return null;
    const serial = await this.#ask(read);
    if (serial === null) return null;
    const before = known();
    this.#compare(serial);
    if (before === serial) return null;
    const againAtMs = clock.monotonicMs() + AGAIN_MS;
    if (before === null) {
      this.#dueAtMs = againAtMs;
      await store(serial);
      this.#dueAtMs = clock.monotonicMs() + EVERY_MS;
      return null;
    }
    // A single answer may be wrong in a way that its checksum does not show.
    const again = await this.#ask(read);
    this.#dueAtMs = againAtMs;
    return again === serial ? serial : null;
  }

  async #ask(read: () => Promise<string | null>): Promise<string | null> {
    const { clock } = this.#options;
    try {
      const serial = await read();
      this.#dueAtMs = clock.monotonicMs() + EVERY_MS;
      if (serial !== null) this.#shown = serial;
      return serial;
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
      // A meter that refuses the register will refuse it again.
      const isRefused = error.failure === ReadFailure.exception;
      this.#dueAtMs = clock.monotonicMs() + (isRefused ? EVERY_MS : AGAIN_MS);
      return null;
    }
  }

  #compare(serial: string): void {
    const { configured } = this.#options;
    const isSame = normal(serial) === normal(configured);
    this.#problem = isSame
      ? null
      : `the meter shows serial number ${serial}, the configuration has ${configured}: correct the wrong one`;
  }
}

/** Returns letters and digits without leading zeros: the printed number differs from the stored one. */
function normal(serial: string): string {
  return serial
    .toUpperCase()
    .replace(/[^0-9A-Z]/g, '')
    .replace(/^0+/, '');
}
