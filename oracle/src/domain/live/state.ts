import {
  asPublicKeyText,
  base58Decode,
  type GatewayStatus,
  Kind,
  type PublicKeyText,
  toHex,
} from '@gridtokenx/protocol';
import type { Clock, ReadingClock } from '@gridtokenx/runtime/core';
import type { MeterRecord, Registry } from '../ports.js';
import { isAccepted, verdictName } from '../verdicts/verdict.js';
import type { LedgerViews, MeterView, Settlement, Settlements } from './ports.js';
import { isSeriesTime } from './series-write.js';
import { SessionWatch } from './session-watch.js';

interface GatewayEntry {
  readonly status: GatewayStatus | null;
  readonly heardAtMs: number;
  /** The newest moment at which the gateway said that it was there; null where it never knew the time. */
  readonly knownMs: number | null;
}

/** Remembers each gateway's last status, in memory: the broker retains it. */
export class GatewayStatuses {
  readonly #clock: Clock;
  readonly #entries = new Map<PublicKeyText, GatewayEntry>();
  readonly #sessions = new SessionWatch();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A status came; null when it was none. */
  status(gateway: Uint8Array, status: GatewayStatus | null): void {
    const [name, heardAtMs] = [asPublicKeyText(gateway), this.#clock.nowMs()];
    const before = this.#entries.get(name);
    // A will states the time of its session's begin: what the session said later is newer.
    const isSame = before?.status?.session === status?.session;
    const known = [status?.statedMs, isSame ? before?.knownMs : null].filter((ms) => typeof ms === 'number');
    const knownMs = known.length > 0 ? Math.max(...known) : null;
    this.#entries.set(name, { status, heardAtMs, knownMs });
    if (status?.online) this.#sessions.heard(name, status.session, heardAtMs);
  }

  /** Names each gateway whose key two sessions use by turns. */
  copied(): string[] {
    return this.#sessions.alternating(this.#clock.nowMs()).map((gateway) => {
      const own = this.#entries.get(gateway)?.status?.name;
      const who = own === undefined ? gateway : `${own} (${gateway})`;
      return `gateway ${who}: two sessions use its key by turns: stop its copy before both sign the same seq`;
    });
  }

  /** A message came. */
  heard(gateway: Uint8Array): void {
    const name = asPublicKeyText(gateway);
    const { status = null, knownMs = null } = this.#entries.get(name) ?? {};
    this.#entries.set(name, { status, heardAtMs: this.#clock.nowMs(), knownMs });
  }

  list() {
    const now = this.#clock.nowMs();
    return [...this.#entries].map(([gateway, { status, heardAtMs, knownMs }]) => ({
      gateway,
      name: status?.name ?? '',
      online: status?.online ?? false,
      since_ms: status?.sinceMs ?? null,
      known_ms: knownMs,
      spool_depth: status?.spoolDepth ?? null,
      age_ms: now - heardAtMs,
      problems: status?.problems ?? [],
    }));
  }
}

export interface StateDeps {
  readonly networkId: Uint8Array;
  readonly ledgerId: Uint8Array;
  readonly verifier: string;
  /** Public keys in base58. */
  readonly oracle: PublicKeyText;
  /** Empty until the chain has answered, and where there is none. */
  readonly attestor: PublicKeyText | '';
  /** Offset of local time from UTC, minutes. */
  readonly utcOffsetMinutes: number;
  readonly readingClock: Pick<ReadingClock, 'nowMs'>;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly settlements: Settlements;
  readonly views: LedgerViews;
  readonly gateways: GatewayStatuses;
  /** How far a time series server has come; null where there is none. */
  readonly series: () => SeriesState | null;
}

export interface SeriesState {
  /** Position in the ledger's outbox through which all is stored or refused. */
  readonly cursor: number;
  /** Both since the start. */
  readonly written: number;
  readonly refused: number;
  /** In a row; 0 when all is well. */
  readonly failures: number;
  readonly problem: string | null;
}

