import { Random } from '@gridtokenx/testing-kit/random';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import type { ReadVariant } from '#edge/domain/bus/bus.js';
import { serialSpeed } from '#edge/domain/bus/line.js';
import { ReadError, ReadFailure } from '#edge/domain/ports.js';
import type { Outcome } from '../campaign.js';
import { rtuBus } from '../rtu-bus.js';
import type { FaultRates } from './faults.js';
import { FaultyLine } from './line.js';
import { WatchedQuarantine } from './watched-quarantine.js';

export interface PlayOptions {
  readonly reads: number;
  readonly rates: FaultRates;
  /** Uses half of the longest lateness instead of the rule: the campaign's control. */
  readonly isShort: boolean;
}

const BAUDS = [2_400, 9_600, 19_200, 38_400] as const;
/** Time-outs for which a bus listens after a start. */
const REST_TIMEOUTS = 13;
/** Ways to read the same registers: energy, and its neighbours. */
const ENERGY: readonly ReadVariant[] = [4, 6, 8, 10, 12, 14].map((count) => ({ address: 72, count }));
const VALUES: readonly ReadVariant[] = [40, 42, 44].map((count) => ({ address: 0, count }));

/** Reads through the port class on a disturbed line; any wrong value is a fault. */
export async function play(seed: number, { reads, rates, isShort }: PlayOptions): Promise<Outcome> {
  const random = new Random(seed, 'misattribution');
  const clock = new VirtualClock({ startAtMs: 0 });
  const figures: Record<string, number> = { wrong: 0 };
  const count = (what: string, by = 1) => {
    figures[what] = (figures[what] ?? 0) + by;
  };
  const speed = serialSpeed(random.pick(BAUDS), random.pick(['none', 'even']), 1);
  const units = Array.from({ length: random.int(1, 3) }, (_, i) => i + 1);
  const requestMs = random.pick([300, 1_000]);
  let waitMs = requestMs;
  const line = new FaultyLine({ clock, random, rates, charMs: speed.charMs, timeoutMs: () => waitMs, figures });
  const quarantine = new WatchedQuarantine({
    onWait: (ms) => {
      waitMs = ms;
    },
    insteadMs: isShort ? () => (waitMs * rates.lateTimeouts) / 2 : null,
  });
  const bus = rtuBus({
    ...{ quarantine, random, speed, requestMs },
    open: async () => line,
    clock: clock,
    minTimeoutMs: 100,
  });
  const faults: string[] = [];
  const read = async (unit: number, variants: readonly ReadVariant[], periodMs: number): Promise<boolean> => {
    try {
      const { data, count: length } = await bus.read(unit, 4, variants, { periodMs });
      count('reads');
      if (length * 2 !== data.length || !data.every((byte, i) => byte === line.truth[i])) {
        count('wrong');
        faults.push(
          `read ${figures.reads}: ${length} registers from ${variants[0]?.address} of unit ${unit} are not theirs`,
        );
      }
      return true;
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
      count(error.failure === ReadFailure.resting ? 'rests' : 'failed reads');
      return false;
    }
  };
  const sleep = (ms: number) => new Promise<void>((resolve) => void clock.after(ms, resolve));
  const poll = async (): Promise<void> => {
    const periodMs = random.pick([3, 4, 10]) * requestMs;
    await sleep(REST_TIMEOUTS * requestMs);
    for (let done = 0; done < reads; ) {
      const beganAtMs = clock.monotonicMs();
      for (const unit of units) {
        const before = (figures.reads ?? 0) + (figures['failed reads'] ?? 0);
        const isGood = (await read(unit, ENERGY, periodMs)) || (await read(unit, ENERGY, periodMs));
        count('polls');
        if (isGood) count('polls with a good value');
        if (random.chance(0.5)) await read(unit, VALUES, periodMs);
        done += (figures.reads ?? 0) + (figures['failed reads'] ?? 0) - before;
      }
      await sleep(Math.max(random.int(1, 50), beganAtMs + periodMs - clock.monotonicMs()));
    }
  };
  // The first read opens the bus, and only begins the rest after a start.
  await clock.run(read(1, ENERGY, 3 * requestMs).then(poll));
  for (const [name, value] of Object.entries(bus.stats.counts)) count(`bus: ${name}`, value);
  count('simulated hours', Math.round(clock.monotonicMs() / 3_600_000));
  void bus.close();
  return { faults, figures };
}
