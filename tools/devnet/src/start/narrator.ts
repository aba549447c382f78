import { asWindow, formatKwh, windowStartAtMs } from '@gridtokenx/protocol';
import type { OracleApi, SettlementRow } from './oracle-api.js';

const two = (value: number) => String(value).padStart(2, '0');

/** Returns "09:15" of a window's start: UTC shifted by the profile's own offset. */
export function windowLabel(window: number, offsetMinutes: number): string {
  const at = new Date(windowStartAtMs(asWindow(window)) + offsetMinutes * 60_000);
  return `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
}

/** Formats base units as GXT for people: 412000n -> "0.412". */
export function formatGxt(baseUnits: bigint): string {
  return formatKwh(baseUnits / 1000n);
}

/** Formats one settled window of one home in plain words. */
export function settlementLine(home: string, row: SettlementRow, offsetMinutes: number): string {
  const label = windowLabel(row.window, offsetMinutes);
  const exported = BigInt(row.export_wh);
  const imported = BigInt(row.import_wh);
  if (row.undone) return `${home}: window ${label} was on a chain that is gone; it is attested again`;
  const energy = `${formatKwh(exported)} kWh exported, ${formatKwh(imported)} kWh imported`;
  const minted = BigInt(row.minted_base_units);
  const tokens =
    minted > 0n
      ? `minted ${formatGxt(minted)} GXT, transaction ${row.mint}`
      : `nothing to mint, transaction ${row.attest}`;
  return `${home}: window ${label} closed, ${energy}, ${tokens}`;
}

/** Follows the oracle's settlements and prints each one once, in order. */
export class Narrator {
  readonly #api: OracleApi;
  readonly #names: ReadonlyMap<string, string>;
  readonly #offsetMinutes: number;
  readonly #say: (line: string) => void;
  #after: number;

  constructor(
    api: OracleApi,
    names: ReadonlyMap<string, string>,
    offsetMinutes: number,
    say: (line: string) => void,
    after = 0,
  ) {
    this.#api = api;
    this.#names = names;
    this.#offsetMinutes = offsetMinutes;
    this.#say = say;
    this.#after = after;
  }

  /** Skips settlements that earlier starts have printed already. */
  async skipOld(): Promise<void> {
    for (let rows = await this.#api.settlementsAfter(this.#after); rows.length > 0; ) {
      this.#after = rows.at(-1)?.id ?? this.#after;
      rows = await this.#api.settlementsAfter(this.#after);
    }
  }

  /**
   * Prints new settlements; returns the number of lines. An oracle that is away is no error: the lines follow later.
   */
  async follow(): Promise<number> {
    let rows: SettlementRow[];
    try {
      rows = await this.#api.settlementsAfter(this.#after);
    } catch {
      return 0;
    }
    for (const row of rows) {
      this.#say(settlementLine(this.#names.get(row.meter_id) ?? row.meter_id, row, this.#offsetMinutes));
      this.#after = row.id;
    }
    return rows.length;
  }
}
