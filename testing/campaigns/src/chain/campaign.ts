import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { RULES } from './model-state.js';
import { type Broken, playEpisode } from './play.js';
import { SABOTAGES } from './sabotage.js';

export { RULES as chainRules } from './model-state.js';
export { SABOTAGES as chainSabotages } from './sabotage.js';

/** Instructions of one episode: each episode starts from the same chain, with its own seed. */
export const EPISODE_INSTRUCTIONS = 500;

export interface ChainCampaignArgs {
  /** The same seed and number of instructions do the same. */
  readonly seed: number;
  readonly instructions: number;
  /** Continues at this episode: an earlier call's progress reported the episodes before as done. */
  readonly from?: number;
  /**
   * Removes one rule from the model, or changes the chain behind its programs' backs: a control, which must end with a
   * fault.
   */
  readonly broken?: Broken;
  readonly progress?: (done: { episodes: number; of: number; instructions: number }) => void;
}

export interface ChainCampaignResult {
  /**
   * Differences between chain and model, or broken invariants; empty when all checks pass. An episode ends with its
   * first fault.
   */
  readonly faults: readonly string[];
  /** Counts by name, `instructions` among them. */
  readonly figures: Readonly<Record<string, number>>;
}

/** Events that a run must reach, per thousand instructions, to prove anything. */
const REACHED: readonly (readonly [name: string, perThousand: number])[] = [
  ['attest accepted', 50],
  ['submit accepted', 20],
  ['mintPage accepted', 20],
  ['mintMeter accepted', 10],
  ['minted', 10],
  ['beyond the budget', 0.5],
  ['retire accepted', 3],
  ['dispute accepted', 2],
  ['answer accepted', 0.1],
  ['conclude accepted', 0.5],
  ['status accepted', 5],
  ['sync accepted', 10],
  ['register accepted', 3],
  ['confirm accepted', 1],
  ['activate accepted', 3],
  ['rotate accepted', 1],
  ['replace accepted', 0.5],
  ['announce accepted', 1],
  ['install accepted', 0.5],
  ['cancel accepted', 0.2],
  ['user accepted', 0.2],
  ['hostile accounts', 50],
  ["other zone's accounts", 3],
  ['replayed', 50],
  ['reordered', 20],
  ['sent twice', 20],
];

/** Returns the events that the figures must show and do not, in words. */
export function reviewFigures(figures: Readonly<Record<string, number>>): string[] {
  const thousands = (figures.instructions ?? 0) / 1_000;
  return REACHED.flatMap(([name, perThousand]) => {
    const [found, least] = [figures[name] ?? 0, perThousand * thousands];
    return found < least ? [`only ${found} of at least ${Math.ceil(least)}: ${name}`] : [];
  });
}

const SPREAD = 1_000_003n;

/** Plays one episode by its number. */
export function chainEpisode(seed: number, episode: number, broken?: Broken) {
  return playEpisode(BigInt(seed) * SPREAD + BigInt(episode), EPISODE_INSTRUCTIONS, broken);
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/**
 * Frees chains between two turns of the event loop. A chain is 60 MB outside JavaScript's heap, so the collector sees
 * no reason to run.
 */
export async function releaseChains(): Promise<void> {
  collectGarbage();
  await setImmediate();
}

/**
 * Plays random instructions (valid, replayed, reordered, with hostile accounts, by signers without the right) on the
 * built programs against a reference model. After each instruction accounts, history and balances equal the model's,
 * and the invariants hold.
 */
export async function chainCampaign(args: ChainCampaignArgs): Promise<ChainCampaignResult> {
  const of = Math.ceil(args.instructions / EPISODE_INSTRUCTIONS);
  const figures: Record<string, number> = {};
  const faults: string[] = [];
  for (let episode = args.from ?? 0; episode < of; episode++) {
    const result = chainEpisode(args.seed, episode, args.broken);
    if (result.fault) faults.push(`episode ${episode}: ${result.fault}`);
    for (const [name, count] of Object.entries(result.figures)) figures[name] = (figures[name] ?? 0) + count;
    await releaseChains();
    args.progress?.({ episodes: episode + 1, of, instructions: figures.instructions ?? 0 });
  }
  return { faults, figures };
}

export const isBroken = (name: string): name is Broken => [...RULES, ...SABOTAGES].some((known) => known === name);
