import { type LogFields, type Logger, silentLogger } from '@gridtokenx/runtime/core';
import { provedVerifier } from '@gridtokenx/runtime/node';
import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { fixedRandom, VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { beforeEach, describe, expect, test } from 'vitest';
import { FloorTime } from '../src/adapters/clock/floor.js';
import { Background } from '../src/domain/background.js';
import { ReadError, ReadFailure } from '../src/domain/ports.js';
import { DisciplinedClock } from '../src/domain/time/disciplined-clock.js';
import { answerAccepts } from '../src/wiring/accepts.js';
import { keepFloor, timeSources } from '../src/wiring/clocks.js';
import { parseGatewayConfig } from '../src/wiring/config.js';
import { configTextOf } from './support/field-case.js';
import { rising, setUp } from './support/meter-polls.js';
import { setUp as setUpUplink } from './support/uplink-run.js';

const REPEATED = 10_000;
let lines: LogFields[];
let log: Logger;
beforeEach(() => {
  lines = [];
  const write = (fields: LogFields) => void lines.push(fields);
  log = { ...silentLogger, info: write, warn: write, error: write };
});
/** Lists the lines' events and counts, less those that every run writes. */
const told = () => lines.filter(({ event }) => event !== 'window_closed').map(({ event, count }) => [event, count]);

describe('a failure that repeats 10,000 times is one line, and its end another', () => {
  test('of a meter that does not answer', async () => {
    const [isDead, polls] = [{ now: true }, { failed: 0 }];
    const read = (nowMs: number) => {
      if (!isDead.now) return rising(nowMs);
      polls.failed++;
      throw new ReadError(ReadFailure.timeout, `no answer within ${nowMs % 1_000} ms`);
    };
    const run = await setUp(read, 1, undefined, { logger: log });
    while (polls.failed < REPEATED) await run.time.advance(3_600_000);
    expect(told()).toEqual([['meter_unreadable', undefined]]);
    isDead.now = false;
    await run.time.advance(120_000);
    expect(told().slice(1)).toEqual([['meter_readable', polls.failed]]);
    expect(lines.at(1)?.durationMs).toBeGreaterThan(3_600_000);
    await run.end();
  });

  test('of work in the background', async () => {
    const background = new Background(log, new VirtualClock());
    for (let i = 0; i < REPEATED; i++) await background.attempt('saving acks', Promise.reject(new Error('ENOSPC')));
    expect(background.problems).toEqual(['saving acks: ENOSPC']);
    await background.attempt('saving acks', Promise.resolve());
    for (let i = 0; i < REPEATED; i++) background.report('event 3', new Error('EIO'));
    expect(told()).toEqual([
      ['background_task_failed', undefined],
      ['background_task_succeeded', REPEATED],
      ['background_task_failed', undefined],
    ]);
    expect(background.problems).toEqual([]);
  });

  test('of a disk that lists no requests of accept-register', async () => {
    const [disk, clock, stop] = [new CrashDisk(), new VirtualClock(), new AbortController()];
    let isBroken = true;
    const broken = new Proxy(disk, {
      get: (target, key) => {
        if (isBroken) return () => Promise.reject(new Error('EIO'));
        const value = Reflect.get(target, key) as unknown;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const done = answerAccepts([], { disk: broken, dir: '/state', clock, log }, stop.signal);
    await clock.advance(2_000 * REPEATED);
    isBroken = false;
    await clock.advance(2_000);
    expect(told()).toEqual([
      ['accept_failed', undefined],
      ['accept_works', REPEATED],
    ]);
    stop.abort();
    await clock.advance(2_000);
    await done;
  });

  test('of a time that no disk stores, and of an oracle without signed time', async () => {
    const clock = new VirtualClock({ startAtMs: Date.UTC(2026, 11, 1) });
    const disk = new CrashDisk();
    const floor = await FloorTime.open(disk, '/floor', 0);
    let isBroken = true;
    floor.raise = () => (isBroken ? Promise.reject(new Error('EROFS')) : Promise.resolve());
    const readingClock = new DisciplinedClock(clock, { floorMs: () => 0, hasOracles: false });
    const stop = new AbortController();
    const done = keepFloor(floor, { readingClock, clock, log }, stop.signal);
    await clock.advance(60_000 * (REPEATED - 1));
    isBroken = false;
    await clock.advance(60_000);
    stop.abort();
    await clock.advance(60_000);
    await done;
    expect(told()).toEqual([
      ['clock_floor_not_stored', undefined],
      ['clock_floor_stored', REPEATED],
    ]);
    lines = [];
    const found = parseGatewayConfig(configTextOf(1, { profile: 'eastron-sdm120' }), 'gateway.yaml');
    const config = { ...found, oracles: found.oracles.map((one) => ({ ...one, url: 'http://127.0.0.1:1' })) };
    const sources = timeSources(config, { clock, random: fixedRandom(), verifier: provedVerifier(), log });
    for (let i = 0; i < 100; i++) await sources.oracles?.();
    expect(told()).toEqual([['signed_time_unavailable', undefined]]);
  });

  test('of a broker that takes no message', async () => {
    const run = await setUpUplink(true, log);
    run.state.refused = 'backfill';
    run.uplink.release();
    await run.write(1n);
    while (run.sessions.length < 200) await run.time.advance(60_000);
    expect(told().map(([event]) => event)).toEqual(['broker_connected', 'publish_failed', 'broker_connect_failed']);
    run.state.refused = null;
    await run.time.advance(120_000);
    expect(told().slice(3)).toEqual([
      ['publish_works', expect.any(Number)],
      ['broker_connected', expect.any(Number)],
    ]);
    expect(Number(lines[3]?.count)).toBeGreaterThan(190);
    await run.end();
  });
});
