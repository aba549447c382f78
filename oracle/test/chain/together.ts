import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asPublicKeyText, asWindow, type MeterId, type Signer } from '@gridtokenx/protocol';
import { ZONE } from '@gridtokenx/testing-kit/oracle/deployment';
import { existsOn, figures, type LiteNode, reached } from '@gridtokenx/testing-kit/oracle/fixtures';
import { verifier } from '@gridtokenx/testing-kit/oracle/ledger';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { FakeRegistry } from '@gridtokenx/testing-kit/signed-journal';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import type { Keypair } from '@solana/web3.js';
import { AttestorBuilder } from '../../src/adapters/chain/builder.js';
import type { Peer } from '../../src/adapters/chain/cosign/peer.js';
import type { AskPeer } from '../../src/adapters/chain/cosign/peers.js';
import { inThread } from '../../src/adapters/sodium/in-thread.js';
import type { Database } from '../../src/adapters/sqlite/database.js';
import { openDatabase } from '../../src/adapters/sqlite/database.js';
import { SqliteLedger } from '../../src/adapters/sqlite/ledger.js';
import { ledgerMigrations } from '../../src/adapters/sqlite/schema.js';
import { chainMigrations } from '../../src/adapters/sqlite/settlement-schema.js';
import { SqliteSettlementStore } from '../../src/adapters/sqlite/settlement-store.js';
import { SqliteStatements, SqliteViews } from '../../src/adapters/sqlite/views.js';
import { Intake } from '../../src/domain/intake/intake.js';
import type { CosignAnswer } from '../../src/domain/settlement/cosigning/ports.js';
import { MovedSlots } from '../../src/domain/settlement/moved.js';
import { PageSettler, type SettlerDeps } from '../../src/domain/settlement/page-settler.js';
import { planWindow } from '../../src/domain/settlement/plan.js';
import type { ChainNode, TransactionBuilder } from '../../src/domain/settlement/ports.js';
import { JUDGING } from '../../src/domain/verdicts/judging.js';
import { attestTogether, type Together, zoneReader } from '../../src/wiring/cosign.js';
import { ATTESTORS, IDENTITIES, type LiteFixture, statementOf } from './together-zone.js';

const GATEWAY = new Uint8Array(32).fill(77);
/** One oracle: a ledger of its own, its keys, its settler; killed and started again on the same file. */
export class OracleNode {
  readonly place: number;
  readonly directory = mkdtempSync(join(tmpdir(), 'together-'));
  readonly #all: Three;
  isSilent = false;
  registryChainSlot = Number.MAX_SAFE_INTEGER;
  registry!: FakeRegistry;
  #starts = 0;
  /** Bends its answer; null for an honest one. */
  bend: ((body: Uint8Array) => CosignAnswer) | null = null;
  bendBuilder: (builder: TransactionBuilder) => TransactionBuilder = (builder) => builder;
  bendNode: (node: ChainNode) => ChainNode = (node) => node;
  database!: Database;
  statements!: SqliteStatements;
  intake!: Intake;
  together!: Together;
  store!: SqliteSettlementStore;
  settler!: PageSettler;

  constructor(all: Three, place: number) {
    this.#all = all;
    this.place = place;
    this.start();
  }

  get peer(): Peer {
    return this.#all.peerAt(this.place);
  }

