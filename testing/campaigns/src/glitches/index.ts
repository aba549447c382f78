import { RegisterJudge, type RegisterJudgeOptions, type Verdict } from '#edge/domain/metering/register-judge.js';
import type { JudgedSample } from '#edge/domain/metering/sample-run.js';
import type { Campaign } from '../campaign.js';
import { type PlayOptions, playSeed } from './play.js';

/** The rule before doubts: a fall that three reads show ends statements for good. */
class ThreeReads extends RegisterJudge {
  override judge(sample: JudgedSample): Verdict {
    const { last } = this;
    const hasFallen = last && (sample.importWh < last.importWh || sample.exportWh < last.exportWh);
    if (hasFallen) this.foreign(true);
    return super.judge(sample);
  }
}

/** No probe: any profile is believed. */
class NoProbe extends RegisterJudge {
  override judge(sample: JudgedSample): Verdict {
    return super.judge({ ...sample, against: [], contradiction: null });
  }
}

const FAR_W = 1e12;
const GAP_MS = 300_000;

/** No bound for the first value after a start or a silence. */
class NoBoundAfterGap extends RegisterJudge {
  readonly #relax: (isRelaxed: boolean) => void;
  #seenAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: RegisterJudgeOptions) {
    let isRelaxed = false;
    const { importLimitW, exportLimitW } = options.limits;
    super({
      ...options,
      limits: {
        ...{ stepWh: options.limits.stepWh },
        get importLimitW() {
          return isRelaxed ? FAR_W : importLimitW;
        },
        get exportLimitW() {
          return isRelaxed ? FAR_W : exportLimitW;
        },
      },
    });
    this.#relax = (value) => {
      isRelaxed = value;
    };
  }

  override judge(sample: JudgedSample): Verdict {
    this.#relax(sample.steadyMs - this.#seenAtMs > GAP_MS);
    this.#seenAtMs = sample.steadyMs;
    return super.judge(sample);
  }
}

let options: PlayOptions = {};
const control = (about: string, Judge: new (of: RegisterJudgeOptions) => RegisterJudge) => ({
  about,
  seeds: 60,
  install: () => {
    options = { makeJudge: (of) => new Judge(of) };
    return () => {
      options = {};
    };
  },
});

const MANY = 2_000;
const KINDS = ['zeros', 'ones', 'word', 'wild', 'scale', 'back', 'fall', 'gap', 'restart'];
const NOTICED = ['noticed exchange lower', 'noticed exchange beyond', 'noticed exchange serial'];

/** Plays meters whose registers glitch at any moment: nothing wrong is signed, and what comes back goes on. */
export const glitchesCampaign: Campaign = {
  name: 'glitches',
  about: 'glitches, gaps, restarts and exchanges of a meter: no wrong register is signed, and settlement goes on',
  seeds: 10_000,
  secondsPerSeed: 60,
  code: [
    'runtime/dist',
    'protocol/dist',
    'protocol/vectors',
    'edge/dist',
    'testing/campaigns/dist',
    'testing/kit/dist',
    'package-lock.json',
  ],
  controls: {
    'three-reads': control('three lower reads end the statements of a meter for good', ThreeReads),
    'no-probe': control('the probe of a profile is not asked', NoProbe),
    'no-bound-after-gap': control('the first value after a gap has no bound', NoBoundAfterGap),
  },
  run: (seed) => playSeed(seed, options),
  review: (figures, seeds) =>
    seeds < MANY ? [] : [...KINDS, ...NOTICED, 'undetectable', 'swapped'].filter((name) => !figures[name]),
};
