import type { Clock } from '@gridtokenx/runtime/core';
import type { Random } from '@gridtokenx/testing-kit/random';
import type { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { inThread } from '#oracle/adapters/sodium/in-thread.js';
import type { Database } from '#oracle/adapters/sqlite/database.js';
import { openDatabase } from '#oracle/adapters/sqlite/database.js';
import { SqliteLedger } from '#oracle/adapters/sqlite/ledger.js';
import { ledgerMigrations } from '#oracle/adapters/sqlite/schema.js';
import { SqliteSetAside } from '#oracle/adapters/sqlite/set-aside.js';
import { chainMigrations } from '#oracle/adapters/sqlite/settlement-schema.js';
import { SqliteSettlementStore } from '#oracle/adapters/sqlite/settlement-store.js';
import { SqliteStatements } from '#oracle/adapters/sqlite/views.js';
import { Intake } from '#oracle/domain/intake/intake.js';
import type { TimeSeries } from '#oracle/domain/live/ports.js';
import { Projector } from '#oracle/domain/live/projector.js';
import type { SeriesRow } from '#oracle/domain/ports.js';
import { SettlementDriver } from '#oracle/domain/settlement/driver.js';
import { MovedSlots } from '#oracle/domain/settlement/moved.js';
import { PageSettler } from '#oracle/domain/settlement/page-settler.js';
import { planWindow } from '#oracle/domain/settlement/plan.js';
import { JUDGING } from '#oracle/domain/verdicts/judging.js';
import { StreamScan } from '#oracle/domain/verdicts/scan.js';
import type { ModelChain } from './chain.js';
import { POISON_W } from './hostile.js';
import { type Home, NETWORK, REAL_START_MS, readingTimeOf, realTimeOf, registryOf, verifier } from './world.js';

/** Counts the scan steps of this process; a reader takes differences. */
export const work = { steps: 0 };
class CountedScan extends StreamScan {
  override step(...of: Parameters<StreamScan['step']>) {
    work.steps++;
    return super.step(...of);
  }
}

/** The time series in memory; a poisoned row fails its whole batch, as a constraint would. */
export class MemorySeries implements TimeSeries {
  readonly #points = new Map<string, Set<number>>();

  async write(points: readonly SeriesRow[]): Promise<void> {
    if (points.some(({ powerW, timeMs }) => powerW === POISON_W || !Number.isSafeInteger(timeMs))) {
      throw new Error('the store does not take this');
    }
    for (const { meterId, timeMs } of points) {
      const times = this.#points.get(meterId) ?? new Set();
      this.#points.set(meterId, times.add(timeMs));
    }
  }
  count(meterId: string): number {
    return this.#points.get(meterId)?.size ?? 0;
  }
  async range(): Promise<SeriesRow[]> {
    return [];
  }
  async close(): Promise<void> {}
}

/** Parts that a control replaces. */
export const parts = { plan: planWindow, makeSeries: () => new MemorySeries() };

/** The oracle's own intake, ledger, settlement and projector, in memory, on the event clock. */
export class Bench {
  readonly lines: string[] = [];
  readonly database: Database;
  readonly ledger: SqliteLedger;
  readonly intake: Intake;
  readonly driver: SettlementDriver;
  readonly series = parts.makeSeries();
  readonly projector: Projector;
  readonly setAside: SqliteSetAside;
  readonly #clock: VirtualClock;

  constructor(virtual: VirtualClock, random: Random, homes: readonly Home[], chain: ModelChain) {
    this.#clock = virtual;
    const note = (_fields: object, message: string) => void this.lines.push(message);
    const logger = { debug: () => undefined, info: () => undefined, warn: note, error: note };
    const clock: Clock = {
      nowMs: () => this.realMs,
      monotonicMs: () => this.realMs,
      after: (ms, call) => virtual.after(ms, call),
    };
    const registry = registryOf(homes, () => this.realMs);
    this.database = openDatabase(':memory:', [...ledgerMigrations, ...chainMigrations]);
    const { sqlite } = this.database;
    const statements = new SqliteStatements(sqlite);
    const randomness = { bytes: (n: number) => new Uint8Array(n).fill(5), fraction: () => random.fraction() };
    this.ledger = new SqliteLedger(this.database, registry, randomness, () => statements.changed(), {
      ...JUDGING,
      scanFrom: (start) => new CountedScan(start),
    });
    this.setAside = new SqliteSetAside(this.database);
    this.projector = new Projector({
      ledger: this.ledger,
      series: this.series,
      setAside: this.setAside,
      clock,
      random: { fraction: () => 0.999 },
      logger,
    });
    const reading = { nowMs: () => readingTimeOf(this.realMs) };
    this.intake = new Intake({
      ...{ ledger: this.ledger, registry, verifier, networkId: NETWORK, readingClock: reading, clock, logger },
      checks: inThread(verifier),
      onStored: () => undefined,
      onRegistry: () => undefined,
      onVerified: () => this.projector.wake(),
      onCommit: () => undefined,
    });
    this.driver = new SettlementDriver({
      ...{ disputes: null, turns: null, moved: new MovedSlots(() => registry.asOf.chainSlot) },
      ...{ node: chain, builder: chain, store: new SqliteSettlementStore(this.database), statements, registry },
      ...{ clock, randomness, logger, graceMs: 1_000, snapshot: async () => 1, checkNetwork: async () => null },
      closedAtMs: (window) => realTimeOf((window + 1) * 900_000),
      plan: (...args) => parts.plan(...args),
      settlerOf: (...of) => new PageSettler(...of),
    });
  }

  get realMs(): number {
    return REAL_START_MS + Math.floor(this.#clock.nowMs());
  }

  start(): void {
    this.intake.start();
    this.driver.start();
  }

  async stop(): Promise<void> {
    this.intake.stop();
    await Promise.all([this.driver.stop(), this.projector.stop()]);
  }

  close(): void {
    this.database.sqlite.close();
  }

  /** Reduces a home's allowance to so many messages. */
  allow({ record }: Home, messages: number): void {
    this.database.sqlite
      .prepare(
        `INSERT INTO streams (meter, key, stored_through, highest_seen, highest_window, quota_left, quota_ms)
           VALUES (?, ?, x'0000000000000000', x'0000000000000000', 0, ?, ?)`,
      )
      .run(record.meterId, record.key, messages, readingTimeOf(this.realMs));
  }

  /** Returns the number of stored messages of a home's key. */
  stored({ record }: Home): number {
    const all = 'SELECT count(*) AS n FROM messages m JOIN streams s ON s.id = m.stream WHERE s.meter = ?';
    return Number(this.database.sqlite.prepare(all).get(record.meterId)?.n);
  }

  /** Returns the attested windows of a home with their energy, in the order of attestation. */
  attested(home: Home): { window: number; exportWh: number }[] {
    return this.database.sqlite
      .prepare('SELECT window, export_wh FROM chain_attested WHERE meter = ? AND undone = 0 ORDER BY id')
      .all(home.record.meterId)
      .map((row) => ({ window: Number(row.window), exportWh: Number(row.export_wh) }));
  }
}
