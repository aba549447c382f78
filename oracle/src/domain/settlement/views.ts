import { asWh, baseUnitsOf, type MeterId } from '@gridtokenx/protocol';
import type { ChainHealth, ChainState, ChainTotals, PeerView, Settlement, Settlements } from '../live/ports.js';
import type { Registry } from '../ports.js';
import { caseInWords } from './disputes/case-messages.js';
import { type DriverView, healthOf } from './health.js';
import type { SettlementArchive } from './ports.js';
import type { StatementStore } from './statements.js';

/** Transactions of one meter that are shown. */
const SHOWN_TRANSACTIONS = 200;
const SHOWN_PROBLEMS = 20;

export interface ViewsDeps {
  readonly archive: SettlementArchive;
  readonly registry: Registry;
  readonly driver: DriverView;
  /** The other attestors; none where this is the only one. */
  readonly peers: () => readonly PeerView[];
  readonly statements: Pick<StatementStore, 'newest'>;
  /** Of the attestor; null while it was not read. */
  readonly balanceLamports: () => number | null;
}

/** Settlements and totals as the api reads them. */
export class SettlementViews implements Settlements {
  readonly #deps: ViewsDeps;

  constructor(deps: ViewsDeps) {
    this.#deps = deps;
  }

  after(id: number, limit: number): Settlement[] {
    return this.#deps.archive.after(id, limit);
  }

  totalsOf(meterId: MeterId): ChainTotals | undefined {
    const { archive, registry, driver } = this.#deps;
    const meter = registry.meter(meterId);
    const settler = driver.settlers().find((one) => one.zone === meter?.zone && one.page === meter?.page);
    const [slot, ledger] =
      meter?.slot == null ? [] : [settler?.last?.page?.slots[meter.slot], settler?.last?.ledger?.slots[meter.slot]];
    const transactions = archive.transactions(meterId, SHOWN_TRANSACTIONS);
    if (slot) {
      const mintedBaseUnits = baseUnitsOf(ledger?.mintedWh ?? asWh(0n));
      return { window: slot.window, importWh: slot.importWh, exportWh: slot.exportWh, mintedBaseUnits, transactions };
    }
    // Until the chain has been read once, what was last known.
    const last = archive.lastTotals(meterId);
    return last && { ...last, transactions };
  }

  chainHealth(): ChainHealth {
    const { driver, registry, peers, statements, balanceLamports } = this.#deps;
    return healthOf(driver, registry, peers(), { newest: (meterId) => statements.newest(meterId), balanceLamports });
  }

  chainState(): ChainState {
    const { archive, driver } = this.#deps;
    const settlers = driver.settlers();
    const undone = archive.undoneCount();
    const peers = this.#deps.peers();
    const disputes = driver.disputes();
    const problems = [
      ...(disputes.failure ? [`disputes are not watched: ${disputes.failure}`] : []),
      ...disputes.cases.map(caseInWords),
      ...peers.flatMap(({ oracle, state, accusation }) => (accusation ? [`oracle ${oracle}: ${state}`] : [])),
      ...settlers.flatMap((settler) =>
        settler.problems().map((problem) => `page ${settler.zone}/${settler.page}: ${problem}`),
      ),
      ...(undone ? [`the chain came back older: ${undone} transactions are undone`] : []),
      ...archive
        .skips(SHOWN_PROBLEMS)
        .map(({ meterId, window, reason }) => `meter ${meterId}, window ${window} not attested: ${reason}`),
    ];
    return {
      pending: settlers.reduce((sum, settler) => sum + settler.pending(), 0),
      sender: driver.state,
      lastSnapshotChainSlot: driver.lastSnapshotChainSlot,
      stalled: driver.stalled,
      problems: problems.slice(0, SHOWN_PROBLEMS),
      peers,
    };
  }
}
