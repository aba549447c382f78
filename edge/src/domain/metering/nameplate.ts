import type { Clock } from '@gridtokenx/runtime/core';
import { ReadError, ReadFailure } from '../ports.js';

/** A meter that was never silent can hardly have been exchanged. */
const EVERY_MS = 3_600_000;
/** A serial number that did not come is asked for again after this. */
const AGAIN_MS = 60_000;

export interface NameplateOptions {
  /** Reads the serial number; null where the meter shows none. Rejects with `ReadError`. Absent: no register for it. */
  readonly read: (() => Promise<string | null>) | undefined;
  /** What this key's meter said of itself first; null: it was never asked. */
  readonly known: () => string | null;
  /** Stores that durably. */
  readonly store: (serial: string) => Promise<void>;
  /** The serial number of the configuration. */
  readonly configured: string;
  readonly clock: Clock;
}

/**
 * Whether the meter that answers is still the one whose key signs. Its own first word is what counts: what is printed
 * on a nameplate may be written in another way. Asked at the start, after each silence (an exchange takes the meter off
 * the line) and once an hour.
 */
export class Nameplate {
  readonly #options: NameplateOptions;
  #dueAtMs = Number.NEGATIVE_INFINITY;
  #problem: string | null = null;

  constructor(options: NameplateOptions) {
    this.#options = options;
  }

  /** Words for a person where the configuration names another number; null when all is well. */
  get problem(): string | null {
    return this.#problem;
  }

  /** The meter did not answer. */
  silent(): void {
    this.#dueAtMs = Number.NEGATIVE_INFINITY;
  }

  /**
   * The serial number of another meter, read twice; null where it is the same one, shows none or does not say. Rejects
   * with the disk's error.
   */
  async other(): Promise<string | null> {
    const { read, known, store, clock } = this.#options;
    if (!read || clock.monotonicMs() < this.#dueAtMs) return null;
    const serial = await this.#ask(read);
    if (serial === null) return null;
    const before = known();
    if (before === null) await store(serial);
    this.#compare(serial);
    if (before === null || before === serial) return null;
    // One answer may be wrong in a way that its checksum does not show.
    const again = await this.#ask(read);
    return again === serial ? serial : null;
  }

  async #ask(read: () => Promise<string | null>): Promise<string | null> {
    const { clock } = this.#options;
    try {
      const serial = await read();
      this.#dueAtMs = clock.monotonicMs() + EVERY_MS;
      return serial;
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
      // A meter that refuses the register will do so again.
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
      : `it says that its serial number is ${serial}, the configuration says ${configured}: correct the one that is wrong`;
  }
}

/** Letters and digits without leading zeros: how a number is printed differs from how it is stored. */
function normal(serial: string): string {
  return serial
    .toUpperCase()
    .replace(/[^0-9A-Z]/g, '')
    .replace(/^0+/, '');
}
