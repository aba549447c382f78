import { Random } from '@gridtokenx/testing-kit/random';
import { addFigures, type Campaign, type Outcome } from '../../campaign.js';
import { ACTS, LAST_ACTS } from './acts/index.js';
import { CODE } from './code.js';
import { realControls, sabotage } from './controls.js';
import { Fixture } from './fixture.js';
import { figuresOf, judge, MAX_BEHIND, MAX_HEAL_MS } from './judge.js';

/** One attack lasts two windows and a half. */
const ATTACK_MS = 12_000;
const ACTS_PER_SEED = 4;
/** Seeds after which every act must have been played. */
const SEEDS_FOR_ALL = 40;

let fixture: Fixture | null = null;

/** Returns the acts of a seed's home, in order. */
export function planOf(seed: number): { acts: string[]; actMs: number } {
  const { acts: forced, attackMs = ATTACK_MS } = sabotage() ?? {};
  const drawn = new Random(seed, 'acts').shuffled(ACTS).slice(0, ACTS_PER_SEED);
  const acts = forced ? [...forced] : drawn.sort((a, b) => LAST_ACTS.indexOf(a) - LAST_ACTS.indexOf(b));
  return { acts, actMs: Math.round(attackMs / acts.length) };
}

async function rigFor(seed: number): Promise<{ fixture: Fixture; home: number }> {
  let home = fixture && !fixture.stack.hasEnded ? fixture.nextTurncoat() : null;
  if (home === null) {
    await fixture?.stack.end();
    fixture = null;
    fixture = await Fixture.start(`neighbours-${seed}`);
    home = fixture.nextTurncoat();
  }
  if (!fixture || home === null) throw new Error('no home is left to turn hostile');
  return { fixture, home };
}

/** Plays one seed: one home of ten turns hostile while the campaign watches. */
export async function runSeed(seed: number): Promise<Outcome> {
  const { fixture: running, home } = await rigFor(seed);
  const plan = planOf(seed);
  const watch = running.watch();
  const diskBefore = running.stack.bytesIn('oracle');
  watch.begin();
  const attacker = running.attack(home, { seed, ...plan });
  const figures: Record<string, number> = { seeds: 1 };
  try {
    addFigures(figures, await attacker.done);
    const healedMs = await running.healed(watch, MAX_HEAL_MS);
    watch.attackersMs = attacker.cpuMs;
    await watch.stop();
    const seen = { sent: figures.messages ?? 0, diskBytes: running.stack.bytesIn('oracle') - diskBefore };
    const faults = judge(running, watch, seen, { behind: MAX_BEHIND, isApiJudged: true });
    if (figures.breaches) faults.push(`${figures.breaches} used tokens let somebody in`);
    if (healedMs === null) faults.push(`the neighbours are not settled ${MAX_HEAL_MS / 1_000} s after the attack`);
    addFigures(figures, figuresOf(watch));
    addFigures(figures, { 'healed after, sum of ms': healedMs ?? MAX_HEAL_MS });
    if (faults.length > 0) {
      // After a fault the stack serves no other seed, and its folder is kept for analysis.
      faults.push(`acts: ${plan.acts.join(', ')}; home ${home}; kept in ${running.stack.folder}`);
      await running.stack.end(true);
      fixture = null;
    }
    return { faults, figures };
  } finally {
    attacker.end();
    await watch.stop();
  }
}

export const neighboursRealCampaign: Campaign = {
  name: 'neighbours-real',
  about: 'one home of ten does anything that its keys permit, on real processes: the other nine notice nothing',
  seeds: 60,
  secondsPerSeed: 400,
  // As many seeds as one start has homes to turn hostile; the next start loads the code under test at that time.
  seedsPerProcess: 5,
  // The campaign measures times and memory: one system at a time.
  workers: 1,
  code: CODE,
  controls: realControls,
  run: runSeed,
  end: async () => {
    await fixture?.stack.end();
    fixture = null;
  },
  review: (figures, seeds) =>
    seeds < SEEDS_FOR_ALL ? [] : ACTS.filter((act) => !figures[`act ${act}`]).map((act) => `no seed reached "${act}"`),
};