  get #file(): string {
    return join(this.directory, 'ledger.sqlite');
  }

  /** A copy of the ledger as it is now. */
  backUp(): string {
    const copy = join(this.directory, 'backup.sqlite');
    this.database.sqlite.prepare('VACUUM INTO ?').run(copy);
    return copy;
  }

  /** The disk broke: the ledger begins anew, or as it was in a copy. */
  lose(copy?: string): void {
    this.database.sqlite.close();
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${this.#file}${suffix}`, { force: true });
    if (copy) copyFileSync(copy, this.#file);
    this.start();
  }

  start(): void {
    if (this.database?.sqlite.isOpen) this.database.sqlite.close();
    const { fixture, clock } = this.#all;
    const registry = new FakeRegistry(...fixture.meters);
    // As new as any read of a page, unless a test wants that otherwise.
    registry.asOf = { ...registry.asOf, chainSlot: this.registryChainSlot };
    this.registry = registry;
    this.database = openDatabase(this.#file, [...ledgerMigrations, ...chainMigrations]);
    const { database } = this;
    this.statements = new SqliteStatements(database.sqlite);
    const { statements } = this;
    const views = new SqliteViews(database.sqlite);
    const randomness = {
      bytes: (n: number) => new Uint8Array(n).fill(16 * this.place + this.#starts++),
      fraction: () => 0.5,
    };
    const ledger = new SqliteLedger(database, registry, randomness, () => statements.changed(), JUDGING);
    const { networkId } = fixture;
    this.intake = new Intake({
      ...{ ledger, registry, verifier, networkId, readingClock: clock, clock: clock, logger: quietLog },
      ...{
        checks: inThread(verifier),
        onStored: () => {},
        onRegistry: () => {},
        onVerified: () => {},
        onCommit: () => {},
      },
    });
    const own = ATTESTORS[this.place] as Keypair;
    const latestBlockhash = async () => fixture.lite.latestBlockhash();
    const moved = new MovedSlots(() => registry.asOf.chainSlot);
    this.together = attestTogether({
      ...{ networkId, attestor: own, node: fixture.node, latestBlockhash, registry, statements, database },
      ...{ clock: clock, logger: quietLog, ask: this.#all.ask, roundMs: 8_000, moved },
      zoneSet: zoneReader((key) => fixture.account(key)),
      cosign: {
        peers: [0, 1, 2].filter((place) => place !== this.place).map((place) => this.#all.peerAt(place)),
        threshold: 2,
        signer: IDENTITIES[this.place] as Signer,
        verifier,
        exchange: (from, messages) => this.intake.exchange(from, messages, (meter) => views.gatewayOf(meter)),
      },
    });
    this.store = new SqliteSettlementStore(database);
    const builder = new AttestorBuilder(latestBlockhash, own, this.together.cosigner, existsOn(fixture.account));
    const deps: SettlerDeps = {
      ...{
        store: this.store,
        statements,
        meters: () => registry.meters(),
        clock: clock,
        graceMs: 3_000,
        logger: quietLog,
      },
      ...{ moved, plan: planWindow, zoneWindow: () => asWindow(0) },
      node: this.bendNode(fixture.node),
      builder: this.bendBuilder(builder),
      closedAtMs: () => clock.nowMs() - 10_000,
      turns: this.together.turns,
    };
    this.settler = new PageSettler(ZONE, 0, deps);
  }

  /** A gateway's messages reach this oracle. */
  hear(...messages: { meterId: MeterId; message: Uint8Array }[]): void {
    for (const { meterId, message } of messages) {
      this.intake.receive({ gateway: GATEWAY, meter: meterId, stream: 'backfill', bytes: message });
    }
    this.intake.flush();
  }

  intents(): string[] {
    return this.database.sqlite
      .prepare('SELECT kind, status FROM chain_intents ORDER BY id')
      .all()
      .map(({ kind, status }) => `${kind} ${status}`);
  }

  /** Returns its state of the peer at `place`. */
  stateOf(place: number): string {
    const { oracle } = this.#all.peerAt(place);
    return this.together.peers.view().find((one) => one.oracle === oracle)?.state ?? '';
  }

  close(): void {
    this.database.sqlite.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Three oracles on one chain, and a network between them that is JSON and nothing else. */
export class Three {
  readonly fixture: LiteFixture;
  readonly clock = new VirtualClock({ startAtMs: 1_800_000_000_000 });
  readonly nodes: OracleNode[];
  readonly answers: { to: number; status: number; refused: string }[] = [];
  /** Totals that every slot must show in the end, Wh. */
  readonly truth = new Map<number, bigint>();

  constructor(fixture: LiteFixture) {
    this.fixture = fixture;
    this.nodes = [];
    for (const place of [0, 1, 2]) this.nodes.push(new OracleNode(this, place));
  }

  get lite(): LiteNode {
    return this.fixture.lite;
  }

  node(place: number): OracleNode {
    const found = this.nodes[place];
    if (!found) throw new Error(`no oracle ${place}`);
    return found;
  }

  peerAt(place: number): Peer {
    return {
      oracle: asPublicKeyText(IDENTITIES[place]?.publicKey ?? new Uint8Array(32)),
      attestor: asPublicKeyText(ATTESTORS[place]?.publicKey.toBytes() ?? new Uint8Array(32)),
      url: `http://oracle-${place}`,
    };
  }

  readonly ask: AskPeer = async (peer, body) => {
    const node = this.nodes.find((one) => one.peer.oracle === peer.oracle);
    if (!node || node.isSilent) throw new Error('connect ECONNREFUSED');
    const { status, body: answer } = node.bend?.(body) ?? (await node.together.answer(body));
    this.answers.push({ to: node.place, status, refused: (answer as { refused?: string }).refused ?? '' });
    return { status, body: JSON.parse(JSON.stringify(answer)) };
  };

  /** Every meter's statement for a window reaches the oracles named, all three unless told otherwise. */
  window(number: number, exportWh: (meter: number) => bigint, to: readonly number[] = [0, 1, 2]): void {
    for (const i of this.fixture.meters.keys()) this.statement(i, number, exportWh(i), to);
  }

  statement(meter: number, number: number, exportWh: bigint, to: readonly number[] = [0, 1, 2]): void {
    const statement = statementOf(this.fixture, meter, number, exportWh);
    for (const place of to) this.node(place).hear(statement);
    this.truth.set(meter, exportWh);
  }

  /** Steps the settlers of all that are alive; time moves on when all of them wait. */
  async run(isDone: () => Promise<boolean> | boolean, what: string, limitMs = 120_000): Promise<void> {
    const end = this.clock.nowMs() + limitMs;
    await reached(
      what,
      async () => {
        if (await isDone()) return true;
        if (this.clock.nowMs() > end) throw new Error(`not in ${limitMs} ms of its time: ${what}; ${this.#shown()}`);
        let next = Number.POSITIVE_INFINITY;
        for (const node of this.nodes.filter((one) => !one.isSilent)) {
          const step = await node.settler.step();
          next = Math.min(next, step.kind === 'wait' ? step.untilMs : this.clock.nowMs());
        }
        this.clock.advanceNow(Math.max(0, Math.min(next, this.clock.nowMs() + 1_000) - this.clock.nowMs()));
        return false;
        // A bound for a test that hangs: the time that is checked is the clock's.
      },
      120_000,
    );
  }

  #shown(): string {
    const asked = this.answers.slice(-6).map(({ to, status, refused }) => `${to}: ${status} ${refused}`);
    const each = this.nodes.map(({ settler, together, intents }, i) => {
      const peers = together.peers.view().map(({ state }) => state);
      return `${i}: ${settler.problems()} [${peers.join(' | ')}] ${intents.call(this.nodes[i]).slice(-4)}`;
    });
    return [...each, ...asked].join('\n');
  }

  /** Until the chain shows the truth and all of it is minted; exact to the watt-hour or it throws. */
  async settled(): Promise<void> {
    await this.run(() => this.#isExact(), 'the truth is on chain');
  }

  async #isExact(): Promise<boolean> {
    const { slots, supply } = await figures(this.fixture);
    for (const [i, slot] of slots.entries()) {
      const truth = this.truth.get(i) ?? 0n;
      if (slot.exportWh > truth) throw new Error(`slot ${i} shows ${slot.exportWh} Wh, the meter signed ${truth}`);
    }
    const isDone = slots.every((slot, i) => slot.exportWh === this.truth.get(i) && slot.mintedWh === slot.exportWh);
    const sum = slots.reduce((total, slot) => total + slot.mintedWh, 0n);
    if (supply !== sum * 1_000n) throw new Error(`supply ${supply} for ${sum} Wh`);
    return isDone;
  }

  close(): void {
    for (const node of this.nodes) node.close();
    this.fixture.close();
  }
}
