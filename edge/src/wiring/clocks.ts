import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Reason, SYNCHRONISED_UNCERTAINTY_MS, type Window, WireError, windowOf } from '@gridtokenx/protocol';
import { type Clock, type Logger, type ReadingClock, StateLog, sleep } from '@gridtokenx/runtime/core';
import { nodeClockFile, type PeerJudge, SimulatedClockFile } from '@gridtokenx/runtime/node';
import { readBuildTime } from '../adapters/clock/build-time.js';
import { chronySource } from '../adapters/clock/chrony.js';
import { FloorTime } from '../adapters/clock/floor.js';
import { askOracles, askOracleTime } from '../adapters/clock/oracle-time.js';
import { runProgram } from '../adapters/clock/run-program.js';
import { timesyncdReport, timesyncdTouchedAtMs } from '../adapters/clock/timesyncd.js';
import { nodeDisk } from '../adapters/disk/node-disk.js';
import { ANY_TIME, judgeByTime } from '../adapters/tls/floor-judge.js';
import { DisciplinedClock, type DisciplineOptions } from '../domain/time/disciplined-clock.js';
import { TimeKeeper, type TimeSources } from '../domain/time/time-keeper.js';
import { sourceProblem } from '../domain/time/words.js';
import type { GatewayConfig } from './config.js';
import { oracleDial } from './secure.js';
import { StartError } from './start-error.js';
import type { World } from './world.js';

const FLOOR_EVERY_MS = 60_000;
/** `enrol` waits for a known time: rounds, and the wait between two, real ms. */
const KNOWN_ROUNDS = 10;
const KNOWN_RETRY_MS = 2_000;
/** A person waits for `enrol`: NTP is believed alone as soon as the oracles failed in a few rounds, real ms. */
const ENROL_GRACE_MS = 4_000;
/** The build's time, which the build writes beside this file's folder. */
const BUILD_FILE = fileURLToPath(new URL('../build.json', import.meta.url));

/** The clock that drives readings, simulated or disciplined. */
export type GatewayClock = SimulatedClockFile | DisciplinedClock;

/** Opens the clock that drives readings. Throws `OperatorError` when the simulated clock has no usable file. */
export function openReadingClock(
  config: GatewayConfig,
  clock: Clock,
  floor: Pick<FloorTime, 'ms'>,
  more: Pick<DisciplineOptions, 'graceMs'> = {},
): GatewayClock {
  if (config.clock) return new SimulatedClockFile(config.clock.simulated, clock, nodeClockFile);
  return new DisciplinedClock(clock, { floorMs: () => floor.ms, hasOracles: hasOracles(config), ...more });
}

const hasOracles = ({ oracles }: GatewayConfig) => oracles.some(({ url }) => url !== undefined);

/** A moment that the true time is not below. Rejects with `OperatorError` or the disk's error. */
export async function openFloor(config: GatewayConfig): Promise<FloorTime> {
  const builtAtMs = await readBuildTime(nodeDisk, BUILD_FILE);
  return FloorTime.open(nodeDisk, join(config.data_dir, 'state', 'floor.json'), builtAtMs);
}

/** The machine's time as sign-in tokens and this machine's certificates need it: corrected without setting its clock. */
export function correctedClock(readingClock: ReadingClock, clock: Clock): Clock {
  if (!(readingClock instanceof DisciplinedClock)) return clock;
  return {
    nowMs: () => readingClock.bestMs,
    monotonicMs: () => clock.monotonicMs(),
    after: (ms, task) => clock.after(ms, task),
  };
}

/** Stores the time now and then while it is known, until aborted. */
export async function keepFloor(
  floor: FloorTime,
  { readingClock, clock, log }: Pick<World, 'readingClock' | 'clock' | 'log'>,
  signal: AbortSignal,
): Promise<void> {
  if (!(readingClock instanceof DisciplinedClock)) return;
  const watched = watchStores(log, clock);
  while (!signal.aborted) {
    await watched(floor.raise(readingClock.earliestMs));
    await sleep(clock, FLOOR_EVERY_MS, signal);
  }
}

/** Returns a function that logs when storing the time begins to fail, and when it works again. Never rejects. */
function watchStores(log: Logger, clock: Clock): (storing: Promise<unknown>) => Promise<void> {
  const states = new StateLog(log, clock);
  return (storing) =>
    storing.then(
      () => states.ended('floor', { event: 'clock_floor_stored' }, 'Stores the time again'),
      (error: Error) =>
        states.holds('floor', { event: 'clock_floor_not_stored', err: error.message }, 'Failed to store the time'),
    );
}

/**
 * Judges certificates of others. A simulated clock drives readings only: the machine's clock then counts as right, as it
 * does where the known time is within 60 s of it.
 */
export function peerJudge(floor: Pick<FloorTime, 'ms'>, readingClock: ReadingClock, clock: Clock): PeerJudge {
  return judgeByTime(() => {
    if (!(readingClock instanceof DisciplinedClock)) return null;
    const { earliestMs } = readingClock;
    if (earliestMs === null) return { earliestMs: floor.ms, latestMs: Number.POSITIVE_INFINITY };
    const nowMs = readingClock.nowMs();
    if (Math.abs(nowMs - clock.nowMs()) <= SYNCHRONISED_UNCERTAINTY_MS) return null;
    return { earliestMs, latestMs: nowMs + (nowMs - earliestMs) };
  });
}

