import { addFigures, type Campaign, type Outcome } from '../campaign.js';
import { runCuts } from '../disk/cuts.js';
import { killControls } from './controls.js';
import { runOlderChain } from './older-chain.js';
import { runReal } from './real.js';

/** Simulated runs with power cuts beside each run with real processes. */
const CUTS_PER_SEED = 5;
let isControl = false;

/** Number of seeds from which on everything must have been reached. */
const SEEDS_FOR_ALL = 5;

/**
 * Plays a seed's part in this process, on virtual clocks: power cuts, and a chain that is restored to an older state.
 */
export async function runInProcess(seed: number): Promise<Outcome> {
  const faults: string[] = [];
  const figures: Record<string, number> = {};
  for (let i = 0; i < CUTS_PER_SEED; i++) {
    const cut = await runCuts(seed * CUTS_PER_SEED + i);
    faults.push(...cut.faults.map((fault) => `power cuts ${seed * CUTS_PER_SEED + i}: ${fault}`));
    addFigures(figures, cut.figures);
  }
  const older = await runOlderChain(seed);
  addFigures(figures, older.figures);
  return { faults: [...faults, ...older.faults.map((fault) => `older chain: ${fault}`)], figures };
}

/** Plays one seed: the part in this process, then a system of real processes. */
export async function runKillSeed(seed: number): Promise<Outcome> {
  const inside = await runInProcess(seed);
  // A rule that is off in this process is on in others.
  if (isControl) return inside;
  const real = await runReal(seed);
  const figures = { ...inside.figures };
  addFigures(figures, real.figures);
  return { faults: [...inside.faults, ...real.faults], figures };
}

const controls = Object.fromEntries(
  Object.entries(killControls).map(([name, control]) => {
    const install = () => {
      const repair = control.install();
      isControl = true;
      return () => {
        repair();
        isControl = false;
      };
    };
    return [name, { ...control, install }];
  }),
);

export const killCampaign: Campaign = {
  name: 'kill',
  about: 'kill -9 of every process at any moment, power cuts at any write: nothing lost, minted twice or signed twice',
  seeds: 100,
  secondsPerSeed: 400,
  // Each seed starts programs anew: their code at that time must still be the code under test.
  seedsPerProcess: 1,
  code: [
    ...['protocol', 'runtime', 'edge', 'broker', 'oracle', 'simulators', 'programs/clients', 'programs/sender'].map(
      (name) => `${name}/dist`,
    ),
    'tools/audit/dist',
    'tools/devnet/dist',
    'protocol/vectors',
    ...['artifacts', 'idl', 'ids.json'].map((name) => `programs/${name}`),
    'testing/kit/dist',
    ...['kill', 'disk'].map((name) => `testing/campaigns/dist/${name}`),
  ],
  controls,
  run: runKillSeed,
  review: (figures, seeds) =>
    (seeds < SEEDS_FOR_ALL
      ? []
      : [
          'kills',
          'samples',
          'cuts_of_gateways',
          'cuts_of_ledger',
          'sectors dropped',
          'segments dropped after the ack',
          'packets dropped',
          'transactions of a newer page refused',
        ]
    )
      .filter((name) => !figures[name])
      .map((name) => `no seed reached "${name}"`),
};
