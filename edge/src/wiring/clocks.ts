import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Clock, type ReadingClock, sleep } from '@gridtokenx/runtime/core';
import { nodeClockFile, type PeerJudge, SimulatedClockFile } from '@gridtokenx/runtime/node';
import { readBuildTime } from '../adapters/clock/build-time.js';
import { FloorTime } from '../adapters/clock/floor.js';
import { askOracleTime } from '../adapters/clock/oracle-time.js';
import { isKeptByTimesyncd, SystemClock } from '../adapters/clock/system.js';
import { nodeDisk } from '../adapters/disk/node-disk.js';
import { judgeByFloor } from '../adapters/tls/floor-judge.js';
import type { GatewayConfig } from './config.js';
import { oracleDial } from './secure.js';
import type { World } from './world.js';

const FLOOR_EVERY_MS = 60_000;
/** From here on the clock is right enough to sign statements, and to judge certificates. */
const RIGHT_MS = 60_000;
/** Interval of time requests to an oracle, and the shorter one until an oracle has answered, real ms. */
const TIME_MS = 600_000;
const TIME_RETRY_MS = 5_000;
/** The build's time, which the build writes beside this file's folder. */
const BUILD_FILE = fileURLToPath(new URL('../build.json', import.meta.url));

/** Opens the clock that drives readings. Throws `OperatorError` when the simulated clock has no usable file. */
export function openReadingClock(config: GatewayConfig, clock: Clock): SimulatedClockFile | SystemClock {
  return config.clock
    ? new SimulatedClockFile(config.clock.simulated, clock, nodeClockFile)
    : new SystemClock(clock, isKeptByTimesyncd);
}

/** True when the machine's clock is known to be right. A simulated clock says nothing about it: it is then trusted. */
export function isClockRight(readingClock: ReadingClock): boolean {
  return (
    !(readingClock instanceof SystemClock) || (readingClock.uncertaintyMs() ?? Number.POSITIVE_INFINITY) <= RIGHT_MS
  );
}

/** The time that certificates are judged by while the clock is unsure. Rejects with `OperatorError` or the disk's error. */
export async function openFloor(config: GatewayConfig): Promise<FloorTime> {
  const builtAtMs = await readBuildTime(nodeDisk, BUILD_FILE);
  return FloorTime.open(nodeDisk, join(config.data_dir, 'state', 'floor.json'), builtAtMs);
}

/** Stores the time now and then while the clock is right, until aborted. */
export async function keepFloor(
  floor: FloorTime,
  { readingClock, clock, log }: Pick<World, 'readingClock' | 'clock' | 'log'>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    if (readingClock instanceof SystemClock && isClockRight(readingClock)) {
      await floor
        .keep(clock.nowMs())
        .catch((error: Error) =>
          log.warn({ event: 'clock_floor_not_stored', err: error.message }, 'Failed to store the time'),
        );
    }
    await sleep(clock, FLOOR_EVERY_MS, signal);
  }
}

/** How certificates of others are judged. */
export function peerJudge(floor: FloorTime, readingClock: ReadingClock): PeerJudge {
  return judgeByFloor(() => (isClockRight(readingClock) ? null : floor.ms));
}

/** Keeps the system clock's uncertainty known, from whichever oracle answers, until aborted. */
export async function keepTime(
  config: GatewayConfig,
  { readingClock, clock, random, verifier, log }: World,
  judge: PeerJudge,
  signal: AbortSignal,
): Promise<void> {
  if (!(readingClock instanceof SystemClock)) return;
  const ask = async (oracle: GatewayConfig['oracles'][number]): Promise<boolean> => {
    const { key, url } = oracle;
    if (!url) return false;
    try {
      readingClock.proved(await askOracleTime({ url, key, dial: oracleDial(oracle, judge) }, verifier, clock, random));
      return true;
    } catch (error) {
      log.warn(
        { event: 'signed_time_unavailable', url, err: (error as Error).message },
        'An oracle gave no signed time',
      );
      return false;
    }
  };
  while (!signal.aborted) {
    let isKnown = false;
    for (const oracle of config.oracles) isKnown ||= await ask(oracle);
    await sleep(clock, isKnown ? TIME_MS : TIME_RETRY_MS, signal);
  }
}
