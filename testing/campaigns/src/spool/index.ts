import type { Campaign, Outcome } from '../campaign.js';
import { drawKind } from '../kinds.js';
import { playCuts, playErrors, playFlips, playReadOnly, playTruncations } from './play.js';
import { rules } from './rules.js';

interface Scenario {
  readonly seeds: number;
  readonly run: (seed: number) => Promise<Outcome>;
}

const SCENARIOS: readonly Scenario[] = [
  { seeds: 130, run: playCuts },
  { seeds: 110, run: playFlips },
  { seeds: 30, run: playErrors },
  { seeds: 10, run: playTruncations },
  { seeds: 20, run: playReadOnly },
];
const SEEDS = SCENARIOS.reduce((sum, { seeds }) => sum + seeds, 0);

const breakRule = (rule: keyof typeof rules) => () => {
  rules[rule] = false;
  return () => {
    rules[rule] = true;
  };
};

/**
 * Plays the gateway's spool and journals on a disk that fails: cuts, torn files, flipped bits, errors. Nothing committed is
 * lost beyond what was damaged, every loss is declared, every start succeeds, no seq is used twice.
 */
export const spoolCampaign: Campaign = {
  name: 'spool',
  about: 'a spool on a failing disk: nothing committed is lost unsaid, no start is refused, no seq comes twice',
  seeds: SEEDS,
  secondsPerSeed: 300,
  code: [
    'runtime/dist',
    'protocol/dist',
    'protocol/vectors',
    'oracle/dist',
    'edge/dist',
    'testing/campaigns/dist',
    'testing/kit/dist',
    'package-lock.json',
  ],
  controls: {
    'no-sync': { about: 'a commit does not sync the file', seeds: 6, install: breakRule('sync') },
    'no-directory-sync': {
      about: 'the name of a new segment is not synced',
      seeds: 6,
      install: breakRule('directorySync'),
    },
    'no-reservation': { about: 'seqs are not reserved on disk', seeds: 12, install: breakRule('reservation') },
    undeclared: { about: 'what the spool lost is not declared', seeds: 12, install: breakRule('declaration') },
  },
  run: (seed) => drawKind(seed, SCENARIOS, 'spool').run(seed),
  review: (figures, seeds) => {
    const wanted = ['cuts', 'flips', 'states flipped', 'thinned', 'sectors dropped'];
    if (seeds < 40) return [];
    const missing = wanted.filter((name) => !figures[name]).map((name) => `no seed reached "${name}"`);
    if (seeds < SEEDS) return missing;
    const least = {
      cuts: 10_000,
      flips: 10_000,
      truncations: 1,
      'errors EIO': 1,
      'errors ENOSPC': 1,
      'errors EROFS': 1,
    };
    const few = Object.entries({ ...least, 'read-only starts': 1 }).filter(([name, n]) => (figures[name] ?? 0) < n);
    return [...missing, ...few.map(([name, n]) => `fewer than ${n} of "${name}"`)];
  },
};
