import { type Finding, Health, type HealthReport } from '@gridtokenx/runtime/core';
import type { KeeperFindings } from './keeper.js';

/** The conditions of the embedded chain; docs/health.md has a row for each. */
export const CHAIN_CONDITIONS = ['restored', 'invariants', 'network', 'snapshot', 'node'] as const;
export type ChainCondition = (typeof CHAIN_CONDITIONS)[number];

/** Names the parts of the chain's process that health looks at. */
export interface ChainParts {
  readonly keeper: { findings(): KeeperFindings };
  /** Returns why the node does not answer, in words; null when it does. */
  readonly node: () => string | null;
  /** Returns real time, ms. */
  readonly now: () => number;
}

/** Builds the health report of the embedded chain. */
export function chainHealth({ keeper, node, now }: ChainParts): { report(): HealthReport } {
  const checks: Record<ChainCondition, () => Finding> = {
    restored: () => keeper.findings().restored,
    invariants: () => keeper.findings().invariants,
    network: () => keeper.findings().network,
    snapshot: () => keeper.findings().snapshot,
    node,
  };
  return new Health(checks, now);
}
