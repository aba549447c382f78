import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asMeterId, openAck, type Signer, toHex, type Verifier } from '@gridtokenx/protocol';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import type { Random } from '@gridtokenx/testing-kit/random';
import { inThread } from '#oracle/adapters/sodium/in-thread.js';
import type { Database } from '#oracle/adapters/sqlite/database.js';
import { openDatabase } from '#oracle/adapters/sqlite/database.js';
import { SqliteLedger } from '#oracle/adapters/sqlite/ledger.js';
import { ledgerMigrations } from '#oracle/adapters/sqlite/schema.js';
import { AckSender } from '#oracle/domain/intake/ack-sender.js';
import { Intake } from '#oracle/domain/intake/intake.js';
import type { Registry } from '#oracle/domain/ports.js';
import { JUDGING } from '#oracle/domain/verdicts/judging.js';
import type { MemoryBroker } from './broker.js';
import { cutBetween, type Files, readFiles, writeFiles } from './sqlite-files.js';
import { processTime, type SimulatedTime } from './time.js';
import { type Home, NETWORK, type Witness } from './world.js';

export interface OracleEnvironment {
  readonly time: SimulatedTime;
  readonly broker: MemoryBroker;
  readonly witness: Witness;
  readonly homes: readonly Home[];
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly random: Random;
}

/** The oracle's own intake, ledger and acks on real SQLite files; a test can cut their power inside any commit. */
export class SimulatedOracle {
  readonly #deps: OracleEnvironment;
  readonly #dir = mkdtempSync(join(tmpdir(), 'gtx-cut-'));
  #number = 0;
  #database: Database | null = null;
  #end: () => void = () => {};
  #before: Files = { main: new Uint8Array(0), wal: new Uint8Array(0) };
  #isDead = true;
  ledger: SqliteLedger | null = null;
  /** Counts down with every commit; the power fails inside the commit at 0. */
  fuse = Number.POSITIVE_INFINITY;
  /** Control: nothing is synced from the next start on. */
  isLying = false;
  commits = 0;
  #tornCommit: Files | null = null;

  constructor(surroundings: OracleEnvironment) {
    this.#deps = surroundings;
  }

  get isUp(): boolean {
    return !this.#isDead;
  }
  get #path(): string {
    return join(this.#dir, `ledger-${this.#number}.sqlite`);
  }

  /** Runs the same command again, on the files that the last cut left. */
  start(): void {
    const { time, broker, witness, homes, signer, verifier } = this.#deps;
    const process = processTime(time);
    const inner = openDatabase(this.#path, ledgerMigrations);
    // A checkpoint inside the commit is what tears the main file; small ledgers would never reach one.
    inner.sqlite.exec('PRAGMA wal_autocheckpoint = 40');
    this.#before = readFiles(this.#path);
    const database: Database = { ...inner, transaction: (work) => this.#commit(inner, work) };
    const records = new Map(homes.map(({ record }) => [record.meterId, record]));
    const registry: Registry = {
      asOf: { chainSlot: 1, fetchedAtMs: time.clock.nowMs() },
      meter: (id) => records.get(id),
      meters: () => [...records.values()],
      refresh: async () => undefined,
    };
    const randomness = { bytes: (n: number) => new Uint8Array(n).fill(5), fraction: () => 0.5 };
    const ledger = new SqliteLedger(database, registry, randomness, () => undefined, JUDGING);
    const acks = new AckSender({
      ledger,
      signer,
      clock: process.clock,
      logger: quietLog,
      canTell: () => true,
      publish: (gateway, message) => this.#publish(gateway, message),
      onSent: () => undefined,
    });
    const intake = new Intake({
      ledger,
      registry,
      verifier,
      checks: inThread(verifier),
      networkId: NETWORK,
      readingClock: time.reading,
      clock: process.clock,
      logger: quietLog,
      onStored: (gateways) => {
        if (!this.#isDead) for (const gateway of gateways) acks.mark(gateway);
      },
      onRegistry: () => undefined,
      onVerified: () => undefined,
      onCommit: () => undefined,
    });
    this.#database = inner;
    this.#end = process.end;
    this.ledger = ledger;
    this.#isDead = false;
    intake.start();
    broker.receive = ({ gateway, meter, bytes }) =>
      intake.receive({ gateway, meter: asMeterId(meter), stream: 'backfill', bytes });
    acks.markAll();
    for (const [meterId, through] of witness.acknowledged) this.#judge(meterId, through);
  }

  #commit<T>(database: Database, work: () => T): T {
    this.commits++;
    if (this.#isDead || this.fuse-- > 0) return database.transaction(work);
    const before = this.isLying ? this.#before : readFiles(this.#path);
    const result = database.transaction(work);
    this.#tornCommit = cutBetween(before, readFiles(this.#path), this.#deps.random, this.isLying);
    this.#dies();
    return result;
  }

  /** Ends the process in the middle of its work: its later output is ignored. */
  #dies(): void {
    this.#isDead = true;
    this.#end();
    this.#deps.broker.receive = null;
  }

  /** Cuts the power, inside the commit where `fuse` hit one, else between two commits. */
  kill(): void {
    if (!this.#database) return;
    if (!this.#isDead) this.#dies();
    const files = readFiles(this.#path);
    const left = this.#tornCommit ?? (this.isLying ? cutBetween(this.#before, files, this.#deps.random, true) : files);
    this.#tornCommit = null;
    this.#database.sqlite.close();
    this.#database = null;
    this.ledger = null;
    this.fuse = Number.POSITIVE_INFINITY;
    this.#number++;
    writeFiles(this.#path, left);
  }

  #publish(gateway: Uint8Array, message: Uint8Array): boolean {
    if (this.#isDead) return false;
    const { broker, witness, signer, verifier } = this.#deps;
    for (const [id, { storedThrough }] of openAck(message, signer.publicKey, verifier).meters) {
      const before = witness.acknowledged.get(id) ?? 0n;
      if (storedThrough > before) witness.acknowledged.set(id, storedThrough);
    }
    broker.acknowledge(gateway, message);
    return true;
  }

  /** Checks that everything acknowledged is still stored, byte for byte. */
  #judge(meterId: string, through: bigint): void {
    const stored = this.messages(meterId);
    for (const { seq, name, content } of this.#deps.witness.publishedOf(meterId)) {
      if (seq <= through && stored.get(seq)?.content !== content)
        this.#deps.witness.faults.add(`lost: ${name} was acknowledged and the ledger does not have it`);
    }
  }

  /** Returns the ledger's messages of a meter, by seq. */
  messages(meterId: string): Map<bigint, { content: string; verdict: number; kind: number }> {
    const rows = this.#database?.sqlite
      .prepare(
        'SELECT m.seq, m.bytes, m.verdict, m.kind FROM messages m JOIN streams s ON s.id = m.stream WHERE s.meter = ?',
      )
      .all(meterId);
    return new Map(
      (rows ?? []).map((row) => [
        BigInt(`0x${toHex(row.seq as Uint8Array)}`),
        { content: toHex(row.bytes as Uint8Array), verdict: Number(row.verdict), kind: Number(row.kind) },
      ]),
    );
  }

  integrity(): string {
    return String(this.#database?.sqlite.prepare('PRAGMA integrity_check').get()?.integrity_check ?? 'closed');
  }

  remove(): void {
    this.kill();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
