import { Random } from '@gridtokenx/testing-kit/random';
import { UnitHealth } from '#edge/domain/bus/unit.js';
import type { Campaign, Outcome } from '../campaign.js';
import { playIsolation } from './isolation.js';
import { playPolls } from './polls.js';

const POLLS = 1_500;
const MIN_SHARE = 0.95;
/** Numbers of lengths that most meters allow. */
const LENGTHS = [4, 8] as const;
/** With so few lengths the gateway lengthens the period. */
const FEW_LENGTHS = [1, 3] as const;
const SCENES = ['polls of 1', 'polls of 3', 'few lengths, polls of 1', 'few lengths, polls of 3'] as const;
let hasOneLength = false;

/**
 * Plays seeds through the gateway's readers, planner and bus: polls that finish in time, and dead meters that delay no
 * others.
 */
export const availabilityCampaign: Campaign = {
  name: 'availability',
  about: 'late and dropped answers cost few polls, and dead meters cost the others nothing',
  seeds: 200,
  secondsPerSeed: 120,
  code: [
    'runtime/dist',
    'protocol/dist',
    'protocol/vectors',
    'edge/dist',
    'simulators/dist',
    'testing/campaigns/dist',
    'testing/kit/dist',
    'package-lock.json',
  ],
  controls: {
    'one-length': {
      about: 'one length only reads the energy, and the period does not lengthen',
      seeds: 3,
      install: () => {
        hasOneLength = true;
        return () => {
          hasOneLength = false;
        };
      },
    },
    'never-silent': {
      about: 'the gateway reads an unresponsive meter at every poll',
      seeds: 3,
      install: () => {
        const rule = Object.getOwnPropertyDescriptor(UnitHealth.prototype, 'silenceBeganAtMs') as PropertyDescriptor;
        Object.defineProperty(UnitHealth.prototype, 'silenceBeganAtMs', { ...rule, get: () => null });
        return () => void Object.defineProperty(UnitHealth.prototype, 'silenceBeganAtMs', rule);
      },
    },
  },
  run: playSeed,
  review: (figures) => {
    const faults: string[] = [];
    for (const what of SCENES) {
      const share = (figures[`${what}: good`] ?? 0) / (figures[`${what}: all`] ?? 0);
      // Also fails when nothing was polled.
      if (!(share >= MIN_SHARE)) faults.push(`${what}: ${(100 * share).toFixed(2)} % came in time`);
    }
    return [...faults, ...['late', 'dropped', 'isolation: revivals'].filter((name) => !figures[name])];
  },
};

async function playSeed(seed: number): Promise<Outcome> {
  const figures: Record<string, number> = {};
  const random = new Random(seed, 'availability');
  const faults: string[] = [];
  for (const requests of [1, 3] as const) {
    const lengths = hasOneLength ? 1 : random.int(...LENGTHS);
    const rest = { random, requests, polls: POLLS, figures };
    faults.push(
      ...(await playPolls({ ...rest, name: `polls of ${requests}`, lengths, isLengthened: !hasOneLength })),
      ...(await playPolls({
        ...rest,
        name: `few lengths, polls of ${requests}`,
        lengths: random.int(...FEW_LENGTHS),
        isLengthened: true,
      })),
    );
  }
  faults.push(...(await playIsolation(random, () => new Random(seed, 'isolation'), figures)));
  return { faults, figures };
}
