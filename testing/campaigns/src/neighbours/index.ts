import type { Campaign } from '../campaign.js';
import { neighboursControls } from './controls.js';
import { TRICKS } from './hostile.js';
import { runNeighboursSeed } from './play.js';

/** Seeds after which every trick must have been played. */
const SEEDS_FOR_ALL = 500;

function review(figures: Readonly<Record<string, number>>, seeds: number): string[] {
  if (seeds < SEEDS_FOR_ALL) return [];
  return Object.keys(TRICKS).flatMap((name) =>
    figures[`trick: ${name}`] ? [] : [`the trick "${name}" was never played`],
  );
}

/**
 * One home of ten does anything that its key permits. This half is the event simulation: the oracle's own domain and
 * ledger with a model chain. The half on real processes belongs in `real/`.
 */
export const neighboursCampaign: Campaign = {
  name: 'neighbours',
  about: 'one hostile or unlucky home of ten: the others are never more than 2 windows behind, their rises exact',
  seeds: 10_000,
  secondsPerSeed: 60,
  code: [
    'protocol/dist',
    'protocol/vectors',
    'oracle/dist',
    'programs/sender/dist',
    'runtime/dist',
    'testing/campaigns/dist/neighbours',
    'testing/kit/dist',
  ],
  controls: neighboursControls,
  run: runNeighboursSeed,
  review,
};
