import type { Campaign } from '../campaign.js';
import { ALL_FAULTS } from './faults.js';
import { play } from './play.js';

const READS = 3_000;
let isShort = false;

/** Late, dropped, copied, truncated, glued and damaged answers on the gateway's bus: no register's value for another's. */
export const misattributionCampaign: Campaign = {
  name: 'misattribution',
  about: 'reads through the port class on a disturbed line: never the value of one register for another',
  seeds: 300,
  secondsPerSeed: 120,
  code: ['protocol/dist', 'edge/dist', 'simulators/campaigns/dist', 'package-lock.json'],
  controls: {
    quarantine: {
      about: 'the quarantine is half of the longest lateness',
      seeds: 20,
      install: () => {
        isShort = true;
        return () => {
          isShort = false;
        };
      },
    },
  },
  run: (seed) => play(seed, { reads: READS, rates: ALL_FAULTS, isShort }),
  review: (figures) =>
    ['late', 'dropped', 'copied', 'truncated', 'glued', 'corrupted', 'exceptions', 'rests']
      .filter((name) => !figures[name])
      .map((name) => `no seed reached "${name}"`),
};
