import type { Random } from '@gridtokenx/testing-kit/random';
import { ReadError } from '#edge/domain/ports.js';
import { Fixture, profileOf } from './meters.js';

const HEALTHY = 24;
const DEAD = 8;
/** Nothing is late or dropped here: what is seen is the dead units' doing. */
const NO_FAULTS = { late: 0, lateTimeouts: 0, drop: 0 };
const PERIODS_MS = [5_000, 10_000, 30_000] as const;
/** The shortest time-out that a profile has unless it says otherwise, and the gateway's first one, ms. */
const MIN_TIMEOUT_MS = 200;
const REQUEST_MS = 1_000;
/** The meters' start and their first polls are not looked at, ms. */
const SETTLE_MS = 60_000;
const LENGTH_MS = 1_200_000;
const WATCH_MS = 50;
const MAX_FACTOR = 1.1;
const MAX_REVIVAL_MS = 30_000;

interface Look {
  /** 99th percentile of the times between a healthy meter's readings, ms. */
  readonly p99Ms: number;
  /** From when a meter has power again to when the bus knows it, ms. */
  readonly revivalsMs: readonly number[];
}

interface Scene {
  readonly periodMs: number;
  /** Whether meters poll at the same moments, as they do on one grid, or each at its own. */
  readonly isGrid: boolean;
  readonly withDead: boolean;
}

/**
 * 32 meters on one line at 9,600 baud, 8 of them without power, beside the same line with the 24 healthy ones only. Dead ones
 * come back one by one in the second half, in which revivals are measured; periods are measured in the first. Returns what
 * is wrong.
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
