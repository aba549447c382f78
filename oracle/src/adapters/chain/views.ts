import type { SQLInputValue } from 'node:sqlite';
import { BASE_UNITS_PER_WH } from '@gridtokenx/protocol';
import { caseInWords } from '../../domain/settlement/disputes/case-words.js';
import type { CaseView } from '../../domain/settlement/disputes/disputes.js';
import type { Lane } from '../../domain/settlement/lane.js';
import type {
  ChainHealth,
  ChainState,
  ChainTotals,
  Database,
  Registry,
  Settlement,
  Settlements,
  StatementStore,
} from '../../ports.js';
import { healthOf } from './health.js';

type Row = Record<string, SQLInputValue>;

/** Transactions of one meter that are shown. */
const SHOWN_TRANSACTIONS = 200;
const SHOWN_PROBLEMS = 20;

/** What the driver tells about itself. */
export interface DriverView {
  readonly state: string;
  readonly lastSnapshotSlot: number | null;
  readonly failure?: string | null;
  readonly snapshotFailure?: string | null;
  readonly stalled?: string | null;
  lanes(): readonly Lane[];
  disputes?(): { readonly cases: readonly CaseView[]; readonly failure: string | null };
}

/** Settlements and totals as the api reads them. */
export class SettlementViews implements Settlements {
  readonly #database: Database;
  readonly #registry: Registry;
  readonly #driver: DriverView;
  readonly #peers: () => NonNullable<ChainState['peers']>;

  constructor(
    database: Database,
    registry: Registry,
    driver: DriverView,
    peers: () => NonNullable<ChainState['peers']> = () => [],
  ) {
    this.#peers = peers;
    this.#database = database;
    this.#registry = registry;
    this.#driver = driver;
  }

  #all(sql: string, ...values: SQLInputValue[]): Row[] {
    const statement = this.#database.sqlite.prepare(sql);
    statement.setReadBigInts(true);
    return statement.all(...values) as Row[];
  }

  after(id: number, limit: number): Settlement[] {
    return this.#all(
      `SELECT s.id, a.meter, a.window, a.export_wh, a.import_wh, s.minted_base_units, i.signature, s.mint,
              s.close_to_mint_ms, s.undone
         FROM chain_settlements s JOIN chain_attested a ON a.id = s.attested JOIN chain_intents i ON i.id = a.intent
         WHERE s.id > ? ORDER BY s.id LIMIT ?`,
      id,
      limit,
    ).map((row) => ({
      id: Number(row.id),
      meterId: String(row.meter),
      window: Number(row.window),
      exportWh: row.export_wh as bigint,
      importWh: row.import_wh as bigint,
      mintedBaseUnits: row.minted_base_units as bigint,
      attest: String(row.signature),
      mint: row.mint === null ? null : String(row.mint),
      closeToMintMs: row.close_to_mint_ms === null ? null : Number(row.close_to_mint_ms),
      undone: row.undone === 1n,
    }));
  }

  totalsOf(meterId: string): ChainTotals | undefined {
    const meter = this.#registry.meter(meterId);
    const lane = this.#driver.lanes().find((one) => one.zone === meter?.zone && one.page === meter?.page);
    const [slot, ledger] =
      meter?.slot == null ? [] : [lane?.last?.page?.slots[meter.slot], lane?.last?.ledger?.slots[meter.slot]];
    const transactions = this.#transactions(meterId);
    if (slot) {
      const mintedBaseUnits = (ledger?.mintedWh ?? 0n) * BASE_UNITS_PER_WH;
      return { window: slot.window, importWh: slot.importWh, exportWh: slot.exportWh, mintedBaseUnits, transactions };
    }
    // Until the chain has been read once, what was last known.
    const [row] = this.#all(
      `SELECT window, import_total, export_total,
              (SELECT coalesce(max(b.export_total), 0) FROM chain_attested b
                 WHERE b.meter = a.meter AND b.undone = 0 AND b.settlement IS NOT NULL) AS minted
         FROM chain_attested a WHERE meter = ? AND undone = 0 ORDER BY id DESC LIMIT 1`,
      meterId,
    );
    if (!row) return undefined;
    return {
      window: Number(row.window),
      importWh: row.import_total as bigint,
      exportWh: row.export_total as bigint,
      mintedBaseUnits: (row.minted as bigint) * BASE_UNITS_PER_WH,
      transactions,
    };
  }

  #transactions(meterId: string): string[] {
    const rows = this.#all(
      `SELECT i.signature, s.mint FROM chain_attested a JOIN chain_intents i ON i.id = a.intent
         LEFT JOIN chain_settlements s ON s.id = a.settlement
         WHERE a.meter = ? AND a.undone = 0 ORDER BY a.id DESC LIMIT ?`,
      meterId,
      SHOWN_TRANSACTIONS,
    ).reverse();
    const signatures = rows.flatMap(({ signature, mint }) =>
      mint ? [String(signature), String(mint)] : [String(signature)],
    );
    return [...new Set(signatures)].slice(-SHOWN_TRANSACTIONS);
  }

  /** `newest`: of the ledger; `balanceLamports`: of the attestor, null while it was not read. */
  healthSources: { newest: StatementStore['newest']; balanceLamports: () => number | null } = {
    newest: () => undefined,
    balanceLamports: () => null,
  };

  chainHealth(): ChainHealth {
    return healthOf(this.#driver, this.#registry, this.#peers(), this.healthSources);
  }

  chainState(): ChainState {
    const lanes = this.#driver.lanes();
    const skips = this.#all(
      `SELECT meter, window, reason FROM chain_skips ORDER BY at_ms DESC LIMIT ?`,
      SHOWN_PROBLEMS,
    );
    const [undone] = this.#all(`SELECT count(*) AS count FROM chain_intents WHERE status = 'undone'`);
    const peers = this.#peers();
    const disputes = this.#driver.disputes?.() ?? { cases: [], failure: null };
    const problems = [
      ...(disputes.failure ? [`disputes are not watched: ${disputes.failure}`] : []),
      ...disputes.cases.map(caseInWords),
      ...peers.flatMap(({ oracle, state }) => (state.includes('FALSE') ? [`oracle ${oracle}: ${state}`] : [])),
      ...lanes.flatMap((lane) => lane.problems().map((problem) => `page ${lane.zone}/${lane.page}: ${problem}`)),
      ...(undone?.count ? [`the chain came back older: ${undone.count} transactions are undone`] : []),
      ...skips.map(({ meter, window, reason }) => `meter ${meter}, window ${window} not attested: ${reason}`),
    ];
    return {
      pending: lanes.reduce((sum, lane) => sum + lane.pending(), 0),
      sender: this.#driver.state,
      lastSnapshotSlot: this.#driver.lastSnapshotSlot,
      stalled: this.#driver.stalled ?? null,
      problems: problems.slice(0, SHOWN_PROBLEMS),
      peers,
    };
  }
}