/** The whole state for the API; 64-bit numbers are decimal strings [settlement §10]. Throws when the disk fails. */
export function describeState(deps: StateDeps) {
  const now = deps.readingClock.nowMs();
  const meters = deps.registry.meters().map((record) => describeMeter(deps, record, now));
  const chain = deps.settlements.chainState();
  const sum = (pick: (meter: (typeof meters)[number]) => string) =>
    String(meters.reduce((total, meter) => total + BigInt(pick(meter)), 0n));
  return {
    network_id: toHex(deps.networkId),
    now_ms: now,
    real_ms: deps.clock.nowMs(),
    utc_offset_minutes: deps.utcOffsetMinutes,
    ledger_id: toHex(deps.ledgerId),
    verifier: deps.verifier,
    oracle: deps.oracle,
    attestor: deps.attestor,
    gateways: deps.gateways.list().map((gateway) => ({
      ...gateway,
      refused: byName(deps.views.ofGateway(base58Decode(gateway.gateway))),
    })),
    meters,
    chain: {
      pending: chain.pending,
      sender: chain.sender,
      last_snapshot_slot: chain.lastSnapshotChainSlot,
      problems: chain.problems ?? [],
      peers: (chain.peers ?? []).map(({ oracle, attestor, state }) => ({ oracle, attestor, state })),
    },
    time_series: deps.series() ?? { store: 'embedded' },
    totals: {
      import_wh: sum((meter) => meter.chain.import_wh),
      export_wh: sum((meter) => meter.chain.export_wh),
      minted_base_units: sum((meter) => meter.chain.minted_base_units),
      readings: meters.reduce((n, meter) => n + meter.readings, 0),
      statements: meters.reduce((n, meter) => n + meter.statements, 0),
      unattributed_verdicts: byName(deps.views.unattributed()),
    },
  };
}

function describeMeter(deps: StateDeps, record: MeterRecord, now: number) {
  const view = deps.views.meter(record);
  const { reading, statement } = view;
  // A reading from an unknown clock may state a time outside the range of a date.
  const timeMs = reading && isSeriesTime(Number(reading.timeMs)) ? Number(reading.timeMs) : null;
  const totals = deps.settlements.totalsOf(record.meterId);
  return {
    meter_id: record.meterId,
    gateway: view.gateway ? asPublicKeyText(view.gateway) : null,
    owner: record.owner,
    zone: record.zone,
    page: record.page,
    slot: record.slot,
    signer: record.signer,
    role: record.role,
    status: record.status,
    power_w: reading?.powerW ?? null,
    import_wh: reading ? String(reading.importWh) : null,
    export_wh: reading ? String(reading.exportWh) : null,
    reading_time_ms: timeMs,
    age_ms: timeMs === null ? null : now - timeMs,
    quality: reading?.quality ?? null,
    last_statement: statement
      ? {
          window: statement.window,
          import_wh: String(statement.importWh),
          export_wh: String(statement.exportWh),
          quality: statement.quality,
        }
      : null,
    chain: {
      window: totals?.window ?? null,
      import_wh: String(totals?.importWh ?? 0n),
      export_wh: String(totals?.exportWh ?? 0n),
      minted_base_units: String(totals?.mintedBaseUnits ?? 0n),
    },
    readings: accepted(view.counts, Kind.reading),
    statements: accepted(view.counts, Kind.statement),
    events: accepted(view.counts, Kind.event),
    more_values: accepted(view.counts, Kind.moreValues),
    verdicts: byName(view.counts),
    transactions: totals?.transactions ?? [],
  };
}

function accepted(counts: MeterView['counts'], kind: number): number {
  let n = 0;
  for (const entry of counts) if (entry.kind === kind && isAccepted(entry.verdict)) n += entry.n;
  return n;
}

function byName(counts: MeterView['counts']): Record<string, number> {
  const names: Record<string, number> = {};
  for (const { verdict, n } of counts) names[verdictName(verdict)] = (names[verdictName(verdict)] ?? 0) + n;
  return names;
}

/** One settlement for the API. */
export function describeSettlement(settlement: Settlement) {
  return {
    id: settlement.id,
    meter_id: settlement.meterId,
    window: settlement.window,
    export_wh: String(settlement.exportWh),
    import_wh: String(settlement.importWh),
    minted_base_units: String(settlement.mintedBaseUnits),
    attest: settlement.attest,
    mint: settlement.mint,
    close_to_mint_ms: settlement.closeToMintMs,
    undone: settlement.undone,
  };
}
