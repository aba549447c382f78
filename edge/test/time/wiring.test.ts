import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ed25519Signer, signTime, windowOf } from '@gridtokenx/protocol';
import { ClockSource } from '@gridtokenx/runtime/core';
import { provedVerifier } from '@gridtokenx/runtime/node';
import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { fixedRandom, VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { expect, test } from 'vitest';
import { FloorTime } from '../../src/adapters/clock/floor.js';
import { aheadProblem } from '../../src/domain/metering/window-ahead.js';
import { DisciplinedClock } from '../../src/domain/time/disciplined-clock.js';
import type { TimeSources } from '../../src/domain/time/time-keeper.js';
import { enrolmentWindow, keepFloor, timeSources, untilKnown } from '../../src/wiring/clocks.js';
import { parseGatewayConfig } from '../../src/wiring/config.js';
import { configTextOf } from '../support/field-case.js';

const TRUE = Date.UTC(2026, 11, 1);
const DAY = 86_400_000;
const config = parseGatewayConfig(configTextOf(1, { profile: 'eastron-sdm120' }), 'gateway.yaml');

function machine() {
  const clock = new VirtualClock({ startAtMs: TRUE - 40 * DAY });
  const readingClock = new DisciplinedClock(clock, { floorMs: () => TRUE - DAY, hasOracles: true, graceMs: 4_000 });
  const world = { clock, random: fixedRandom(), verifier: provedVerifier(), log: quietLog };
  const oracle = (errorMs: number) => async () => ({
    ...{ steadyAtMs: clock.monotonicMs(), timeMs: TRUE + clock.monotonicMs(), errorMs },
  });
  return { clock, readingClock, world, oracle };
}

test('enrol waits for a known time, and names the earliest window that the present can be in', async () => {
  const { clock, readingClock, world, oracle } = machine();
  const sources: TimeSources = {
    ntp: async () => null,
    oracles: async () => (clock.monotonicMs() < 5_000 ? null : oracle(30_000)()),
  };
  await clock.run(untilKnown(readingClock, config, world, sources));
  expect(clock.monotonicMs()).toBeGreaterThanOrEqual(5_000);
  // The present may be 30 s before the window's begin.
  expect(enrolmentWindow(readingClock)).toBe(windowOf(TRUE) - 1);
});

test('enrol says what to do where no source answers, and which source is believed by nobody', async () => {
  const silent = machine();
  const none: TimeSources = { ntp: async () => null, oracles: null };
  await expect(silent.clock.run(untilKnown(silent.readingClock, config, silent.world, none))).rejects.toThrow(
    'an enrolment needs the time, which is not known: no source answered',
  );
  const behind = machine();
  const report = { source: ClockSource.timesyncd, stamp: '1', ageMs: 0, errorMs: 1_000 } as const;
  const ntp: TimeSources = { ntp: async () => report, oracles: async () => null };
  await expect(behind.clock.run(untilKnown(behind.readingClock, config, behind.world, ntp))).rejects.toThrow(
    /which is not known: this machine's time service says 2026-10-22 .* in the past of what this gateway knows/,
  );
});

test('the floor rises by a known time less its error, and by nothing else', async () => {
  const { clock, readingClock, world, oracle } = machine();
  const disk = new CrashDisk();
  await disk.replace('/floor', Buffer.from(JSON.stringify({ version: 1, time_ms: TRUE - DAY })));
  const floor = await FloorTime.open(disk, '/floor', 0);
  const stop = new AbortController();
  void keepFloor(floor, { ...world, readingClock }, stop.signal);
  await clock.advance(DAY);
  expect(floor.ms).toBe(TRUE - DAY);
  readingClock.takeSigned(await oracle(5_000)());
  await clock.advance(60_000);
  expect(floor.ms).toBeGreaterThan(TRUE + DAY);
  expect(floor.ms).toBeLessThanOrEqual(TRUE + DAY + 60_000 - 5_000);
  stop.abort();
});

test('a statement for a window to come is a problem once the time is known', async () => {
  const { readingClock, oracle } = machine();
  const ahead = windowOf(TRUE + 30 * DAY);
  expect(aheadProblem(ahead, readingClock)).toBeNull();
  readingClock.takeSigned(await oracle(20)());
  expect(aheadProblem(ahead, readingClock)).toMatch(
    /^its last statement is for a window that ends at 2026-12-31 00:15 \(UTC\)/,
  );
  expect(aheadProblem(windowOf(TRUE), readingClock)).toBeNull();
});

test('a person reads which oracle gives no time and why, once in the log, and what to do without one', async () => {
  const { world } = machine();
  expect(timeSources(config, world).problem()).toBe(
    'no time service of this machine is synchronised: start chrony or systemd-timesyncd, or give the url of an oracle',
  );
  const signer = ed25519Signer(new Uint8Array(32).fill(7));
  const server = createServer((request, response) => {
    request.once('data', (nonce: Buffer) =>
      response.end(signTime({ timeMs: TRUE, nonce: new Uint8Array(nonce) }, signer)),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const logged: unknown[] = [];
  const log = { ...quietLog, warn: (fields: unknown) => void logged.push(fields) };
  const random = { bytes: (length: number) => new Uint8Array(length).fill(logged.length), fraction: () => 0 };
  const of = (key: Uint8Array) => timeSources({ ...config, oracles: [{ key, url }] }, { ...world, log, random });
  const sources = of(ed25519Signer(new Uint8Array(32).fill(8)).publicKey);
  expect([await sources.oracles?.(), await sources.oracles?.()]).toEqual([null, null]);
  expect(logged).toHaveLength(1);
  expect(sources.problem()).toBe(
    `no signed time from ${url} (another key signed its answer: correct the key of this oracle in the configuration), and no time service is synchronised: start chrony or systemd-timesyncd`,
  );
  const right = of(signer.publicKey);
  expect(await right.oracles?.()).toMatchObject({ timeMs: TRUE });
  expect(right.problem()).toBeNull();
  server.close();
});
