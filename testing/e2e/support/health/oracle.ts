import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asMeterId, asPublicKeyText } from '@gridtokenx/protocol';
import { type Clock, diskSpace } from '@gridtokenx/runtime';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { FakeRegistry, meterOf } from '@gridtokenx/testing-kit/signed-journal';
import { fixedRandom } from '@gridtokenx/testing-kit/virtual-clock';
import { openDatabase } from '#oracle/adapters/sqlite/database.js';
import { ledgerMigrations } from '#oracle/adapters/sqlite/schema.js';
import { BackwardClock } from '#oracle/domain/intake/clock-back.js';
import { MeterMemory } from '#oracle/domain/intake/meter-memory.js';
import type { Ledger } from '#oracle/domain/intake/ports.js';
import { Projector } from '#oracle/domain/live/projector.js';
import { GatewayStatuses } from '#oracle/domain/live/state.js';
import type { CaseView } from '#oracle/domain/settlement/disputes/ports.js';
import { type DriverView, healthOf } from '#oracle/domain/settlement/health.js';
import { type OracleCondition, oracleHealth } from '#oracle/wiring/health.js';
import { everLater, type Stage, type Staged } from './stage.js';

const PEER = asPublicKeyText(new Uint8Array(32).fill(2));
const NOW = 1_900_000_000_000;

/** An oracle's parts in good health; a stage breaks some of them. */
class Parts {
  now = NOW;
  free = 1e12;
  clockMs = NOW;
  isConnected = true;
  failures = 0;
  certificate: string | null = null;
  failure: string | null = null;
  snapshotFailure: string | null = null;
  watching: string | null = null;
  cases: CaseView[] = [];
  pause: string | null = null;
  mint: string | null = null;
  newest = 100;
  peer = 'signs';
  lamports = 1e9;
  quota: string[] = [];
  readonly gateways = new GatewayStatuses({ nowMs: () => this.now } as Clock);
  readonly folder = mkdtempSync(join(tmpdir(), 'health-'));
  readonly database = openDatabase(join(this.folder, 'ledger.sqlite'), ledgerMigrations);
  readonly memory = new MeterMemory();
  readonly registry = new FakeRegistry(meterOf(0));
  isSeriesFailing = false;
  readonly projector = new Projector({
    ledger: {
      outbox: () => ({ through: this.isSeriesFailing ? 1 : 0, points: [{}] }),
      clearOutbox: () => {},
    } as unknown as Ledger,
    series: { write: async () => Promise.reject(new Error('the series takes no writes')) } as never,
    setAside: { add: () => {}, count: () => 0 } as never,
    clock: { nowMs: () => this.now, monotonicMs: () => 0, after: () => () => {} },
    random: fixedRandom(),
    logger: quietLog,
  });

  constructor() {
    this.registry.asOf = { chainSlot: 1, fetchedAtMs: NOW };
    this.memory.update([meterOf(0)]);
  }

  report() {
    const slot = {
      ...{ exportWh: 0n, importWh: 0n, exportCapWh: 1, importCapWh: 1 },
      ...{ window: 100, flags: 1, attestors: 1, epoch: 1 },
    };
    const driver = {
      state: 'idle',
      lastSnapshotChainSlot: null,
      failure: this.failure,
      snapshotFailure: this.snapshotFailure,
      stalled: null,
      settlers: () => [
        {
          ...{ zone: 1, page: 0, problem: this.pause, last: { page: { slots: [slot] } } },
          mintProblems: () => (this.mint ? [this.mint] : []),
        },
      ],
      disputes: () => ({ cases: this.cases, failure: this.watching }),
    } as unknown as DriverView;
    const isWell = this.peer === 'signs';
    const peers = [{ oracle: PEER, attestor: PEER, state: this.peer, isWell, accusation: null }];
    const sources = { newest: () => ({ window: this.newest }) as never, balanceLamports: () => this.lamports };
    const { memory, registry } = this;
    return this.#health({
      broker: { isConnected: this.isConnected, problem: 'no connection: refused' },
      intake: { failures: this.failures },
      database: this.database,
      registry: { asOf: registry.asOf, problem: memory.problem },
      certificate: () => this.certificate,
      settlements: { chainHealth: () => healthOf(driver, registry, peers, sources) },
      series: { problem: () => this.projector.problem },
      clock: this.clock,
      overQuota: () => this.quota,
      copiedKeys: () => this.gateways.copied(),
      diskSpace: diskSpace('/data', everLater(), () => this.free),
      now: () => this.now,
    }).report();
  }

  readonly clock = new BackwardClock(() => this.clockMs);
  readonly #health = oracleHealth;

  end(): void {
    if (this.database.sqlite.isOpen) this.database.sqlite.close();
    rmSync(this.folder, { recursive: true });
  }
}

