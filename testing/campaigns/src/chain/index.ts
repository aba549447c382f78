import type { Campaign, Control, Outcome } from '../campaign.js';
import * as programs from './campaign.js';
import type { Broken } from './play.js';

/** Seeds after which a run must have reached even rare events. */
const SEEDS_FOR_ALL = 60;

/** The rule that the model lacks at the moment, or the change of the chain; undefined in an honest run. */
let broken: Broken | undefined;

function controlOf(name: Broken, about: string): Control {
  return {
    about,
    seeds: 40,
    install: () => {
      broken = name;
      return () => {
        broken = undefined;
      };
    },
  };
}

/**
 * Either the model lacks a rule: the chain, which keeps it, must then differ. Or the chain is changed, and an invariant
 * must notice.
 */
const controls = Object.fromEntries([
  ...programs.chainRules.map((rule) => [rule, controlOf(rule, `the model does not know the rule "${rule}"`)] as const),
  ...programs.chainSabotages.map((name) => [name, controlOf(name, `the chain is changed: "${name}"`)] as const),
]);

/** Plays one episode of 500 instructions on its own chain. */
async function run(seed: number): Promise<Outcome> {
  const { fault, figures } = programs.chainEpisode(0, seed, broken);
  await programs.releaseChains();
  return { faults: fault === undefined ? [] : [fault], figures };
}

/** Plays random instructions on the built programs against a reference model; 240 seeds are 120,000 instructions. */
export const chainCampaign: Campaign = {
  name: 'chain',
  about: 'random instructions (valid, replayed, reordered, hostile) on the built programs against a reference model',
  seeds: 240,
  secondsPerSeed: 60,
  // A chain lives outside JavaScript's heap, and nothing guarantees that all its memory is freed.
  seedsPerProcess: 20,
  code: [
    'programs/artifacts',
    'programs/idl',
    'programs/ids.json',
    'programs/clients/dist',
    'testing/kit/dist',
    'runtime/dist',
    'protocol/dist',
    'protocol/vectors',
    'testing/campaigns/dist/chain',
  ],
  controls,
  run,
  // A few seeds need not reach rare events.
  review: (figures, seeds) => (seeds < SEEDS_FOR_ALL ? [] : programs.reviewFigures(figures)),
};
