import { decodeLedgerPage, decodeMeterPage, pda } from '@gridtokenx/chain-client';
import { ENROLLED, ZONE } from '@gridtokenx/testing-kit/oracle/deployment';
import { liteFixture } from '@gridtokenx/testing-kit/oracle/fixtures';
import { SettlerHarness } from '@gridtokenx/testing-kit/oracle/page-settler-harness';
import { Random } from '@gridtokenx/testing-kit/random';
import type { MeterRecord } from '#oracle/domain/ports.js';
import type { Outcome } from '../campaign.js';
import { rules } from '../disk/rules.js';
import type { SlotView } from './chain-view.js';
import { judgeSlots } from './evidence.js';
import { HeldNode } from './held-node.js';

/** Offset of a meter page's version, behind the discriminator of 8 bytes. */
const VERSION_AT = 8;
/** A settler that has sent nothing by then never will. */
const MAX_STEPS = 400;

interface Totals {
  readonly importWh: bigint;
  readonly exportWh: bigint;
}

/** The oracle's settlement of one page on the built programs, and a chain that is restored to an older state. */
class OlderChain {
  readonly #random: Random;
  readonly #fixture: Awaited<ReturnType<typeof liteFixture>>;
  readonly #node: HeldNode;
  readonly #harness: SettlerHarness;
  /** Totals since enrolment by `meter/window`, and each meter's last totals. */
  readonly #stated = new Map<string, Totals>();
  readonly #last = new Map<string, Totals>();
  #window = ENROLLED;

  private constructor(random: Random, fixture: Awaited<ReturnType<typeof liteFixture>>) {
    this.#random = random;
    this.#fixture = fixture;
    this.#node = new HeldNode(fixture.node);
    this.#harness = new SettlerHarness({ ...fixture, node: this.#node });
  }

  static async make(seed: number): Promise<OlderChain> {
    const random = new Random(seed, 'older chain');
    return new OlderChain(random, await liteFixture(random.int(2, 5)));
  }

  /** Adds the next window: some or all meters state higher registers, within their limits. */
  #state(): void {
    this.#window++;
    for (const [i, meter] of this.#fixture.meters.entries()) {
      if (i > 0 && this.#random.chance(0.2)) continue;
      this.#rise(meter, BigInt(this.#random.int(1, 1_000)), BigInt(this.#random.int(0, 1_000)));
    }
  }

  /** Adds one more statement of a meter, so many Wh above its last statement. */
  #rise({ meterId, ...meter }: MeterRecord, exportWh: bigint, importWh: bigint): void {
    const last = this.#last.get(meterId) ?? { importWh: 0n, exportWh: 0n };
    const totals = { importWh: last.importWh + importWh, exportWh: last.exportWh + exportWh };
    this.#harness.statements.put({ meterId, ...meter }, this.#window, totals.exportWh, totals.importWh);
    this.#last.set(meterId, totals);
    this.#stated.set(`${meterId}/${this.#window}`, totals);
  }

  async play(): Promise<string[]> {
    const node = this.#node;
    for (let i = this.#random.int(1, 3); i > 0; i--) await this.#settleNext();
    const saved = await this.#fixture.save();
    for (let i = this.#random.int(1, 3); i > 0; i--) await this.#settleNext();
    const { version } = this.#pages().totals;
    this.#state();
    node.isHolding = true;
    for (let i = 0; i < MAX_STEPS && node.held.length === 0; i++) await this.#harness.settler.step();
    if (node.held.length === 0) return ['the settler sent nothing for a window that was stated'];
    await this.#fixture.restore(saved);
    if (!rules.pageVersion) this.#show(version);
    for (const raw of node.held) await node.land(raw);
    const faults = this.#judge('what was built on a newer page');
    if (faults.length > 0) return faults;
    node.isHolding = false;
    this.#harness.start();
    await this.#harness.untilIdle();
    return this.#judgeEnd();
  }

  async #settleNext(): Promise<void> {
    this.#state();
    await this.#harness.untilIdle();
  }

  /** Control: shows the program the version that it expects, so the program has nothing to refuse. */
  #show(version: bigint): void {
    const { chain } = this.#fixture.lite;
    const key = pda.meterPage(ZONE, 0);
    const account = chain.get(key, (found) => found);
    const data = Buffer.from(account.data);
    data.writeBigUInt64LE(version, VERSION_AT);
    chain.put(key, { ...account, data });
  }

  #pages() {
    const { chain } = this.#fixture.lite;
    return {
      totals: chain.get(pda.meterPage(ZONE, 0), decodeMeterPage),
      ledger: chain.get(pda.ledgerPage(ZONE, 0), decodeLedgerPage),
    };
  }

  #slots(): SlotView[] {
    const { totals, ledger } = this.#pages();
    return this.#fixture.meters.map(({ meterId, slot }) => {
      const [total, cursor] = [totals.slots[slot ?? -1], ledger.slots[slot ?? -1]];
      if (!total || !cursor) throw new Error(`meter ${meterId} has no slot`);
      const { window, importWh, exportWh } = total;
      return { meterId, window, importWh, exportWh, mintedWh: cursor.mintedWh };
    });
  }

  #judge(when: string): string[] {
    const stored = { messages: new Map(), statements: this.#stated, faults: [] };
    const views = this.#fixture.meters.map(({ meterId, slot, enrolmentWindow }) => ({
      ...{ meterId, zone: ZONE, page: 0, slot: slot ?? -1, enrolmentWindow },
      // The totals here count from the enrolment.
      ...{ importOffset: 0n, exportOffset: 0n },
    }));
    return judgeSlots(this.#slots(), views, stored).map((fault) => `${when}: ${fault}`);
  }

  /** Checks that every meter's last statement is on the page, and exactly its export is minted. */
  #judgeEnd(): string[] {
    const faults = this.#judge('settled again');
    for (const { meterId, window, exportWh, mintedWh } of this.#slots()) {
      const last = this.#harness.statements.newest(meterId)?.window;
      if (window !== last) faults.push(`slot of ${meterId} stays at window ${window}, ${last} is stated`);
      if (mintedWh !== exportWh) faults.push(`slot of ${meterId}: minted ${mintedWh} Wh of ${exportWh}`);
    }
    return faults;
  }

  get stale(): number {
    return this.#node.stale;
  }

  remove(): void {
    this.#harness.close();
    this.#fixture.close();
  }
}

/**
 * Plays one seed: windows are settled, then the chain is restored from an earlier snapshot. A transaction built on the
 * newer page is in flight and still valid, and lands after the restore. It must change nothing, and settlement must
 * recover.
 */
export async function runOlderChain(seed: number): Promise<Outcome> {
  const play = await OlderChain.make(seed);
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