function stage(words: RegExp, spoil: (parts: Parts) => void | Promise<void>): Stage {
  return (): Staged => {
    const parts = new Parts();
    return { report: () => parts.report(), words, spoil: () => spoil(parts), end: () => parts.end() };
  };
}

const disputed = (state: CaseView['state'], windowsLeft: number): CaseView => ({
  ...{ zone: 1, page: 0, slot: 0, meterId: asMeterId('aa'.repeat(16)), number: 1, verdict: 0 },
  ...{ state, windowsLeft },
});

/** Damages a file that SQLite has open: another program overwrites it. */
function damage(parts: Parts): void {
  const { sqlite } = parts.database;
  const file = join(parts.folder, 'ledger.sqlite');
  sqlite.exec('PRAGMA wal_checkpoint(TRUNCATE); PRAGMA cache_size = 0');
  writeFileSync(file, Buffer.alloc(statSync(file).size, 7));
  try {
    sqlite.prepare('SELECT * FROM messages').all();
    sqlite.prepare('SELECT * FROM outbox').all();
  } catch {
    // The stage expects this error.
  }
}

export const oracleStages: Readonly<Record<OracleCondition, Stage>> = {
  'broker connection': stage(/no connection: refused/, (parts) => {
    parts.isConnected = false;
  }),
  'ledger writes': stage(/cannot be written/, (parts) => {
    parts.failures = 1;
  }),
  'ledger file': stage(/is damaged.*set-aside/, damage),
  registry: stage(/forgot 1 of 1 meters/, (parts) => parts.memory.update([])),
  'registry age': stage(/last read 61 s ago/, (parts) => {
    parts.now = NOW + 61_000;
  }),
  certificate: stage(/expires in 3 days/, (parts) => {
    parts.certificate = 'cert.pem expires in 3 days';
  }),
  node: stage(/waiting for the node/, (parts) => {
    parts.failure = 'waiting for the node: ECONNREFUSED';
  }),
  'page settlement': stage(/page 1\/0: attest failed/, (parts) => {
    parts.pause = 'attest failed: StaleVersion';
  }),
  mint: stage(/page 1\/0: energy of the pool is due and not minted/, (parts) => {
    parts.mint = 'energy of the pool is due and not minted: the chain took less';
  }),
  'page behind': stage(/1 meters are up to 9 windows behind/, (parts) => {
    parts.newest = 109;
  }),
  'attestor balance': stage(/0\.01 SOL: send it some/, (parts) => {
    parts.lamports = 10_000_000;
  }),
  'co-signers': stage(new RegExp(`oracle ${PEER}: no answer`), (parts) => {
    parts.peer = 'no answer';
  }),
  disputes: stage(
    /dispute 1 is being answered, 90 windows/,
    (parts) => void parts.cases.push(disputed('answering', 90)),
  ),
  'dispute deadline': stage(
    /no answer in this ledger, 24 windows/,
    (parts) => void parts.cases.push(disputed('no answer here', 24)),
  ),
  'dispute watch': stage(/disputes are not watched: EIO/, (parts) => {
    parts.watching = 'EIO';
  }),
  'chain snapshot': stage(/takes no snapshot: the disk is full/, (parts) => {
    parts.snapshotFailure = 'the disk is full';
  }),
  'time series': stage(/the series takes no writes/, async (parts) => {
    parts.isSeriesFailing = true;
    await parts.projector.stop();
  }),
  clock: stage(/went back by 3600 s/, (parts) => {
    parts.report();
    parts.clockMs -= 3_600_000;
  }),
  quota: stage(/meter aa is over its share/, (parts) => void parts.quota.push('meter aa is over its share')),
  'copied keys': stage(/gateway cellar .*: two sessions use its key by turns/, ({ gateways }) => {
    const of = (session: string) => ({ online: true, session, version: '1', name: 'cellar' });
    for (const session of ['a', 'b', 'a']) gateways.status(new Uint8Array(32), of(session));
  }),
  'disk space': stage(/\/data: 1 MiB are free/, (parts) => {
    parts.free = 1_048_576;
  }),
};
