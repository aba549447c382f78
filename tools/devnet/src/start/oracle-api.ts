/** The state of one meter in the oracle's API; see oracle/README.md. 64-bit numbers are decimal strings. */
export interface MeterState {
  readonly meter_id: string;
  readonly gateway: string | null;
  readonly owner: string;
  readonly zone: number;
  readonly page: number | null;
  readonly slot: number | null;
  readonly signer: 'gateway' | 'device';
  readonly readings: number;
  readonly statements: number;
  readonly last_statement: { window: number; quality: number } | null;
  readonly chain: { window: number; export_wh: string; import_wh: string; minted_base_units: string } | null;
  readonly verdicts: Record<string, number>;
  readonly transactions: readonly string[];
}

export interface OracleState {
  readonly verifier: string;
  readonly meters: readonly MeterState[];
}

/** One window of one meter on chain. */
export interface SettlementRow {
  readonly id: number;
  readonly meter_id: string;
  readonly window: number;
  readonly export_wh: string;
  readonly import_wh: string;
  readonly minted_base_units: string;
  readonly attest: string | null;
  readonly mint: string | null;
  readonly close_to_mint_ms: number | null;
  readonly undone: boolean;
}

/** Reads the oracle's HTTP API; throws when the oracle does not answer. */
export class OracleApi {
  readonly #url: string;
  constructor(url: string) {
    this.#url = url;
  }
  async #get<T>(path: string): Promise<T> {
    const response = await fetch(`${this.#url}${path}`, { signal: AbortSignal.timeout(5_000) });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return (await response.json()) as T;
  }
  state(): Promise<OracleState> {
    return this.#get('/api/v1/state');
  }
  settlementsAfter(id: number): Promise<SettlementRow[]> {
    return this.#get(`/api/v1/settlements?after=${id}`);
  }
}
