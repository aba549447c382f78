import { Kind, Quality, windowOf } from '@gridtokenx/protocol';
import { ClockSource } from '@gridtokenx/runtime/core';
import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { fixedRandom, type VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { FloorTime } from '../../src/adapters/clock/floor.js';
import { ClockNews } from '../../src/domain/metering/clock-news.js';
import type { Anchor } from '../../src/domain/time/anchor.js';
import { DisciplinedClock, type NtpReport } from '../../src/domain/time/disciplined-clock.js';
import { TimeKeeper } from '../../src/domain/time/time-keeper.js';
import { sourceProblem } from '../../src/domain/time/words.js';
import { correctedClock, keepFloor } from '../../src/wiring/clocks.js';
import { MINUTE, rising, START, setUp } from './meter-polls.js';

const NEVER = Number.POSITIVE_INFINITY;

export interface ClockedOptions {
  /** The machine's clock against the true time, ms. */
  readonly machineAheadMs: number;
  /** The stored floor against the true time, ms. */
  readonly floorAheadMs: number;
  /** Minute from which the oracle answers; absent: never. */
  readonly oracleFrom?: number;
  /** Minute at which chrony has set the machine's clock, and by how much its server lies, ms; absent: never. */
  readonly ntpFrom?: number;
  readonly lieMs?: number;
}

/** Runs a meter on a machine with a wrong clock, beside an oracle and chrony; minutes count from the boot. */
export async function playClock(options: ClockedOptions) {
  const disk = new CrashDisk();
  const floorText = JSON.stringify({ version: 1, time_ms: START + options.floorAheadMs });
  await disk.replace('/floor', Buffer.from(floorText));
  const floor = await FloorTime.open(disk, '/floor', 0);
  let disciplined: DisciplinedClock | undefined;
  const clockOf = (time: VirtualClock) => {
    time.step(options.machineAheadMs);
    disciplined = new DisciplinedClock(time, { floorMs: () => floor.ms, hasOracles: true });
    return disciplined;
  };
  const run = await setUp(rising, 1, undefined, { clockOf });
  const clock = disciplined as DisciplinedClock;
  const { time } = run;
  const stop = new AbortController();
  const news = new ClockNews(clock, time, quietLog);
  news.begin();
  const keeper = new TimeKeeper({
    ...sourcesOf(time, options),
    ...{ disciplined: clock, clock: time, random: fixedRandom() },
    onSigned: ({ timeMs, errorMs }) => void floor.lower(timeMs + errorMs),
  });
  void keeper.run(stop.signal);
  void keepFloor(floor, { readingClock: clock, clock: time, log: quietLog }, stop.signal);
  return {
    ...{ ...run, clock, floor, changes: () => news.changes() },
    /** Says what a person reads about the clock; empty when all is well. */
    problems: () => [sourceProblem(clock), news.problem, news.step].filter((words) => words !== null),
    /** Returns by how much sign-in tokens are wrong, ms. */
    signInWrongMs: () => correctedClock(clock, time).nowMs() - time.reading.nowMs(),
    /** Returns minute, deviation in ms (registers count seconds, so less than 1 s is none), stated error in ms, and bit 1 of each reading. */
    readings: () =>
      run.of(Kind.reading).map((reading) => ({
        minute: Number(reading.importWh) / 60,
        wrongMs: Number(reading.timeMs) - (START + Number(reading.importWh) * 1_000),
        uncertaintyMs: reading.timeUncertaintyMs,
        isUnknown: (reading.quality & Quality.unsynchronised) !== 0,
      })),
    /** Returns window, last second of its registers, and bit 1 of each statement. */
    statements: () =>
      run.of(Kind.statement).map(({ window, importWh, quality }) => ({
        window: window - windowOf(START),
        second: Number(importWh),
        isUnknown: (quality & Quality.unsynchronised) !== 0,
      })),
    end: async () => {
      stop.abort();
      await run.end();
    },
  };
}

/** The oracle is right; chrony sets the machine's clock once, by a server that may lie. */
function sourcesOf(time: VirtualClock, { oracleFrom = NEVER, ntpFrom = NEVER, lieMs = 0 }: ClockedOptions) {
  let hasSet = false;
  return {
    ntp: async (): Promise<NtpReport | null> => {
      if (time.monotonicMs() < ntpFrom * MINUTE) return null;
      if (!hasSet) time.step(time.reading.nowMs() + lieMs - time.nowMs());
      hasSet = true;
      return { source: ClockSource.chrony, stamp: '1', ageMs: 0, errorMs: 20 };
    },
    oracles: async (): Promise<Anchor | null> => {
      if (time.monotonicMs() < oracleFrom * MINUTE) return null;
      return { steadyAtMs: time.monotonicMs(), timeMs: time.reading.nowMs(), errorMs: 20 };
    },
  };
}