/** Sources that also say why none of them answers. */
export interface GatewaySources extends TimeSources {
  readonly problem: () => string | null;
}

/** The sources of a gateway's time. Certificates of the oracles are judged without their dates. */
export function timeSources(
  config: GatewayConfig,
  { clock, random, verifier, log }: Pick<World, 'clock' | 'random' | 'verifier' | 'log'>,
): GatewaySources {
  const chrony = chronySource(runProgram, existsSync, () => clock.nowMs());
  const asked = config.oracles.flatMap((oracle) => (oracle.url === undefined ? [] : [{ ...oracle, url: oracle.url }]));
  const judge = judgeByTime(() => ANY_TIME);
  const failing = new Map<string, string>();
  const states = new StateLog(log, clock);
  const asks = asked.map((oracle) => async () => {
    const { key, url } = oracle;
    const anchor = await askOracleTime({ url, key, dial: oracleDial(oracle, judge) }, verifier, clock, random);
    failing.delete(url);
    states.ended(url, { event: 'signed_time_available', url }, 'An oracle gives signed time again');
    return anchor;
  });
  const failed = (which: number, error: Error) => {
    const [url, err] = [asked[which]?.url ?? '', failureWords(error)];
    states.holds(url, { event: 'signed_time_unavailable', url, err }, 'An oracle gave no signed time');
    failing.set(url, err);
  };
  return {
    ntp: async () => (await chrony()) ?? timesyncdReport(timesyncdTouchedAtMs(), clock.nowMs()),
    oracles: asks.length === 0 ? null : () => askOracles(asks, clock, failed),
    problem: () => silenceWords(asks.length, failing),
  };
}

function failureWords(error: Error): string {
  if (error instanceof WireError && error.reason === Reason.badSignature)
    return 'another key signed its answer: correct the key of this oracle in the configuration';
  return error.message;
}

function silenceWords(asked: number, failing: ReadonlyMap<string, string>): string | null {
  const daemons = 'start chrony or systemd-timesyncd';
  if (asked === 0) return `no time service of this machine is synchronised: ${daemons}, or give the url of an oracle`;
  const [first] = failing;
  return first
    ? `no signed time from ${first[0]} (${first[1]}), and no time service is synchronised: ${daemons}`
    : null;
}

/** Says why the time is not known, and which sources contradict each other; null while all is well. */
export function clockProblem({ readingClock, sources }: Pick<World, 'readingClock' | 'sources'>): string | null {
  if (!(readingClock instanceof DisciplinedClock)) return null;
  return sourceProblem(readingClock) ?? (readingClock.hasSource ? null : sources.problem());
}

/** Keeps the disciplined clock right until aborted. `onCorrected`: called when the time was corrected. */
export async function keepTime(
  floor: FloorTime,
  { readingClock: disciplined, clock, random, log, sources }: World,
  onCorrected: () => void,
  signal: AbortSignal,
): Promise<void> {
  if (!(disciplined instanceof DisciplinedClock)) return;
  const watched = watchStores(log, clock);
  const keeper = new TimeKeeper({
    ...{ ...sources, disciplined, clock, random, onCorrected },
    onSigned: ({ timeMs, errorMs }) => void watched(floor.lower(timeMs + errorMs)),
  });
  await keeper.run(signal);
}

/** Opens the clock of `enrol`, which a person waits for. Rejects as `openFloor` and `openReadingClock` do. */
export async function openEnrolmentClock(config: GatewayConfig, clock: Clock): Promise<GatewayClock> {
  // A simulated clock has no floor.
  const floor = config.clock ? { ms: 0 } : await openFloor(config);
  return openReadingClock(config, clock, floor, { graceMs: ENROL_GRACE_MS });
}

/** Waits until the time is known. Rejects with `StartError`: a window is never chosen by a guess. */
export async function untilKnown(
  readingClock: GatewayClock,
  config: GatewayConfig,
  world: Pick<World, 'clock' | 'random' | 'verifier' | 'log'>,
  sources: Pick<GatewaySources, 'ntp' | 'oracles'> & Partial<GatewaySources> = timeSources(config, world),
): Promise<void> {
  if (!(readingClock instanceof DisciplinedClock)) return;
  const keeper = new TimeKeeper({ ...sources, ...world, disciplined: readingClock });
  for (let round = 1; round <= KNOWN_ROUNDS; round++) {
    await keeper.askOnce();
    if (readingClock.isKnown) return;
    await sleep(world.clock, KNOWN_RETRY_MS);
  }
  const why = sourceProblem(readingClock) ?? sources.problem?.() ?? 'no source answered';
  throw new StartError(`an enrolment needs the time, which is not known: ${why}`);
}

/** Returns the window of the earliest moment that the present can be, so that no reading is before its enrolment. */
export function enrolmentWindow(readingClock: GatewayClock): Window {
  const earliestMs = readingClock instanceof DisciplinedClock ? readingClock.earliestMs : null;
  return windowOf(earliestMs ?? readingClock.nowMs());
}
