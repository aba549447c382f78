/**
 * A reference model of attest_page and the mints, written from the rules and not from the programs. It has numbers
 * without bounds, no encoding, no accounts. The property test compares the model with the chain; `rules` lets a control
 * break one rule at a time.
 */
export interface Rules {
  /** Refuses a replay of the same version. */
  readonly version: boolean;
  /** Skips a rise above the caps. */
  readonly caps: boolean;
  /** Accepts only newer windows. */
  readonly newer: boolean;
  /** The mint moves the cursor to the export. */
  readonly cursor: boolean;
  /** Refuses extra twice in a row. */
  readonly extra: boolean;
}

export const TRUE_RULES: Rules = { version: true, caps: true, newer: true, cursor: true, extra: true };

export interface ModelSlot {
  exportWh: bigint;
  importWh: bigint;
  window: number;
  extra: boolean;
  active: boolean;
  disputed: boolean;
  toWallet: boolean;
  mintedWh: bigint;
  pooledWh: bigint;
}

const MAX_WINDOWS = 2_880;
const max = (a: bigint, b: bigint) => (a > b ? a : b);

export class Model {
  readonly slots: ModelSlot[];
  readonly #rules: Rules;
  readonly #exportCap: bigint;
  readonly #importCap: bigint;
  version = 0n;
  vault = 0n;
  wallets = 0n;

  constructor(count: number, enrolled: number, exportCap: bigint, importCap: bigint, rules = TRUE_RULES) {
    this.#rules = rules;
    this.#exportCap = exportCap;
    this.#importCap = importCap;
    this.slots = Array.from({ length: count }, () => ({
      exportWh: 0n,
      importWh: 0n,
      window: enrolled,
      extra: false,
      active: true,
      disputed: false,
      toWallet: false,
      mintedWh: 0n,
      pooledWh: 0n,
    }));
  }

  at(index: number): ModelSlot {
    const slot = this.slots[index];
    if (!slot) throw new RangeError(`slot ${index}`);
    return slot;
  }

  /** Returns false when the chain refuses the whole instruction. */
  attest(version: bigint, window: number, rises: ReadonlyMap<number, { exportWh: bigint; importWh: bigint }>): boolean {
    if (this.#rules.version && version !== this.version) return false;
    this.version += 1n;
    for (const [index, rise] of rises) {
      const slot = this.slots[index];
      if (slot) this.#raise(slot, window, rise.exportWh, rise.importWh);
    }
    return true;
  }

  #raise(slot: ModelSlot, window: number, exportRise: bigint, importRise: bigint): void {
    if (!slot.active || slot.disputed) return;
    if (this.#rules.newer && window <= slot.window) return;
    const passed = BigInt(Math.max(1, Math.min(window - slot.window, MAX_WINDOWS)));
    const above = max(exportRise - this.#exportCap * passed, importRise - this.#importCap * passed) > 0n;
    const beyond = max(exportRise - this.#exportCap * (passed + 1n), importRise - this.#importCap * (passed + 1n)) > 0n;
    if (this.#rules.caps && beyond) return;
    if (this.#rules.extra && above && slot.extra) return;
    slot.exportWh += exportRise;
    slot.importWh += importRise;
    slot.window = window;
    slot.extra = above;
  }

  mintPage(): void {
    for (const slot of this.slots) if (!slot.toWallet) this.vault += this.#mint(slot, true);
  }

  mintMeter(index: number): void {
    const slot = this.at(index);
    if (slot.toWallet) this.wallets += this.#mint(slot, false);
  }

  #mint(slot: ModelSlot, pooled: boolean): bigint {
    if (slot.disputed) return 0n;
    const due = slot.exportWh - slot.mintedWh;
    if (due <= 0n) return 0n;
    if (this.#rules.cursor) slot.mintedWh = slot.exportWh;
    if (pooled) slot.pooledWh += due;
    return due * 1_000n;
  }
}
