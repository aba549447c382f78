import { WINDOW_MS } from '@gridtokenx/protocol';
import type { Random } from '@gridtokenx/testing-kit/random';
import { drawKind } from '../kinds.js';

export const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * DAY_MS;

/** Sets what the machine shows after a boot. */
type Boot =
  | { readonly kind: 'epoch' }
  | { readonly kind: 'last shutdown' }
  /** A battery keeps it, `aheadMs` ahead of the true time. */
  | { readonly kind: 'battery'; readonly aheadMs: number };

interface BootKind {
  readonly name: string;
  readonly seeds: number;
  readonly boot: Boot;
}

const battery = (name: string, aheadMs: number): BootKind => ({ name, seeds: 1, boot: { kind: 'battery', aheadMs } });

/** Kinds of machines, each with its share of the seeds. */
export const BOOTS: readonly BootKind[] = [
  { name: 'no RTC, 1970', seeds: 3, boot: { kind: 'epoch' } },
  { name: 'no RTC, last shutdown', seeds: 2, boot: { kind: 'last shutdown' } },
  battery('right', 0),
  battery('2 h ahead', 2 * HOUR_MS),
  battery('2 h behind', -2 * HOUR_MS),
  battery('30 days ahead', 30 * DAY_MS),
  battery('30 days behind', -30 * DAY_MS),
  battery('10 years ahead', 10 * YEAR_MS),
  battery('10 years behind', -10 * YEAR_MS),
];

export interface NtpPlan {
  readonly kind: 'none' | 'timesyncd' | 'chrony';
  /** Real ms from the boot to the first synchronisation. */
  readonly firstMs: number;
  readonly everyMs: number;
  /** Bounds its honest error, ms. */
  readonly errorMs: number;
  /** Added to the true time by a server that lies; 0 = honest. */
  readonly lieMs: number;
  /** True time until which it lies, as ms since the boot. */
  readonly lieForMs: number;
}

export interface OraclePlan {
  /** Bounds each way of a request, ms. */
  readonly wayMs: number;
  /** A wrong oracle adds this to the true time, ms. */
  readonly lieMs: number;
  /** Times since the boot, ms, in which it does not answer. */
  readonly away: readonly { readonly fromMs: number; readonly toMs: number }[];
}

/** A step of the machine's clock by somebody. */
interface StepPlan {
  /** True ms since the boot; near a window's boundary where `atBoundary`. */
  readonly atMs: number;
  readonly atBoundary: boolean;
  readonly byMs: number;
}

/** One run of the gateway, from a boot to a power cut. */
export interface LifePlan {
  readonly lastsMs: number;
  /** Real ms between the cut before and the boot. */
  readonly offMs: number;
  readonly ntp: NtpPlan;
  readonly oracles: readonly OraclePlan[];
  readonly steps: readonly StepPlan[];
  /** Number of changes of the disk after which the power fails, instead of `lastsMs`; null for none. */
  readonly fuse: number | null;
}

export interface TrialPlan {
  readonly name: string;
  readonly boot: Boot;
  /** Rate error of the machine's oscillator, as a part. */
  readonly rate: number;
  /** The stored floor at the first start against the true time, ms; null for none. */
  readonly floorAheadMs: number | null;
  readonly lives: readonly LifePlan[];
}

const LIES: readonly number[] = [
  5_000,
  59_000,
  61_000,
  90_000,
  2 * HOUR_MS,
  30 * DAY_MS,
  YEAR_MS,
  10 * YEAR_MS,
].flatMap((ms) => [ms, -ms]);
const STEPS = [2_000, 60_000, WINDOW_MS, 2 * HOUR_MS, 30 * DAY_MS, 10 * YEAR_MS].flatMap((ms) => [ms, -ms]);
/** Oracles that answer within this time of the boot precede the belief in NTP alone, ms. */
const SOON_MS = 15_000;

/** Draws the trial of a seed. */
export function planOf(seed: number, random: Random): TrialPlan {
  const { name, boot } = drawKind(seed, BOOTS, 'time');
  const count = random.pick([0, 1, 1, 2, 3]);
  const isLying = count > 0 && random.chance(0.3);
  const kind = count === 0 || isLying ? random.pick(['timesyncd', 'chrony'] as const) : anyNtp(random);
  const lives = Array.from({ length: random.pick([1, 1, 2, 2, 3]) }, (_, i): LifePlan => {
    const lastsMs = random.int(1.5 * WINDOW_MS, 4 * WINDOW_MS);
    return {
      lastsMs,
      offMs: i === 0 ? 0 : random.pick([1_000, 60_000, WINDOW_MS, 6 * HOUR_MS, 20 * DAY_MS]),
      ntp: ntpPlan(random, kind, isLying ? random.pick(LIES) : 0, lastsMs),
      oracles: oraclePlans(random, count, lastsMs, isLying),
      steps: Array.from({ length: random.pick([0, 0, 1, 3]) }, () => ({
        atMs: random.int(1_000, lastsMs),
        atBoundary: random.chance(0.5),
        byMs: random.pick(STEPS),
      })),
      fuse: random.chance(0.3) ? random.int(5, 200) : null,
    };
  });
  // Only a signed answer lowers a floor that is ahead.
  const floors = count > 0 && !isLying ? [null, 0, -20 * DAY_MS, YEAR_MS] : [null, 0, -20 * DAY_MS];
  return { name, boot, rate: random.int(-190, 190) * 1e-6, floorAheadMs: random.pick(floors), lives };
}

const anyNtp = (random: Random) => random.pick(['none', 'none', 'timesyncd', 'chrony'] as const);

function ntpPlan(random: Random, kind: NtpPlan['kind'], lieMs: number, lastsMs: number): NtpPlan {
  return {
    kind,
    firstMs: random.pick([0, 5_000, 40_000, 120_000, 700_000]),
    everyMs: random.int(64_000, 1_024_000),
    errorMs: random.int(1, kind === 'chrony' ? 200 : 900),
    lieMs,
    lieForMs: random.chance(0.5) ? random.int(0, lastsMs) : Number.POSITIVE_INFINITY,
  };
}

/** A wrong oracle is one of three. Beside a lying NTP the oracles answer soon after the boot. */
function oraclePlans(random: Random, count: number, lastsMs: number, isLying: boolean): OraclePlan[] {
  const wrong = count === 3 && random.chance(0.4) ? random.int(0, 2) : -1;
  const awayUntilMs = random.pick(isLying ? [0, 5_000, SOON_MS] : [0, SOON_MS, 90_000, 900_000]);
  const gapMs = random.chance(0.3) ? random.int(120_000, lastsMs) : lastsMs;
  const away = [
    { fromMs: -1, toMs: awayUntilMs },
    { fromMs: gapMs, toMs: gapMs + random.int(0, WINDOW_MS) },
  ];
  return Array.from({ length: count }, (_, i) => ({
    wayMs: random.pick([5, 50, 500, 2_000]),
    lieMs: i === wrong ? random.pick(LIES) : 0,
    away,
  }));
}
