import type { Random } from '@gridtokenx/testing-kit/random';
import { ReadError } from '#edge/domain/ports.js';
import { Fixture, profileOf } from './meters.js';

const HEALTHY = 24;
const DEAD = 8;
/** No answer is late or dropped here, so only the dead units can have an effect. */
const NO_FAULTS = { late: 0, lateTimeouts: 0, drop: 0 };
const PERIODS_MS = [5_000, 10_000, 30_000] as const;
/** The shortest time-out of a profile by default, and the gateway's initial time-out, ms. */
const MIN_TIMEOUT_MS = 200;
const REQUEST_MS = 1_000;
/** Excludes the meters' start and their first polls from the figures, ms. */
const SETTLE_MS = 60_000;
const LENGTH_MS = 1_200_000;
const WATCH_MS = 50;
const MAX_FACTOR = 1.1;
const MAX_REVIVAL_MS = 30_000;

interface Look {
  /** 99th percentile of the times between a healthy meter's readings, ms. */
  readonly p99Ms: number;
  /** Times from a meter's power-up to its detection by the bus, ms. */
  readonly revivalsMs: readonly number[];
}

interface Scene {
  readonly periodMs: number;
  /** True when all meters poll at the same moments, as on one grid; false when each has its own moments. */
  readonly isGrid: boolean;
  readonly withDead: boolean;
}

/**
 * Plays 32 meters on one line at 9,600 baud, 8 of them without power. Beside it plays the same line with the 24 healthy
 * meters only. Dead meters return one by one in the second half, which measures revivals; the first half measures
 * periods. Returns the faults.
 */
export async function playIsolation(
  random: Random,
  seed: () => Random,
  figures: Record<string, number>,
): Promise<string[]> {
  const scene = { periodMs: random.pick(PERIODS_MS), isGrid: random.chance(0.5) };
  const baseline = await look({ ...scene, withDead: false }, seed(), figures);
  const disturbed = await look({ ...scene, withDead: true }, seed(), figures);
  const count = (what: string, by: number) => {
    figures[what] = (figures[what] ?? 0) + by;
  };
  const factor = disturbed.p99Ms / baseline.p99Ms;
  const longest = Math.max(0, ...disturbed.revivalsMs);
  count('isolation: lines', 1);
  count('isolation: revivals', disturbed.revivalsMs.length);
  count('isolation: p99 over baseline, sum of thousandths', Math.round(1_000 * factor));
  count('isolation: revival, sum of ms', Math.round(disturbed.revivalsMs.reduce((sum, ms) => sum + ms, 0)));
  const where = `${scene.periodMs} ms, ${scene.isGrid ? 'one grid' : 'own phases'}`;
  const faults: string[] = [];
  if (factor > MAX_FACTOR)
    faults.push(
      `${where}: p99 period ${disturbed.p99Ms} ms, ${baseline.p99Ms} without the dead: x ${factor.toFixed(3)}`,
    );
  if (disturbed.revivalsMs.length < DEAD) faults.push(`${where}: ${disturbed.revivalsMs.length} of ${DEAD} came back`);
  if (longest > MAX_REVIVAL_MS) faults.push(`${where}: a meter with power again was seen after ${longest} ms only`);
  return faults;
}

async function look(
  { periodMs, isGrid, withDead }: Scene,
  random: Random,
  figures: Record<string, number>,
): Promise<Look> {
  const fixture = new Fixture({
    random,
    rates: NO_FAULTS,
    baud: 9_600,
    requestMs: REQUEST_MS,
    minTimeoutMs: MIN_TIMEOUT_MS,
    figures,
  });
  const { clock, line } = fixture;
  const units = Array.from({ length: HEALTHY + (withDead ? DEAD : 0) }, (_, i) => i + 1);
  const dead = units.filter((unit) => unit > HEALTHY);
  for (const unit of dead) line.dead.add(unit);
  const gaps: number[] = [];
  const poll = async (unit: number) => {
    const reader = fixture.reader(unit, profileOf(1, 6), periodMs);
    const phaseMs = isGrid ? 0 : random.fraction() * periodMs;
    let maxMs: number | null = null;
    for (let dueAtMs = phaseMs; dueAtMs < LENGTH_MS; dueAtMs += periodMs) {
      await fixture.sleep(dueAtMs - clock.monotonicMs());
      try {
        const { timeMs } = await reader.read();
        const isMeasured = maxMs !== null && maxMs > SETTLE_MS && timeMs < LENGTH_MS / 2;
        if (isMeasured && unit <= HEALTHY) gaps.push(timeMs - (maxMs as number));
        maxMs = timeMs;
      } catch (error) {
        if (!(error instanceof ReadError)) throw error;
        if (unit <= HEALTHY) gaps.push(2 * periodMs);
      }
    }
  };
  const revivalsMs: number[] = [];
  const watch = (unit: number, atMs: number): void => {
    if (fixture.bus.units.get(unit)?.silenceBeganAtMs === null) revivalsMs.push(clock.monotonicMs() - atMs);
    else clock.after(WATCH_MS, () => watch(unit, atMs));
  };
  for (const [i, unit] of dead.entries()) {
    const atMs = LENGTH_MS / 2 + i * (MAX_REVIVAL_MS + periodMs) + random.fraction() * MAX_REVIVAL_MS;
    clock.after(atMs, () => {
      line.dead.delete(unit);
      watch(unit, atMs);
    });
  }
  await clock.run(Promise.all(units.map(poll)));
  await fixture.bus.close();
  gaps.sort((a, b) => a - b);
  return { p99Ms: gaps[Math.ceil(0.99 * gaps.length) - 1] ?? Number.POSITIVE_INFINITY, revivalsMs };
}
