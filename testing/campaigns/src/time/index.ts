import type { Verifier } from '@gridtokenx/protocol';
import { provedVerifier } from '@gridtokenx/runtime/node/sodium';
import { Random } from '@gridtokenx/testing-kit/random';
import type { Campaign, Outcome } from '../campaign.js';
import { makeHome, Witness } from '../disk/world.js';
import { TimedGateway } from './gateway.js';
import { judgeAll } from './judge.js';
import { FIGURES } from './life.js';
import { BOOTS, planOf } from './plan.js';
import { datesAll, without } from './rules.js';
import { START_MS, TimeWorld } from './world.js';

const SEEDS = 10_000;
/** From here on each situation must have been reached. */
const MANY = 200;
let proven: Verifier | null = null;

async function playTrial(seed: number): Promise<Outcome> {
  proven ??= provedVerifier();
  const random = new Random(seed, 'time');
  const plan = planOf(seed, random);
  const world = new TimeWorld(plan, random);
  const [home, witness] = [makeHome(0, START_MS), new Witness()];
  const gateway = new TimedGateway(world, { home, plan, witness, verifier: proven });
  try {
    for (const life of plan.lives) await gateway.live(life);
  } catch (error) {
    gateway.faults.add(`${(error as Error).stack}`);
  }
  const faults = [...gateway.faults, ...witness.faults, ...judgeAll(gateway.seen, home)];
  return { faults: faults.map((words) => `${plan.name}: ${words}`), figures: { ...gateway.figures, [plan.name]: 1 } };
}

/** Plays gateways on machines with every kind of wrong clock, beside right and wrong sources of the time. */
export const timeCampaign: Campaign = {
  name: 'time',
  about: 'wrong clocks, lying NTP, steps and restarts: stated errors hold, and only a known time chooses a window',
  seeds: SEEDS,
  secondsPerSeed: 60,
  code: [
    'runtime/dist',
    'protocol/dist',
    'protocol/vectors',
    'edge/dist',
    'edge/profiles',
    'oracle/dist',
    'testing/campaigns/dist',
    'testing/kit/dist',
    'package-lock.json',
  ],
  controls: {
    'no-offset': {
      about: "readings carry the machine's clock, and not the corrected time",
      seeds: 10,
      install: without('offset'),
    },
    'unknown-window': { about: 'an unknown time chooses windows', seeds: 40, install: datesAll },
    'unknown-floor': { about: "the machine's clock raises the floor unknown", seeds: 20, install: without('floor') },
  },
  run: playTrial,
  review: (figures, seeds) => {
    if (seeds < MANY) return [];
    const wanted = [...Object.keys(FIGURES), ...BOOTS.map(({ name }) => name)];
    return wanted.filter((name) => !figures[name]).map((name) => `no seed reached "${name}"`);
  },
};
