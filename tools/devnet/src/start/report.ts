import { pda, programIds } from '@gridtokenx/chain-client';
import type { Connection } from '@solana/web3.js';
import { chainTotals, supply } from './chain-totals.js';
import type { OracleApi, SettlementRow } from './oracle-api.js';

/** One home of the report; energies on chain since enrolment as decimal strings. */
export interface ReportHome {
  readonly home: string;
  readonly meter_id: string;
  readonly gateway: string;
  readonly owner: string;
  readonly signer: 'gateway' | 'device';
  readonly import_wh: string;
  readonly export_wh: string;
  readonly minted_base_units: string;
  readonly statements: number;
  readonly readings: number;
  readonly verdicts: Record<string, number>;
  readonly transactions: readonly string[];
}

/** The content of a `--report` file. No figure of energy is a floating-point number. */
export interface Report {
  readonly rpc: string;
  readonly mqtt: string;
  readonly programs: Record<string, string>;
  readonly mint: string;
  readonly speed: number;
  readonly windows: number;
  readonly homes: readonly ReportHome[];
  readonly close_to_mint_ms: { p50: number | null; p95: number | null; max: number | null };
  readonly totals: { export_wh: string; supply_base_units: string };
}

/** A home as the report names it. */
export interface ReportedHome {
  readonly name: string;
  readonly meterId: string;
  readonly gateway: string;
  readonly owner: string;
}

/** Returns the nearest-rank percentile of `values` (0 < p <= 100); null when there are none. */
export function percentile(values: readonly number[], p: number): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] ?? null;
}

/** Collects the report: energies and tokens from the chain, counts and signatures from the oracle. */
export async function makeReport(args: {
  connection: Connection;
  api: OracleApi;
  homes: readonly ReportedHome[];
  mqtt: string;
  speed: number;
  windows: number;
}): Promise<Report> {
  const state = await args.api.state();
  const totals = await chainTotals(
    args.connection,
    args.homes.map((home) => home.meterId),
  );
  const settlements: SettlementRow[] = [];
  for (let after = 0; ; ) {
    const rows = await args.api.settlementsAfter(after);
    settlements.push(...rows);
    const last = rows.at(-1);
    if (!last) break;
    after = last.id;
  }
  const delays = settlements.flatMap((row) =>
    row.close_to_mint_ms === null || row.undone ? [] : [row.close_to_mint_ms],
  );
  let exported = 0n;
  const homes = args.homes.map((home): ReportHome => {
    const known = state.meters.find((meter) => meter.meter_id === home.meterId);
    const chain = totals.get(home.meterId);
    if (!known || !chain) throw new Error(`the oracle does not know meter ${home.meterId}`);
    exported += chain.exportWh;
    return {
      home: home.name,
      meter_id: home.meterId,
      gateway: home.gateway,
      owner: home.owner,
      signer: known.signer,
      import_wh: chain.importWh.toString(),
      export_wh: chain.exportWh.toString(),
      minted_base_units: chain.mintedBaseUnits.toString(),
      statements: known.statements,
      readings: known.readings,
      verdicts: known.verdicts,
      transactions: known.transactions,
    };
  });
  return {
    rpc: args.connection.rpcEndpoint,
    mqtt: args.mqtt,
    programs: Object.fromEntries(Object.entries(programIds).map(([name, id]) => [name, id.toBase58()])),
    mint: pda.mint().toBase58(),
    speed: args.speed,
    windows: args.windows,
    homes,
    close_to_mint_ms: { p50: percentile(delays, 50), p95: percentile(delays, 95), max: percentile(delays, 100) },
    totals: { export_wh: exported.toString(), supply_base_units: (await supply(args.connection)).toString() },
  };
}
