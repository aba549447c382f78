import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeDispute, decodeMeter, decodeMeterPage, instructions, pda } from '@gridtokenx/chain-client';
import { encodePayload, encodeSign1, fromHex, sha256, sigStructure } from '@gridtokenx/protocol';
import { ALONE, attestor, BASELINE, meterSigner, ZONE } from '@gridtokenx/testing-kit/oracle/deployment';
import { type LiteNode, liteFixture } from '@gridtokenx/testing-kit/oracle/fixtures';
import { verifier } from '@gridtokenx/testing-kit/oracle/ledger';
import { W } from '@gridtokenx/testing-kit/oracle/page-settler-harness';
import { FakeRegistry } from '@gridtokenx/testing-kit/signed-journal';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { AttestorDisputeBuilder } from '../../src/adapters/chain/dispute-builder.js';
import { toSlotCase } from '../../src/adapters/chain/dispute-case.js';
import { toRecord } from '../../src/adapters/chain/registry.js';
import type { Database } from '../../src/adapters/sqlite/database.js';
import { openDatabase } from '../../src/adapters/sqlite/database.js';
import { disputeMigrations, SqliteDisputeStore } from '../../src/adapters/sqlite/dispute-store.js';
import { SqliteLedger } from '../../src/adapters/sqlite/ledger.js';
import { ledgerMigrations } from '../../src/adapters/sqlite/schema.js';
import { SqliteStatements } from '../../src/adapters/sqlite/views.js';
import { admit } from '../../src/domain/intake/admit.js';
import { Disputes, type DisputesDeps, LOOK_EVERY_MS } from '../../src/domain/settlement/disputes/disputes.js';
import type { DisputeNode } from '../../src/domain/settlement/disputes/ports.js';
import { JUDGING } from '../../src/domain/verdicts/judging.js';

export type LiteFixture = Awaited<ReturnType<typeof liteFixture>>;

/** A chain whose meters sign for themselves. */
export const deviceFixture = (meters: number): Promise<LiteFixture> =>
  liteFixture(meters, [], { ...ALONE, deviceSigned: true });

/** Signs a statement of device `i`; totals since enrolment, Wh. `serial` distinguishes two statements of one window. */
export function said(
  fixture: Pick<LiteFixture, 'meters' | 'networkId'>,
  i: number,
  window: number,
  exportWh: bigint,
  serial = 0,
): Uint8Array {
  const payload = encodePayload({
    kind: 2,
    networkId: fixture.networkId,
    meterId: fromHex(fixture.meters[i]?.meterId ?? ''),
    seq: BigInt(16 * window + serial),
    window: W(window),
    exportWh: BASELINE.exportWh + exportWh,
    importWh: BASELINE.importWh + exportWh * 2n,
    readingCount: 15,
    quality: 0,
    timeUncertaintyMs: 1,
    readingsRoot: sha256(new Uint8Array([i, serial & 255, serial >> 8])),
  });
  return encodeSign1(payload, meterSigner(i).sign(sigStructure(payload)));
}

const placeOf = (fixture: LiteFixture, i: number) => {
  const meter = fixture.meters[i];
  if (!meter || meter.slot === null) throw new Error(`no meter ${i}`);
  return { meterId: fromHex(meter.meterId), zone: ZONE, page: 0, slot: meter.slot };
};

/** Brings what device `i` says as a contradiction; anyone may. */
export function dispute(fixture: LiteFixture, i: number, message: Uint8Array): void {
  const { chain } = fixture.lite;
  const payer = chain.payer.publicKey;
  const key = meterSigner(i).publicKey;
  chain.must([
    instructions.signedMessageVerification(key, message),
    instructions.dispute({ ...placeOf(fixture, i), payer }),
  ]);
}

export const caseOf = (fixture: LiteFixture, i: number) =>
  fixture.lite.chain.get(pda.dispute(ZONE, 0, placeOf(fixture, i).slot), decodeDispute);
export const slotOf = (fixture: LiteFixture, i: number) =>
  fixture.lite.chain.get(pda.meterPage(ZONE, 0), decodeMeterPage).slots[placeOf(fixture, i).slot];

/** Where a Meter record keeps the number of the last accepted case. */
const ACCEPTED_CASE_AT = 296;

