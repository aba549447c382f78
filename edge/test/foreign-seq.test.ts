import { type Ack, asPublicKeyText, EventCode, GapReason } from '@gridtokenx/protocol';
import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { expect, test } from 'vitest';
import { AckTracker } from '../src/domain/delivery/ack-tracker.js';
import { DeadLetters } from '../src/domain/delivery/dead-letters.js';
import { LagWatch } from '../src/domain/delivery/lag-watch.js';
import type { SendScheduler } from '../src/domain/delivery/send-scheduler.js';
import type { Uplink } from '../src/domain/delivery/uplink.js';
import { Gateway, type Metered } from '../src/domain/gateway.js';
import { RecoveryScan } from '../src/domain/signing/recovery.js';
import { METER_HEX } from './support/messages.js';
import { gapsOf, ofKind, openRun, START, sample } from './support/meter-run.js';

const ORACLE = asPublicKeyText(new Uint8Array(32));

/** A gateway with a real journal whose broker has taken messages up to `sent`. */
async function start(sent: bigint) {
  const run = await openRun(new CrashDisk(), {});
  const { journal, spool, time } = run;
  const acks = new AckTracker([ORACLE], 1);
  const foreign: string[] = [];
  const meter = {
    ...{ id: METER_HEX, name: 'house', journal, recovered: new RecoveryScan().result(METER_HEX), enrolled: true },
    ...{ problems: () => [], view: () => ({}), run: async () => {} },
  } as unknown as Metered;
  const random = { bytes: (length: number) => new Uint8Array(length), fraction: () => 0.5 };
  const around = { acks, spool, clock: time, random, log: quietLog, counters: { add() {} } };
  const gateway = new Gateway({
    ...around,
    deadLetters: new DeadLetters({ journals: [meter], ...around }),
    lags: new LagWatch(acks, [METER_HEX], time),
    ...{ onIgnoredAck: () => {}, meters: [meter], oracles: 1, readingClock: time.reading },
    ...{ saveAcks: async () => {}, softwareHash: new Uint8Array(16), configHash: new Uint8Array(16), tornRecords: 0 },
    spoolMaxBytes: 1e9,
  });
  const state = { sent: 0n };
  const uplink = {
    ...{ run: async () => {}, release() {}, poke() {}, problem: null, cloneProblem: null },
    ...{ sentThrough: () => state.sent, foreignMessage: (name: string) => foreign.push(name) },
  } as unknown as Uplink;
  const stop = new AbortController();
  const done = gateway.run(uplink, { fallenBack() {} } as unknown as SendScheduler, stop.signal);
  await time.advance(5_000);
  for (let i = 0; i < 10; i++) await journal.reading(sample(START + i * 1_000, i), true);
  state.sent = sent;
  const ack = async (highestSeen: bigint, storedThrough = 0n) => {
    const mark = { storedThrough, highestSeen, highestWindow: 0 };
    const meters = new Map([[METER_HEX, mark]]);
    const timeMs = time.nowMs();
    gateway.onAck(ORACLE, {
      timeMs,
      gateway: new Uint8Array(32),
      ledgerId: new Uint8Array(16),
      meters,
      refused: [],
    } as unknown as Ack);
    await time.advance(1_000);
  };
  const end = async () => {
    stop.abort();
    await time.advance(60_000);
    await done;
  };
  return { run, journal, foreign, ack, end };
}

test('an ack of what this run has sent changes nothing', async () => {
  const { journal, foreign, ack, end } = await start(6n);
  const next = journal.nextSeq;
  await ack(6n, 6n);
  expect([journal.nextSeq, foreign]).toEqual([next, []]);
  await end();
});

test('a seq of this run that an oracle has and this run never sent: its copy is named, and no seq of both is sent', async () => {
  const { run, journal, foreign, ack, end } = await start(6n);
  const next = journal.nextSeq;
  await ack(7n, 6n);
  expect(foreign).toEqual(['house']);
  expect(journal.nextSeq).toBeGreaterThan(next);
  expect(journal.state.discarded).toEqual([{ first: 1n, last: next - 1n }]);
  const events = ofKind(run, 3).filter(({ code }) => code === EventCode.continuedAfterRestore);
  expect(events.map(({ seq, value }) => [seq, value])).toEqual([[next, next]]);
  expect(gapsOf(run)).toContainEqual([7n, Number(next - 7n), GapReason.restored]);
  // The same ack again finds nothing more.
  await ack(7n, 6n);
  expect(foreign).toEqual(['house']);
  await end();
});
