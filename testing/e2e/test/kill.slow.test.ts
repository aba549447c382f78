// Slow: kills real processes. Budget: 120 s.

import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { asMeterId, EventCode, Kind, windowOf } from '@gridtokenx/protocol';
import { systemClock } from '@gridtokenx/runtime/node';
import { reusedSeqs, type Seen } from '@gridtokenx/testing-kit/fake-oracle';
import { build, until } from '@gridtokenx/testing-kit/processes';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';

import { nodeDisk } from '#edge/adapters/disk/node-disk.js';
import { openSpool } from '#edge/adapters/spool/spool.js';
import { SEGMENT_BYTES } from '#edge/wiring/sizes.js';
import { Home } from '../support/home.js';

let home: Home;
beforeAll(build);
afterEach(() => home?.tearDown());

const seen = (): Seen[] => home.oracle?.seen ?? [];
const readings = () => seen().filter(({ payload }) => payload.kind === Kind.reading).length;
const data = () => join(home.dir, 'data');
const spoolMessages = async (): Promise<Map<bigint, string>> => {
  const messages = new Map<bigint, string>();
  const { spool } = await openSpool(nodeDisk, join(data(), 'spool'), systemClock, () => {}, SEGMENT_BYTES);
  for (const { seq, bytes } of await spool.read(asMeterId(home.meterId), 1n, 100_000))
    messages.set(seq, Buffer.from(bytes).toString('hex'));
  await spool.close();
  return messages;
};

async function started(oracles = 1): Promise<void> {
  home = new Home();
  await home.setUp('tcp', oracles);
  const { code, output } = await home.enrol();
  expect(code, output).toBe(0);
  home.writeClock(true);
  await home.startGateway();
}

describe('kill -9', () => {
  test('of the gateway in mid-work, five times: no seq comes twice, nothing that was published is lost', async () => {
    await started();
    for (let round = 1; round <= 5; round++) {
      const before = readings();
      // Killed at different moments of its work: after some readings, or at once after the start.
      await until(`readings in round ${round}`, () => readings() >= before + (round % 2 === 0 ? 0 : 4 * round));
      await home.gateway?.kill('SIGKILL');
      await home.startGateway();
    }
    const before = readings();
    await until('readings at the end', () => readings() >= before + 5);
    await until(
      'everything stored',
      () => (home.oracle?.storedThrough(home.meterId) ?? 0n) >= (seen().at(-1)?.payload.seq ?? 0n),
    );
    await home.gateway?.kill('SIGKILL');
    expect(reusedSeqs(seen())).toEqual([]);
    const kept = await spoolMessages();
    for (const { payload, message } of seen())
      expect(kept.get(payload.seq), `seq ${payload.seq}`).toBe(Buffer.from(message).toString('hex'));
    const starts = new Set(
      seen().flatMap(({ payload }) =>
        payload.kind === Kind.event && payload.code === EventCode.started ? [payload.seq] : [],
      ),
    );
    expect(starts.size).toBeGreaterThanOrEqual(4);
    const windows = new Map<number, Set<bigint>>();
    for (const { payload } of seen()) {
      if (payload.kind === Kind.statement)
        windows.set(payload.window, (windows.get(payload.window) ?? new Set()).add(payload.seq));
    }
    expect([...windows.values()].every((seqs) => seqs.size === 1)).toBe(true);
  });

  test('of broker and meters: the gateway goes on, and what was read meanwhile arrives', async () => {
    await started();
    await until('readings', () => readings() >= 5);
    await home.broker?.kill('SIGKILL');
    await home.meters?.kill('SIGKILL');
    await home.startMeters();
    const depth = async () => ((await home.status()).spool as { depth: number }).depth;
    await until('a growing spool', async () => (await depth()) >= 5);
    await home.startBroker();
    await until('everything acknowledged', async () => (await depth()) <= 2);
    expect(reusedSeqs(seen())).toEqual([]);
    expect(home.oracle?.storedThrough(home.meterId)).toBeGreaterThan(10n);
    const backfilled = seen().filter(({ stream, payload }) => stream === 'backfill' && payload.kind === Kind.reading);
    expect(backfilled.length).toBeGreaterThan(0);
  });
});

/** Runs, copies the data directory, runs on, restores the older copy, runs again. */
async function withRestoredImage(oracleSpeaks: boolean): Promise<void> {
  await started();
  await until('readings', () => readings() >= 5);
  await home.gateway?.kill('SIGKILL');
  const copy = join(home.dir, 'copy');
  cpSync(data(), copy, { recursive: true });
  await home.startGateway();
  const before = readings();
  await until('more readings', () => readings() >= before + 5);
  await home.gateway?.kill('SIGKILL');
  rmSync(data(), { recursive: true });
  cpSync(copy, data(), { recursive: true });
  if (!oracleSpeaks && home.oracle) {
    // The control: an oracle whose acks state that it never saw anything.
    home.oracle.acking = false;
    home.oracle.ack({ meters: new Map() });
  }
  const restart = readings();
  await home.startGateway();
  await until('readings after the restore', () => readings() >= restart + 5);
}

describe('an older image of the disk', () => {
  test('is noticed from the acks: no seq is used again, event 10 and a gap say so, the open window is dropped', async () => {
    await withRestoredImage(true);
    expect(reusedSeqs(seen())).toEqual([]);
    const events = seen().flatMap(({ payload }) => (payload.kind === Kind.event ? [payload] : []));
    expect(events.filter(({ code }) => code === EventCode.continuedAfterRestore)).not.toEqual([]);
    const at = seen().findIndex(
      ({ payload }) => payload.kind === Kind.event && payload.code === EventCode.continuedAfterRestore,
    );
    const noticed = events.find(({ code }) => code === EventCode.continuedAfterRestore);
    const later = seen().slice(at);
    await until('a statement after it', () =>
      seen()
        .slice(at)
        .some(({ payload }) => payload.kind === Kind.statement),
    );
    for (const { payload } of seen().slice(at)) {
      if (payload.kind === Kind.statement) expect(payload.window).toBeGreaterThan(windowOf(Number(noticed?.timeMs)));
    }
    expect(later.length).toBeGreaterThan(0);
  });

  test('control: where no oracle says what it has seen, the same check sees seqs used twice', async () => {
    await withRestoredImage(false);
    expect(reusedSeqs(seen()).length).toBeGreaterThan(0);
  });
});