/** As if the utility had accepted the verdict: how it does that is another test's concern. */
export function accept(fixture: LiteFixture, i: number, number: number): void {
  const { chain } = fixture.lite;
  const key = pda.meter(ZONE, placeOf(fixture, i).meterId);
  const account = chain.account(key);
  if (!account) throw new Error(`no meter ${i}`);
  const data = Uint8Array.from(account.data);
  new DataView(data.buffer).setUint32(ACCEPTED_CASE_AT, number, true);
  chain.put(key, { ...account, data });
  if (chain.get(key, decodeMeter).acceptedDispute !== number) throw new Error('the record has another layout');
}

/** The chain in process, as disputes see it. */
export function disputeNode(lite: LiteNode): DisputeNode {
  return {
    readPage: (zone, page) => lite.readPage(zone, page),
    send: (raw) => lite.send(raw),
    outcome: (signature) => lite.outcome(signature),
    blockhashState: (intent) => lite.blockhashState(intent),
    async readCase(zone, page, slot, meterId) {
      const clock = new DataView(new ArrayBuffer(40));
      clock.setBigInt64(32, BigInt(lite.chain.time), true);
      return toSlotCase(
        lite.chain.account(pda.meter(zone, fromHex(meterId))),
        lite.chain.account(pda.dispute(zone, page, slot)),
        { owner: attestor.publicKey, data: new Uint8Array(clock.buffer) },
      );
    },
  };
}

/** One oracle's ledger and its watch over disputes; killed and started again on the same file. */
export class DisputeOracle {
  readonly fixture: LiteFixture;
  readonly clock = new VirtualClock({ startAtMs: 1_800_000_000_000 });
  readonly log: string[] = [];
  readonly #dir = mkdtempSync(join(tmpdir(), 'disputes-'));
  readonly #change: Partial<DisputesDeps>;
  database!: Database;
  statements!: SqliteStatements;
  disputes!: Disputes;
  #ledger!: SqliteLedger;

  constructor(fixture: LiteFixture, change: Partial<DisputesDeps> = {}) {
    this.fixture = fixture;
    this.#change = change;
    this.start();
  }

  #registry(): FakeRegistry {
    const { chain } = this.fixture.lite;
    return new FakeRegistry(
      ...this.fixture.meters.map(({ meterId }) => toRecord(chain.get(pda.meter(ZONE, fromHex(meterId)), decodeMeter))),
    );
  }

  start(change: Partial<DisputesDeps> = {}): void {
    this.database?.sqlite.close();
    this.database = openDatabase(join(this.#dir, 'ledger.sqlite'), [...ledgerMigrations, ...disputeMigrations]);
    this.statements = new SqliteStatements(this.database.sqlite);
    const randomness = { bytes: (n: number) => new Uint8Array(n).fill(7), fraction: () => 0.5 };
    this.#ledger = new SqliteLedger(this.database, this.#registry(), randomness, () => {}, JUDGING);
    const note = (_fields: object, message: string) => void this.log.push(message);
    this.disputes = new Disputes({
      node: disputeNode(this.fixture.lite),
      builder: new AttestorDisputeBuilder(async () => this.fixture.lite.latestBlockhash(), attestor),
      store: new SqliteDisputeStore(this.database),
      statements: this.statements,
      meters: () => this.#registry().meters(),
      turns: null,
      clock: this.clock,
      logger: { debug: note, info: note, warn: note, error: note },
      ...this.#change,
      ...change,
    });
  }

  /** The ledger hears a message. */
  hear(...messages: Uint8Array[]): void {
    const registry = this.#registry();
    const nowMs = (W(90) + 1) * 900_000;
    this.#ledger.take(
      messages.map((message) => ({
        gateway: new Uint8Array(32).fill(77),
        topicMeter: null,
        admission: admit(message, 1_000, this.fixture.networkId, registry, verifier),
        arrivedAtMs: nowMs,
        receivedAtMs: 1_000,
      })),
      nowMs,
    );
  }

  /** Steps for so many looks at the page. */
  async look(times = 2): Promise<void> {
    const endAtMs = this.clock.nowMs() + times * LOOK_EVERY_MS;
    while (this.clock.nowMs() <= endAtMs) {
      const untilMs = await this.disputes.step(ZONE, 0);
      this.clock.advanceNow(Math.max(1, untilMs - this.clock.nowMs()));
    }
  }

  intents(): string[] {
    return this.database.sqlite
      .prepare('SELECT kind, status FROM dispute_intents ORDER BY id')
      .all()
      .map(({ kind, status }) => `${kind} ${status}`);
  }

  close(): void {
    this.database.sqlite.close();
    rmSync(this.#dir, { recursive: true });
  }
}
