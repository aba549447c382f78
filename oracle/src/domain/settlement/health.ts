import type { ChainHealth, PeerView } from '../live/ports.js';
import type { Registry } from '../ports.js';
import { caseInWords, isRunningOut } from './disputes/case-messages.js';
import type { CaseView } from './disputes/ports.js';
import type { PageSettler } from './page-settler.js';
import { isOpen } from './plan.js';
import type { StatementStore } from './statements.js';

/** Reports the driver's problems; null where all is well. */
export interface DriverView {
  readonly state: string;
  readonly lastSnapshotChainSlot: number | null;
  readonly failure: string | null;
  readonly snapshotFailure: string | null;
  readonly stalled: string | null;
  settlers(): readonly SettlerView[];
  disputes(): { readonly cases: readonly CaseView[]; readonly failure: string | null };
}

/** Selects the part of a page settler that health reads. */
export type SettlerView = Pick<
  PageSettler,
  'zone' | 'page' | 'last' | 'problem' | 'problems' | 'mintProblems' | 'pending'
>;

/** Names a slot that is further behind its newest statement; the settler catches up to seven windows one by one. */
export const MAX_WINDOWS_BEHIND = 8;

/** The chain side as health names it. */
export function healthOf(
  driver: DriverView,
  registry: Registry,
  peers: readonly PeerView[],
  sources: { newest: StatementStore['newest']; balanceLamports: () => number | null },
): ChainHealth {
  const disputes = driver.disputes();
  const inWords = (zone: number, page: number) => (problem: string) => `page ${zone}/${page}: ${problem}`;
  const settlers = driver.settlers();
  return {
    node: driver.failure ?? driver.stalled,
    pauses: settlers.flatMap(({ zone, page, problem }) => (problem ? [inWords(zone, page)(problem)] : [])),
    mints: settlers.flatMap((settler) => settler.mintProblems().map(inWords(settler.zone, settler.page))),
    behind: behind(driver, registry, sources.newest),
    cosigners: peers.flatMap(({ oracle, state, isWell }) => (isWell ? [] : [`oracle ${oracle}: ${state}`])),
    disputes: disputes.cases.filter((one) => !isRunningOut(one)).map(caseInWords),
    deadlines: disputes.cases.filter(isRunningOut).map(caseInWords),
    watching: disputes.failure,
    snapshot: driver.snapshotFailure,
    balanceLamports: sources.balanceLamports(),
  };
}

function behind(driver: DriverView, registry: Registry, newest: StatementStore['newest']): string[] {
  return driver.settlers().flatMap(({ zone, page, last }) => {
    const lags = registry.meters().map((meter) => {
      const slot =
        meter.zone === zone && meter.page === page && meter.slot !== null ? last?.page?.slots[meter.slot] : null;
      return slot && isOpen(slot) ? (newest(meter.meterId)?.window ?? 0) - slot.window : 0;
    });
    const count = lags.filter((lag) => lag > MAX_WINDOWS_BEHIND).length;
    return count === 0 ? [] : [`page ${zone}/${page}: ${count} meters are up to ${Math.max(...lags)} windows behind`];
  });
}
