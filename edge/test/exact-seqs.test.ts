import { asWindow, EventCode, Kind, pointStatement, Quality, windowEndAtMs, windowOf } from '@gridtokenx/protocol';
import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../src/adapters/spool/segment.js';
import { openSpool } from '../src/adapters/spool/spool.js';
import { WindowTracker } from '../src/domain/signing/windows.js';
import { METER_HEX, message } from './support/messages.js';
import { START, STATE, sample, startRun } from './support/meter-run.js';

describe('after a restored image', () => {
  const seenAt = async (ahead: bigint) => {
    const run = await startRun(new CrashDisk());
    const before = run.published.length;
    const highestSeen = run.journal.nextSeq + ahead;
    const seen = { highestSeen, storedThrough: 0n, highestWindow: asWindow(0) };
    const isTaken = await run.journal.continueAfterRestore(seen, windowOf(START));
    const signed = run.published.slice(before).map(({ payload }) => payload);
    return { isTaken, highestSeen, signed };
  };

  test('the first seq is the one after what was seen: none is left out, none comes twice', async () => {
    for (const ahead of [0n, 1n, 1_000n]) {
      const { isTaken, highestSeen, signed } = await seenAt(ahead);
      expect(isTaken).toBe(true);
      expect(signed[0]).toMatchObject({ kind: Kind.event, code: EventCode.continuedAfterRestore });
      expect(signed[0]).toMatchObject({ seq: highestSeen + 1n, value: highestSeen + 1n });
      expect(signed[1]).toMatchObject({ seq: highestSeen + 2n, code: EventCode.gap });
    }
  });

  test('nothing changes when what was seen is the newest of ours; a jump of 2^32 is taken, one more is not', async () => {
    expect(await seenAt(-1n)).toMatchObject({ isTaken: true, signed: [] });
    expect(await seenAt(1n << 32n)).toMatchObject({ isTaken: true });
    expect(await seenAt((1n << 32n) + 1n)).toMatchObject({ isTaken: false, signed: [] });
  });
});

test('where no window is over nothing is planned: no seq is taken, nothing is stored, no statement is signed', async () => {
  const disk = new CrashDisk();
  const run = await startRun(disk);
  await run.journal.reading(sample(START + 10_000, 100), true);
  const [next, stored, signed] = [run.journal.nextSeq, await disk.read(STATE), run.published.length];
  expect(await run.journal.closeDue(windowEndAtMs(windowOf(START)) - 1)).toEqual([]);
  expect([run.journal.nextSeq, await disk.read(STATE), run.published.length]).toEqual([next, stored, signed]);
  expect(run.journal.windows.closedThrough).toBe(0);
  expect(new WindowTracker(asWindow(7)).due(Number.MAX_SAFE_INTEGER)).toBeNull();
  expect(await run.journal.closeDue(windowEndAtMs(windowOf(START)))).toMatchObject([{ window: windowOf(START) }]);
});

test('a segment is trimmed when its highest seq is the safe one, and not when the safe one is one below', async () => {
  for (const [safe, dropped] of [
    [9n, false],
    [10n, true],
  ] as const) {
    // Ten records to a segment, and room for all but one byte.
    const { spool } = await openSpool(new CrashDisk(), '/spool', new VirtualClock(), () => {}, bytesOf(10));
    for (let seq = 1n; seq <= 40n; seq++) await spool.append([message(seq)]);
    await spool.relieve();
    await spool.trim(spool.bytes(), () => safe);
    await spool.relieve();
    expect([safe, !spool.has(METER_HEX, 10n), !spool.has(METER_HEX, 1n)]).toEqual([safe, dropped, dropped]);
    expect(spool.missing(METER_HEX, 11n, 40n)).toEqual([]);
    await spool.close();
  }
});

describe('how wrong a time may be', () => {
  const uncertaintyOf = (...all: (number | null)[]) => {
    const quarantine = new WindowTracker(asWindow(0));
    for (const [i, uncertaintyMs] of all.entries()) {
      const quality = uncertaintyMs === null ? Quality.unsynchronised : 0;
      quarantine.add({ timeMs: START + i, steadyMs: i, uncertaintyMs, importWh: 1n, exportWh: 1n, quality });
    }
    quarantine.date({ timeMs: START + 9, steadyMs: 9 });
    return quarantine.due(windowEndAtMs(windowOf(START)))?.uncertaintyMs;
  };

  test('is unknown for a window as soon as it is for one of its readings, whichever comes first', () => {
    expect(uncertaintyOf(5, 9, 7)).toBe(9);
    expect(uncertaintyOf(null, 5)).toBeNull();
    expect(uncertaintyOf(5, null)).toBeNull();
    expect(uncertaintyOf(5, null, 7)).toBeNull();
    expect(uncertaintyOf(0, 0)).toBe(0);
  });

  test('is unknown for a derived point when it is for either of its meters', () => {
    const registers = { importWh: 1n, exportWh: 1n };
    const state = { window: asWindow(5), ...registers, production: registers, consumption: registers };
    const input = (timeUncertaintyMs: number | null) => ({
      window: asWindow(5),
      ...registers,
      quality: 0,
      timeUncertaintyMs,
    });
    const of = (a: number | null, b: number | null) =>
      pointStatement(state, false, input(a), input(b)).timeUncertaintyMs;
    expect([of(3, 8), of(8, 3), of(null, 8), of(8, null), of(null, null)]).toEqual([8, 8, null, null, null]);
  });
});
