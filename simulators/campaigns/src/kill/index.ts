import { addFigures, type Campaign, type Outcome } from '../campaign.js';
import { runCuts } from '../disk/cuts.js';
import { killControls } from './controls.js';
import { runReal } from './real.js';

/** Simulated runs with power cuts beside each run with real processes. */
const CUTS_PER_SEED = 5;
let isControl = false;

/** One seed: power cuts on a virtual clock, then a system of real processes. */
export async function runKillSeed(seed: number): Promise<Outcome> {
  const faults: string[] = [];
  const figures: Record<string, number> = {};
  for (let i = 0; i < CUTS_PER_SEED; i++) {
    const cut = await runCuts(seed * CUTS_PER_SEED + i);
    faults.push(...cut.faults.map((fault) => `power cuts ${seed * CUTS_PER_SEED + i}: ${fault}`));
    addFigures(figures, cut.figures);
  }
  // A rule that is off in this process is on in others.
  if (isControl) return { faults, figures };
  const real = await runReal(seed);
  addFigures(figures, real.figures);
  return { faults: [...faults, ...real.faults], figures };
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
  // Each seed starts programs anew: whatever they load by then must still be the code that is under test.
  seedsPerProcess: 1,
  code: [
    ...['protocol', 'runtime', 'edge', 'broker', 'oracle', 'simulators', 'programs/clients'].map(
      (name) => `${name}/dist`,
    ),
    ...['start', 'chain', 'checks', 'files.js', 'root.js'].map((name) => `tools/dist/${name}`),
    'protocol/vectors',
    ...['artifacts', 'idl', 'ids.json'].map((name) => `programs/${name}`),
    ...['kill', 'disk', 'random.js'].map((name) => `simulators/campaigns/dist/${name}`),
  ],
  controls,
  run: runKillSeed,
  review: (figures) =>
    [
      'kills',
      'samples',
      'cuts_of_gateways',
      'cuts_of_ledger',
      'sectors dropped',
      'segments dropped after the ack',
      'packets dropped',
    ]
      .filter((name) => !figures[name])
      .map((name) => `no seed reached "${name}"`),
};
