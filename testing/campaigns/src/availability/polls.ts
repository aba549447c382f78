import type { Random } from '@gridtokenx/testing-kit/random';
import { planFor } from '#edge/domain/metering/period.js';
import { ReadError } from '#edge/domain/ports.js';
import { LATE_AND_DROPPED } from '../misattribution/faults.js';
import { Fixture, profileOf } from './meters.js';

export interface PollOptions {
  readonly random: Random;
  readonly requests: 1 | 3;
  /** Number of lengths by which the energy can be read. */
  readonly lengths: number;
  /** True when the period lengthens where the line needs that, as in the gateway. */
  readonly isLengthened: boolean;
  /** Prefix of the figures' names. */
  readonly name: string;
  readonly polls: number;
  readonly figures: Record<string, number>;
}

const BAUDS = [9_600, 19_200, 38_400] as const;
const PERIODS_MS = [600, 1_000, 2_000, 10_000] as const;
/** The shortest time-out that a profile allows, ms. */
const SHORT_TIMEOUT_MS = 20;
const MIN_SHARE = 0.95;
/**
 * With one length a poll allows no second request: 96 % is the maximum, and chance moves a seed by one or two per cent.
 */
const FEW = 3;
const MIN_SHARE_FEW = 0.93;

/**
 * Plays one meter on a line with 2 % late and 2 % dropped answers, polled every `periodMs`. A time-out is at most a
 * third of `periodMs`. A poll is good when its energy arrived before the next poll was due. Returns the faults.
 */
export async function playPolls(options: PollOptions): Promise<string[]> {
  const { random, requests, lengths, isLengthened, polls, name, figures } = options;
  const periodMs = random.pick(PERIODS_MS);
  const count = (what: string, by = 1) => {
    figures[`${name}: ${what}`] = (figures[`${name}: ${what}`] ?? 0) + by;
  };
  const isTight = random.chance(0.5);
  const fixture = new Fixture({
    random,
    rates: LATE_AND_DROPPED,
    baud: random.pick(BAUDS),
    requestMs: periodMs / 3,
    minTimeoutMs: isTight ? periodMs / 3 : SHORT_TIMEOUT_MS,
    figures,
  });
  const reader = fixture.reader(1, profileOf(requests, lengths), periodMs);
  const { clock, line } = fixture;
  const faults: string[] = [];
  let good = 0;
  const run = async () => {
    let dueAtMs = clock.monotonicMs();
    for (let poll = 0; poll < polls; poll++) {
      await fixture.sleep(dueAtMs - clock.monotonicMs());
      const plan = planFor({ pollMs: periodMs, leadMs: 0 }, isLengthened ? reader.leastPeriod() : null);
      if (plan.pollMs > periodMs) count('at a longer period');
      const nextMs = dueAtMs + plan.pollMs;
      const before = line.serial(1);
      try {
        const sample = await reader.read();
        if (!fixture.isTrue(1, sample, before))
          faults.push(`poll ${poll}: ${sample.importWh} Wh is not what the meter said`);
        const isInTime = sample.timeMs <= nextMs;
        if (isInTime) good++;
        else count('too late');
        if (isInTime && requests === 3 && sample.powerW !== null && sample.voltageDv !== null) count('all values');
      } catch (error) {
        if (!(error instanceof ReadError)) throw error;
        count(`failure ${error.failure}`);
      }
      // A poll that takes longer than its period replaces the polls that it missed.
      dueAtMs = nextMs;
      while (dueAtMs < clock.monotonicMs() && poll + 1 < polls) {
        poll++;
        dueAtMs += plan.pollMs;
        count('left out');
      }
    }
  };
  await clock.run(run());
  await fixture.bus.close();
  count('all', polls);
  count('good', good);
  count('hours', Math.round(clock.monotonicMs() / 3_600_000));
  if (good < (lengths < FEW ? MIN_SHARE_FEW : MIN_SHARE) * polls)
    faults.push(`${name}, ${lengths} lengths, every ${periodMs} ms: ${good} of ${polls} good`);
  return faults;
}
