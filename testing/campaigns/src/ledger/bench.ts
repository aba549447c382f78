import { copyFileSync, existsSync, rmSync } from 'node:fs';
import { type MeterId, Reason, type Verifier } from '@gridtokenx/protocol';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import type { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { inThread } from '#oracle/adapters/sodium/in-thread.js';
import type { Database } from '#oracle/adapters/sqlite/database.js';
import { openDatabase } from '#oracle/adapters/sqlite/database.js';
import { SqliteLedger } from '#oracle/adapters/sqlite/ledger.js';
import { ledgerMigrations } from '#oracle/adapters/sqlite/schema.js';
import { SqliteStatements, SqliteViews } from '#oracle/adapters/sqlite/views.js';
import { Intake } from '#oracle/domain/intake/intake.js';
import type { Registry } from '#oracle/domain/ports.js';
import { JUDGING } from '#oracle/domain/verdicts/judging.js';
import { verdictName } from '#oracle/domain/verdicts/verdict.js';
import { NETWORK } from './world.js';

/** A packet on its way to the ledger, with its sender. */
export interface Packet<Item> {
  readonly gateway: Uint8Array;
  readonly meter: MeterId;
  readonly bytes: Uint8Array;
  readonly items: readonly Item[];
}

/**
 * The oracle's own intake, ledger and database on clocks and a registry that the campaign controls. The campaign can
 * kill and restart it, and make its disk fail. `onLost` receives the packets that were taken and never committed.
 */
export class Bench<Item> {
  #path: string;
  readonly #registry: Registry;
  readonly #verifier: Verifier;
  readonly #clock: VirtualClock;
  readonly #onLost: (packets: readonly Packet<Item>[]) => void;
  #database: Database;
  #intake: Intake;
  #uncommitted: Packet<Item>[] = [];
  /** The clock that drives readings. */
  readingMs: number;
  /** The next commit fails after its work, as on a full disk. */
  failsNext = false;
  statements: SqliteStatements;
  views: SqliteViews;
  ledger: SqliteLedger;

  constructor(options: {
    readonly path: string;
    readonly registry: Registry;
    readonly verifier: Verifier;
    readonly clock: VirtualClock;
    readonly readingMs: number;
    readonly onLost: (packets: readonly Packet<Item>[]) => void;
  }) {
    this.#path = options.path;
    this.#registry = options.registry;
    this.#verifier = this.verifierOf(options.verifier);
    this.#clock = options.clock;
    this.#onLost = options.onLost;
    this.readingMs = options.readingMs;
    this.#database = openDatabase(this.#path, ledgerMigrations);
    ({ ledger: this.ledger, statements: this.statements, views: this.views } = this.#openLedger());
    this.#intake = this.#openIntake();
  }

  /** For a control: selects which signatures count as valid. */
  verifierOf(verifier: Verifier): Verifier {
    return verifier;
  }

  /** Returns packets that were taken and never committed to their senders. */
  lost(packets: readonly Packet<Item>[]): void {
    this.#onLost(packets);
  }

  get sqlite(): Database['sqlite'] {
    return this.#database.sqlite;
  }

  #openLedger() {
    const { sqlite } = this.#database;
    const database: Database = {
      ...this.#database,
      transaction: (work) =>
        this.#database.transaction(() => {
          const result = work();
          if (!this.failsNext) return result;
          this.failsNext = false;
          throw new Error('the disk is full');
        }),
    };
    const statements = new SqliteStatements(sqlite);
    const randomness = { bytes: (length: number) => new Uint8Array(length).fill(5), fraction: () => 0.5 };
    const ledger = new SqliteLedger(database, this.#registry, randomness, () => statements.changed(), JUDGING);
    return { ledger, statements, views: new SqliteViews(sqlite) };
  }

  #openIntake(): Intake {
    const intake = new Intake({
      ledger: this.ledger,
      registry: this.#registry,
      verifier: this.#verifier,
      checks: inThread(this.#verifier),
      networkId: NETWORK,
      readingClock: { nowMs: () => this.readingMs },
      clock: this.#clock,
      logger: quietLog,
      onStored: () => undefined,
      onRegistry: () => undefined,
      onVerified: () => undefined,
      onCommit: ({ verdicts }) => {
        const taken = this.#uncommitted;
        this.#uncommitted = [];
        if (verdicts.has(Reason.storageFailure)) this.lost(taken);
      },
    });
    intake.start();
    return intake;
  }

  receive(packet: Packet<Item>): void {
    this.#uncommitted.push(packet);
    const { gateway, meter, bytes } = packet;
    this.#intake.receive({ gateway: gateway.slice(), meter, stream: 'backfill', bytes });
  }

  flush(): void {
    this.#intake.flush();
  }

  reconsider(): void {
    this.#intake.reconsider();
  }

  /** Kills with -9: gathered packets and memory are lost; the same command starts it again. */
  restart(): void {
    const lost = this.#uncommitted;
    this.#uncommitted = [];
    this.#clock.forget();
    this.failsNext = false;
    if (this.#path !== ':memory:') this.#reopen();
    ({ ledger: this.ledger, statements: this.statements, views: this.views } = this.#openLedger());
    this.#intake = this.#openIntake();
    this.lost(lost);
  }

  /** Continues with the files as they were at the kill: closing would write the log into the database. */
  #reopen(): void {
    const old = this.#path;
    this.#path = `${old}+`;
    for (const end of ['', '-wal']) if (existsSync(`${old}${end}`)) copyFileSync(`${old}${end}`, `${this.#path}${end}`);
    this.#database.sqlite.close();
    removeFiles(old);
    this.#database = openDatabase(this.#path, ledgerMigrations);
  }

  close(): void {
    this.#clock.forget();
    this.#database.sqlite.close();
    if (this.#path !== ':memory:') removeFiles(this.#path);
  }
}

function removeFiles(path: string): void {
  for (const end of ['', '-wal', '-shm']) rmSync(`${path}${end}`, { force: true });
}

/** Returns a verdict's name for faults and figures. */
export function nameOfVerdict(code: number): string {
  return verdictName(code as 0 | Reason);
}
