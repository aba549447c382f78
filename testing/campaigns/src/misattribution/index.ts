import { Random } from '@gridtokenx/testing-kit/random';
import type { Campaign, Outcome } from '../campaign.js';
import { drawKind } from '../kinds.js';
import { ALL_FAULTS, LATER_COPIES } from './faults.js';
import { playNoise } from './noise.js';
import { playLibrary } from './peers/modbus-serial.js';
import { playPymodbus } from './peers/pymodbus.js';
import { playTelegraf } from './peers/telegraf.js';
import { play } from './play.js';
import type { RealLine } from './real/lines.js';
import { playReal, REAL_RATES } from './real/play.js';

/** The control that is on; null without one. */
let control: 'injected' | 'real' | null = null;

const READS = 3_000;
/** Number of buses of a seed on real lines, side by side. */
const BUSES: Readonly<Record<RealLine, number>> = { pty: 6, 'rtu-over-tcp': 4, converter: 3, tcp: 3 };
const READS_OF_BUS = 160;
/** Reads on real lines after which every fault and every line must have occurred: three seeds. */
const MIN_REAL_READS = 7_000;
const NOISY_FRAMES = 400_000;
const LIBRARY_LINES = ['pty', 'rtu-over-tcp', 'tcp'] as const;
const PEER_READS = 2_000;
const TELEGRAF_SECONDS = 60;

/** A kind of seeds; a full run has `seeds` of them. */
interface Scenario {
  readonly name: string;
  readonly seeds: number;
  readonly run: (seed: number) => Promise<Outcome>;
}

const PARTS: readonly Scenario[] = [
  { name: 'injected', seeds: 300, run: (seed) => play(seed, { reads: READS, rates: ALL_FAULTS, isShort: false }) },
  { name: 'real', seeds: 40, run: (seed) => playLines(seed, false) },
  { name: 'later copies', seeds: 10, run: playLaterCopies },
  { name: 'noise', seeds: 10, run: async (seed) => playNoise(seed, NOISY_FRAMES) },
  {
    name: 'modbus-serial',
    seeds: 6,
    run: (seed) => {
      const { kind, random } = setUpOf(seed);
      return playLibrary(seed, { kind, meters: random.pick([1, 3]), reads: PEER_READS });
    },
  },
  {
    name: 'pymodbus',
    seeds: 4,
    run: (seed) => playPymodbus(setUpOf(seed).random.pick(['tcp', 'pty']), seed, PEER_READS),
  },
  { name: 'telegraf', seeds: 3, run: (seed) => playTelegraf(setUpOf(seed).kind, seed, TELEGRAF_SECONDS) },
];
const SEEDS = PARTS.reduce((sum, { seeds }) => sum + seeds, 0);

/** Returns the scenario that a seed plays, drawn from it. */
export const partOf = (seed: number): Scenario => drawKind(seed, PARTS, 'misattribution');

/** Draws a peer's set-up from the seed. */
function setUpOf(seed: number) {
  const random = new Random(seed, 'misattribution/peer');
  return { random, kind: random.pick(LIBRARY_LINES) };
}

function playLines(seed: number, isShort: boolean): Promise<Outcome> {
  const lines = Object.entries(BUSES).flatMap(([kind, count]) => Array<RealLine>(count).fill(kind as RealLine));
  return playReal(seed, { lines, reads: READS_OF_BUS, rates: REAL_RATES, isShort });
}

/** A separate row: what the rule does not promise is counted and is no fault. */
async function playLaterCopies(seed: number): Promise<Outcome> {
  const { figures } = await play(seed, { reads: READS, rates: LATER_COPIES, isShort: false });
  const of = (name: string) => figures[name] ?? 0;
  return {
    faults: [],
    figures: {
      'later copies: reads': of('reads'),
      'later copies: copied': of('copied'),
      'later copies: wrong': of('wrong'),
    },
  };
}

const breakRule = (kind: 'injected' | 'real') => () => {
  control = kind;
  return () => {
    control = null;
  };
};

const INJECTED = ['late', 'dropped', 'copied', 'truncated', 'glued', 'corrupted', 'exceptions', 'rests'];
const REAL = [
  ...['late', 'drop', 'copy', 'truncate', 'glue', 'corrupt', 'exception'].map((name) => `real: ${name}`),
  ...Object.keys(BUSES).map((kind) => `${kind}: good`),
];

/**
 * Plays late, dropped, copied, truncated, glued and damaged answers on the gateway's bus: the bus must never return one
 * register's value for another's.
 */
export const misattributionCampaign: Campaign = {
  name: 'misattribution',
  about: 'reads through the port class on a disturbed line: never the value of one register for another',
  seeds: SEEDS,
  // The first of a peer's seeds may have to build it.
  secondsPerSeed: 600,
  code: [
    'runtime/dist',
    'protocol/dist',
    'protocol/vectors',
    'edge/dist',
    'edge/profiles',
    'simulators/dist',
    'testing/campaigns/dist',
    'testing/kit/dist',
    'testing/campaigns/peers',
    'package-lock.json',
  ],
  controls: {
    quarantine: {
      about: 'the quarantine is half of the longest lateness',
      seeds: 20,
      install: breakRule('injected'),
    },
    'quarantine-real': {
      about: 'the same on real lines',
      seeds: 10,
      install: breakRule('real'),
    },
  },
  run: (seed) => {
    if (control === 'injected') return play(seed, { reads: READS, rates: ALL_FAULTS, isShort: true });
    return control === 'real' ? playLines(seed, true) : partOf(seed).run(seed);
  },
  review: (figures, seeds) => {
    const isWhole = seeds >= SEEDS;
    // A few seeds need not have both kinds of lines, nor reach the rare events of one.
    const wanted = [
      ...(isWhole || (figures.reads ?? 0) >= 10 * READS ? INJECTED : []),
      ...(isWhole || (figures['real: reads'] ?? 0) >= MIN_REAL_READS ? REAL : []),
    ];
    return wanted.filter((name) => !figures[name]).map((name) => `no seed reached "${name}"`);
  },
};
