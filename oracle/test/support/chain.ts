import { type Chain, connectChain, type SettlementDeps, startSettlement } from '../../src/wiring/chain.js';
import type { ChainLink, LinkOptions } from '../../src/wiring/chain-link.js';

/** A link to a chain and its settlement, built as the oracle's wiring builds them. */
export type StartedChain = Chain & { readonly registry: ChainLink['registry'] };

export type StartOptions = LinkOptions & SettlementDeps['options'];

/** Connects and settles in one step: for tests that need no ledger in between. */
export function startChain(
  deps: Omit<SettlementDeps, 'options' | 'cosign'> &
    Partial<Pick<SettlementDeps, 'cosign'>> & { options: StartOptions },
): StartedChain {
  const link = connectChain({ ...deps, knownMeters: [] });
  return { ...startSettlement(link, { cosign: null, ...deps }), registry: link.registry };
}
