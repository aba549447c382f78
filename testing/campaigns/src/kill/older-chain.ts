import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeLedgerPage, decodeMeterPage, pda } from '@gridtokenx/chain-client';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { Random } from '@gridtokenx/testing-kit/random';
import type { Database } from '#oracle/adapters/sqlite/database.js';
import { openDatabase } from '#oracle/adapters/sqlite/database.js';
import { chainMigrations } from '#oracle/adapters/sqlite/settlement-schema.js';
import { SqliteSettlementStore } from '#oracle/adapters/sqlite/settlement-store.js';
import { Lane } from '#oracle/domain/settlement/lane.js';
import { MovedSlots } from '#oracle/domain/settlement/moved.js';
import { planWindow } from '#oracle/domain/settlement/plan.js';
import type { Outcome } from '../campaign.js';
import { rules } from '../disk/rules.js';
import type { SlotView } from './chain-view.js';
import { judgeSlots } from './evidence.js';
import { ENROLLED, makeRig, type Rig } from './page-rig.js';

/** Where a meter page keeps its version: behind the discriminator of 8 bytes. */
const VERSION_AT = 8;
/** A lane that has not settled by then never will. */
const MOST_STEPS = 400;
/** The oracle's settlement of one page on the built programs, and a chain that comes back older. */
class OlderChain {
  readonly #random: Random;
  readonly #rig: Rig;
  readonly #dir = mkdtempSync(join(tmpdir(), 'gtx-older-'));
  #database: Database | null = null;
  #lane: Lane | null = null;
  #nowMs = 1_800_000_000_000;
  #window = ENROLLED;

  constructor(seed: number) {
    this.#random = new Random(seed, 'older chain');
    this.#rig = makeRig(this.#random.int(2, 5));
    this.#start();
  }

  /** The process begins again on its file. */
  #start(): Lane {
    const { node, builder, statements, meters, zone } = this.#rig;
    this.#database?.sqlite.close();
    this.#database = openDatabase(join(this.#dir, 'ledger.sqlite'), chainMigrations);
    this.#lane = new Lane(zone, 0, {
      node,
      builder,
      statements,
      store: new SqliteSettlementStore(this.#database),
      meters: () => meters,
      moved: new MovedSlots(() => Number.MAX_SAFE_INTEGER),
      ...{ plan: planWindow, zoneWindow: () => 0, turns: null },
      realClock: { nowMs: () => this.#nowMs, monotonicMs: () => this.#nowMs, after: () => () => undefined },
      closedAtMs: () => this.#nowMs - 10_000,
      graceMs: 3_000,
      logger: quietLog,
    });
    return this.#lane;
  }

  /** Steps until `isDone`, or until the lane is idle; time moves on as the lane asks. */
  async #step(isDone: () => boolean): Promise<boolean> {
    for (let i = 0; i < MOST_STEPS; i++) {
      const step = await this.#lane?.step();
      if (isDone()) return true;
      if (step?.kind !== 'wait') continue;
      if (step.why === 'idle') return true;
      this.#nowMs = Math.max(this.#nowMs, step.untilMs);
    }
    return false;
  }

  /** The next window: some or all meters state higher registers, within what their limits allow. */
  #state(): void {
    this.#window++;
    const { meters, statements } = this.#rig;
    for (const [i, meter] of meters.entries()) {
      if (i > 0 && this.#random.chance(0.2)) continue;
      statements.rise(meter, this.#window, BigInt(this.#random.int(1, 1_000)), BigInt(this.#random.int(0, 1_000)));
    }
  }

  async play(): Promise<string[]> {
    const { node } = this.#rig;
    for (let i = this.#random.int(1, 3); i > 0; i--) await this.#settleNext();
    const saved = this.#rig.save();
    for (let i = this.#random.int(1, 3); i > 0; i--) await this.#settleNext();
    const { version } = this.#pages().totals;
    this.#state();
    node.isHolding = true;
    await this.#step(() => node.held.length > 0);
    if (node.held.length === 0) return ['the lane sent nothing for a window that was stated'];
    this.#rig.restore(saved);
    if (!rules.pageVersion) this.#show(version);
    for (const raw of node.held) node.land(raw);
    const faults = this.#judge('what was built on a newer page');
    if (faults.length > 0) return faults;
    node.isHolding = false;
    this.#start();
    return (await this.#step(() => false)) ? this.#judgeEnd() : ['the page is not settled again'];
  }

  async #settleNext(): Promise<void> {
    this.#state();
    if (!(await this.#step(() => false))) throw new Error(`window ${this.#window} is not settled`);
  }

  /** Control: the program compares versions and is shown the one that it is asked for, so it has nothing to refuse. */
  #show(version: bigint): void {
    const { chain, zone } = this.#rig;
    const key = pda.meterPage(zone, 0);
    const account = chain.get(key, (found) => found);
    const data = Buffer.from(account.data);
    data.writeBigUInt64LE(version, VERSION_AT);
    chain.put(key, { ...account, data });
  }

  #pages() {
    const { chain, zone } = this.#rig;
    return {
      totals: chain.get(pda.meterPage(zone, 0), decodeMeterPage),
      ledger: chain.get(pda.ledgerPage(zone, 0), decodeLedgerPage),
    };
  }

  #slots(): SlotView[] {
    const { totals, ledger } = this.#pages();
    return this.#rig.meters.map(({ meterId, slot }) => {
      const [total, cursor] = [totals.slots[slot ?? -1], ledger.slots[slot ?? -1]];
      if (!total || !cursor) throw new Error(`meter ${meterId} has no slot`);
      const { window, importWh, exportWh } = total;
      return { meterId, window, importWh, exportWh, mintedWh: cursor.mintedWh };
    });
  }

  #judge(when: string): string[] {
    const { views, statements } = this.#rig;
    const stored = { messages: new Map(), statements: statements.raw, faults: [] };
    return judgeSlots(this.#slots(), views, stored).map((fault) => `${when}: ${fault}`);
  }

  /** Every meter's last statement is on the page, and exactly its export is minted. */
  #judgeEnd(): string[] {
    const faults = this.#judge('settled again');
    for (const { meterId, window, exportWh, mintedWh } of this.#slots()) {
      const last = this.#rig.statements.newest(meterId)?.window;
      if (window !== last) faults.push(`slot of ${meterId} stays at window ${window}, ${last} is stated`);
      if (mintedWh !== exportWh) faults.push(`slot of ${meterId}: minted ${mintedWh} Wh of ${exportWh}`);
    }
    return faults;
  }

  get stale(): number {
    return this.#rig.node.stale;
  }

  remove(): void {
    this.#database?.sqlite.close();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/**
 * One seed: windows are settled, the chain is restored from an earlier snapshot while a transaction that was built on the
 * newer page is under way and still valid, then it lands. It must change nothing, and settlement must heal.
 */
export async function runOlderChain(seed: number): Promise<Outcome> {
  const play = new OlderChain(seed);
  try {
    const faults = await play.play();
    const figures = {
      'chains restored under a valid transaction': 1,
      'transactions of a newer page refused': play.stale,
    };
    return { faults, figures };
  } finally {
    play.remove();
  }
}
