import { asMeterId, asPublicKeyText } from '@gridtokenx/protocol';
import { sleep } from '@gridtokenx/runtime/core';
import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { Random } from '@gridtokenx/testing-kit/random';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { expect, test } from 'vitest';
import { openSpool } from '../../src/adapters/spool/spool.js';
import { AckTracker } from '../../src/domain/delivery/ack-tracker.js';
import { DeadLetters } from '../../src/domain/delivery/dead-letters.js';
import { LagWatch } from '../../src/domain/delivery/lag-watch.js';
import type { SendScheduler } from '../../src/domain/delivery/send-scheduler.js';
import type { Uplink } from '../../src/domain/delivery/uplink.js';
import { Gateway, type Metered } from '../../src/domain/gateway.js';
import { SeqRuns } from '../../src/domain/seq-runs.js';
import { SEGMENT_BYTES } from '../../src/wiring/sizes.js';

const STORE_MS = 100;
const METERS = 100;

/** Counts the starts of meters that take `STORE_MS` each; the first meter fails as long as `isBroken`. */
class Starts {
  readonly time = new VirtualClock();
  readonly done: string[] = [];
  atOnce = 0;
  mostAtOnce = 0;
  isBroken = false;
  polling = 0;

  meter(number: number): Metered {
    const name = `meter ${number}`;
    const start = async () => {
      this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce);
      await sleep(this.time, STORE_MS);
      this.atOnce--;
      if (number === 0 && this.isBroken) throw new Error('EIO');
      this.done.push(name);
    };
    const journal = { state: { discarded: [] }, nextSeq: 1n, statedThrough: 0n, start, event: async () => {} };
    const recovered = { declared: new SeqRuns(), refused: new SeqRuns() };
    const id = asMeterId(number.toString(16).padStart(32, '0'));
    const run = async () => void this.polling++;
    const meter = { id, name, journal, recovered, enrolled: true, problems: () => [], view: () => ({}), run };
    return meter as unknown as Metered;
  }

  async gateway(signal: AbortSignal): Promise<{ gateway: Gateway; running: Promise<void> }> {
    const { time } = this;
    const meters = Array.from({ length: METERS }, (_, i) => this.meter(i));
    const acks = new AckTracker([asPublicKeyText(new Uint8Array(32))], 1);
    const { spool } = await openSpool(new CrashDisk(), '/spool', time, () => {}, SEGMENT_BYTES);
    const around = { acks, spool, clock: time, random: new Random(1, 'start'), log: quietLog, counters: { add() {} } };
    const gateway = new Gateway({
      ...{ ...around, meters, oracles: 1, spoolMaxBytes: 1e9, readingClock: time.reading },
      deadLetters: new DeadLetters({ journals: meters, ...around }),
      lags: new LagWatch(acks, [], time),
      onIgnoredAck: () => {},
      saveAcks: async () => {},
      ...{ softwareHash: new Uint8Array(16), configHash: new Uint8Array(16), tornRecords: 0 },
    });
    const uplink = { problem: null, run: async () => {}, release() {}, poke() {} } as unknown as Uplink;
    return { gateway, running: gateway.run(uplink, {} as SendScheduler, signal) };
  }
}

/** Longest wait for a first contact without a broker, ms. */
const CONTACT_MS = 3_000;

test('many meters start together: a gateway of 100 meters does not wait 100 times for its disk', async () => {
  const starts = new Starts();
  const stop = new AbortController();
  const { running } = await starts.gateway(stop.signal);
  await starts.time.advance(CONTACT_MS + 7 * STORE_MS);
  expect([starts.done.length, starts.mostAtOnce, starts.polling]).toEqual([METERS, 16, METERS]);
  expect(new Set(starts.done).size).toBe(METERS);
  stop.abort();
  await starts.time.run(running);
});

test('a meter whose first messages cannot be stored is named, and is tried again until they are', async () => {
  const starts = new Starts();
  starts.isBroken = true;
  const stop = new AbortController();
  const { gateway, running } = await starts.gateway(stop.signal);
  await starts.time.advance(CONTACT_MS + 20 * STORE_MS);
  expect([starts.done.length, starts.polling]).toEqual([METERS - 1, 0]);
  expect(gateway.findings().background).toEqual([expect.stringContaining('meter meter 0 cannot start: EIO')]);
  starts.isBroken = false;
  await starts.time.advance(10_000);
  expect([starts.done.at(-1), starts.polling]).toEqual(['meter 0', METERS]);
  expect(gateway.findings().background).toEqual([]);
  stop.abort();
  await starts.time.run(running);
});
