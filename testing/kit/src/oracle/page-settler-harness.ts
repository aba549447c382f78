import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asWh, asWindow, encodePayload, fromHex } from '@gridtokenx/protocol';
import type { Database } from '#oracle/adapters/sqlite/database.js';
import { openDatabase } from '#oracle/adapters/sqlite/database.js';
import { chainMigrations } from '#oracle/adapters/sqlite/settlement-schema.js';
import { SqliteSettlementStore } from '#oracle/adapters/sqlite/settlement-store.js';
import type { MeterRecord } from '#oracle/domain/ports.js';
import { MovedSlots } from '#oracle/domain/settlement/moved.js';
import { PageSettler, type SettlerDeps, type Step } from '#oracle/domain/settlement/page-settler.js';
import { planWindow } from '#oracle/domain/settlement/plan.js';
import type { AttestableStatement, SignedStatement, StatementStore } from '#oracle/domain/settlement/statements.js';
import { VirtualClock } from '../virtual-clock.js';
import { BASELINE, ENROLLED, ZONE } from './deployment.js';
import { type ChainFixture, reached } from './fixtures.js';

/** Statements by meter, which a test writes as totals since enrolment. */
export class TestStatements implements StatementStore {
  readonly #byMeter = new Map<string, AttestableStatement[]>();
  readonly #listeners = new Set<() => void>();

  put(meter: MeterRecord, window: number, exportWh: bigint, importWh: bigint): void {
    const raw = { exportWh: asWh(BASELINE.exportWh + exportWh), importWh: asWh(BASELINE.importWh + importWh) };
    const payload = encodePayload({
      kind: 2,
      networkId: new Uint8Array(8),
      meterId: fromHex(meter.meterId),
      seq: BigInt(window),
      window,
      ...raw,
      readingCount: 15,
      quality: 64,
      timeUncertaintyMs: 1,
      readingsRoot: new Uint8Array(32),
    });
    const list = this.#byMeter.get(meter.meterId) ?? [];
    list.push({
      meterId: meter.meterId,
      window: asWindow(window),
      ...raw,
      payload,
      message: new Uint8Array(171),
      receivedAtMs: 0,
    });
    list.sort((a, b) => a.window - b.window);
    this.#byMeter.set(meter.meterId, list);
    for (const listener of this.#listeners) listener();
  }
  attestable(meterId: string, afterWindow: number, limit: number): AttestableStatement[] {
    return (this.#byMeter.get(meterId) ?? []).filter((one) => one.window > afterWindow).slice(0, limit);
  }
  newest(meterId: string): AttestableStatement | undefined {
    return this.#byMeter.get(meterId)?.at(-1);
  }
  inputs(): AttestableStatement[] {
    return [];
  }
  signedBy(): SignedStatement[] {
    return [];
  }
  saying(): undefined {
    return undefined;
  }
  onStored(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** A settler on a fixture; a test can kill it and start it again on the same file. */
export class SettlerHarness {
  readonly clock = new VirtualClock({ startAtMs: 1_800_000_000_000 });
  readonly statements = new TestStatements();
  readonly fixture: ChainFixture;
  readonly log: string[] = [];
  readonly #dir = mkdtempSync(join(tmpdir(), 'settlement-'));
  readonly #change: (deps: SettlerDeps) => Partial<SettlerDeps>;
  /** Ends windows this long before now, so that grace never delays a test unless the test wants that. */
  closedAgoMs = 10_000;
  database!: Database;
  store!: SqliteSettlementStore;
  settler!: PageSettler;

  constructor(fixture: ChainFixture, change: (deps: SettlerDeps) => Partial<SettlerDeps> = () => ({})) {
    this.fixture = fixture;
    this.#change = change;
    this.start();
  }

  /** Opens file and settler anew: a process has nothing else after kill -9 and a restart. */
  start(change: (deps: SettlerDeps) => Partial<SettlerDeps> = () => ({})): void {
    this.database?.sqlite.close();
    this.database = openDatabase(join(this.#dir, 'ledger.sqlite'), chainMigrations);
    this.store = new SqliteSettlementStore(this.database);
    const note = (_fields: object, message: string) => void this.log.push(message);
    const deps: SettlerDeps = {
      node: this.fixture.node,
      builder: this.fixture.builder,
      store: this.store,
      statements: this.statements,
      meters: () => this.fixture.meters,
      moved: new MovedSlots(() => Number.MAX_SAFE_INTEGER),
      ...{ plan: planWindow, zoneWindow: () => asWindow(0), turns: null },
      clock: this.clock,
      closedAtMs: () => this.clock.nowMs() - this.closedAgoMs,
      graceMs: 3_000,
      logger: { debug: note, info: note, warn: note, error: note },
    };
    this.settler = new PageSettler(ZONE, 0, { ...deps, ...this.#change(deps), ...change(deps) });
  }

  /** Steps until the settler is idle; time advances by the delays that the settler requests. */
  async untilIdle(): Promise<Step[]> {
    const steps: Step[] = [];
    await reached('the settler is idle', async () => {
      const step = await this.settler.step();
      steps.push(step);
      if (step.kind !== 'wait') return false;
      if (step.why === 'idle') return true;
      this.clock.advanceNow(Math.max(0, step.untilMs - this.clock.nowMs()));
      return false;
    });
    return steps;
  }

  intents(): { kind: string; status: string }[] {
    return this.database.sqlite
      .prepare('SELECT kind, status FROM chain_intents ORDER BY id')
      .all()
      .map(({ kind, status }) => ({ kind: String(kind), status: String(status) }));
  }

  /** Returns attest_page transactions in force, with the page's history around each. */
  archive(): { version: bigint; before: Uint8Array; after: Uint8Array; foretold: Uint8Array }[] {
    const statement = this.database.sqlite.prepare(
      `SELECT version_after, history, history_after, expected_history FROM chain_intents
         WHERE kind = 'attest' AND status = 'landed' ORDER BY id`,
    );
    statement.setReadBigInts(true);
    return statement.all().map((row) => ({
      version: row.version_after as bigint,
      before: row.history as Uint8Array,
      after: row.history_after as Uint8Array,
      foretold: row.expected_history as Uint8Array,
    }));
  }

  settlements(): { window: number; minted: bigint; undone: boolean; mint: string | null; meter: string }[] {
    const statement = this.database.sqlite.prepare(
      `SELECT a.meter, a.window, s.minted_base_units AS minted, s.undone, s.mint FROM chain_settlements s
         JOIN chain_attested a ON a.id = s.attested ORDER BY s.id`,
    );
    statement.setReadBigInts(true);
    return statement.all().map((row) => ({
      meter: String(row.meter),
      window: Number(row.window),
      minted: row.minted as bigint,
      undone: row.undone === 1n,
      mint: row.mint === null ? null : String(row.mint),
    }));
  }

  close(): void {
    this.database.sqlite.close();
    rmSync(this.#dir, { recursive: true });
  }
}

/** Returns window `n` after the enrolment. */
export const W = (n: number): number => ENROLLED + n;
