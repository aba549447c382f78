import {
  addWindows,
  asWindow,
  EventCode,
  GapReason,
  Kind,
  type MeterEvent,
  merkleRoot,
  Quality,
  type Reading,
  shortHash,
  windowEndAtMs,
  windowOf,
} from '@gridtokenx/protocol';
import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { describe, expect, test } from 'vitest';
import { DiscontinuityReason } from '../src/domain/signing/discontinuity.js';
import { RecoveryScan } from '../src/domain/signing/recovery.js';
import { METER_HEX } from './support/messages.js';
import { gapsOf, ofKind, START, sample, startRun } from './support/meter-run.js';

describe('one run', () => {
  test('chains events and readings, leaves statements out of the chain, and signs what it says', async () => {
    const run = await startRun(new CrashDisk());
    for (let i = 0; i < 20; i++) await run.journal.reading(sample(START + i * 60_000, 100 + i), true);
    expect((await run.journal.closeDue(START + 20 * 60_000)).map(({ window }) => window)).toEqual([windowOf(START)]);
    await run.journal.reading(sample(START + 20 * 60_000, 130), true);
    expect(run.published.map(({ payload }) => payload.seq)).toEqual(
      Array.from({ length: 23 }, (_, i) => BigInt(i + 1)),
    );
    let prev = new Uint8Array(16);
    for (const { payload, bytes } of run.published) {
      if (payload.kind !== Kind.reading && payload.kind !== Kind.event) continue;
      expect(payload.prev).toEqual(prev);
      prev = shortHash(bytes) as typeof prev;
    }
    const [statement] = ofKind(run, Kind.statement);
    const covered = run.published.filter(
      ({ payload }) => payload.kind === Kind.reading && payload.seq < (statement?.seq ?? 0n),
    );
    expect(statement).toMatchObject({
      window: windowOf(START),
      importWh: 114n,
      exportWh: 228n,
      // Five of these readings belong to the next window already: the root follows seqs, not times.
      readingCount: 20,
      quality: Quality.gatewaySigned,
      timeUncertaintyMs: 10,
      readingsRoot: merkleRoot(covered.map(({ bytes }) => bytes)),
    });
  });

  test('a window without a reading near its end is stale, one without any gets no statement', async () => {
    const run = await startRun(new CrashDisk());
    await run.journal.reading(sample(START + 10_000, 100), true);
    await run.journal.reading(sample(START + 3 * 900_000 - 60_000, 200), true);
    const closed = await run.journal.closeDue(START + 3 * 900_000);
    expect(closed.map(({ window, quality }) => [window - windowOf(START), quality & Quality.stale])).toEqual([
      [0, Quality.stale],
      [2, 0],
    ]);
  });

  test('an unknown clock marks readings, and the window that they are given afterwards', async () => {
    const run = await startRun(new CrashDisk());
    await run.journal.reading({ ...sample(START, 1), steadyMs: 0, uncertaintyMs: null }, true);
    expect(run.journal.windows.open).toEqual([]);
    expect(ofKind(run, Kind.reading)[0]).toMatchObject({
      quality: Quality.gatewaySigned | Quality.unsynchronised,
      timeUncertaintyMs: null,
    });
    await run.time.advance(900_000);
    const [closed] = await run.journal.closeDue(START + 900_000);
    expect(closed).toMatchObject({ window: windowOf(START), uncertaintyMs: null });
    expect((closed?.quality ?? 0) & Quality.unsynchronised).toBe(Quality.unsynchronised);
  });

  test('readings of an earlier run whose time was unknown choose no window', async () => {
    const disk = new CrashDisk();
    const run = await startRun(disk);
    await run.journal.reading({ ...sample(START + 86_400_000, 1), uncertaintyMs: null }, true);
    await run.journal.reading(sample(START + 1, 2), true);
    const again = await startRun(disk);
    expect(again.journal.windows.open.map(({ window }) => window)).toEqual([windowOf(START)]);
    expect(again.journal.windows.undated).toBe(0);
  });

  test('the last good registers are not older than any known time, so a rise since has a bound', async () => {
    const run = await startRun(new CrashDisk());
    await run.journal.reading(sample(START + 1, 2), true);
    await run.journal.reading({ ...sample(START - 86_400_000, 3), uncertaintyMs: null }, true);
    const scan = new RecoveryScan();
    for (const message of await run.spool.read(METER_HEX, 1n, 100)) scan.visit(message);
    expect(scan.result(METER_HEX).lastGood).toMatchObject({ importWh: 3n, timeMs: START + 1, uncertaintyMs: 10 });
  });

  test('a restored image that was noticed at an unknown time closes the window of that moment once it is known', async () => {
    const run = await startRun(new CrashDisk());
    const { reading } = run.time;
    reading.uncertainty = null;
    reading.stepMs = -86_400_000;
    const seen = { highestSeen: 50n, storedThrough: 50n, highestWindow: asWindow(7) };
    expect(await run.journal.continueAfterRestore(seen, null)).toBe(true);
    expect([run.journal.nextSeq > 50n, run.journal.windows.closedThrough]).toEqual([true, 7]);
    await run.time.advance(900_000);
    reading.uncertainty = 10;
    reading.stepMs = 0;
    await run.journal.reading({ ...sample(START + 900_000, 5), steadyMs: 900_000 }, true);
    expect(await run.journal.closeDue(START + 900_000)).toEqual([]);
    expect(run.journal.state.closedThrough).toBe(windowOf(START));
    const [closed] = await run.journal.closeDue(START + 1_800_000);
    expect(closed?.window).toBe(windowOf(START) + 1);
  });

  test('a clock that was set back keeps readings in the newest window, and windows rise', async () => {
    const run = await startRun(new CrashDisk());
    await run.journal.reading(sample(START + 899_000, 1), true);
    await run.journal.closeDue(START + 900_000);
    await run.journal.reading(sample(START - 3_600_000, 2), true);
    expect(await run.journal.closeDue(START + 900_000)).toEqual([]);
    const [closed] = await run.journal.closeDue(windowEndAtMs(addWindows(windowOf(START), 1)));
    expect(closed?.window).toBe(windowOf(START) + 1);
  });

  test('after a discontinuity readings go on with bit 3 and statements stop, over a restart too', async () => {
    const disk = new CrashDisk();
    const run = await startRun(disk);
    await run.journal.reading(sample(START, 500), true);
    await run.journal.registers.break(
      DiscontinuityReason.fell,
      { importWh: 500n, exportWh: 1000n },
      { importWh: 3n, exportWh: 7n },
    );
    await run.journal.reading(sample(START + 880_000, 3), false);
    const event = ofKind(run, Kind.event).at(-1) as MeterEvent;
    expect([event.code, event.value]).toEqual([EventCode.registerDiscontinuity, 1000n]);
    expect(new DataView(event.data.buffer, event.data.byteOffset).getBigUint64(0, true)).toBe(500n);
    expect((ofKind(run, Kind.reading).at(-1) as Reading).quality & Quality.discontinuity).toBe(Quality.discontinuity);
    expect(await run.journal.closeDue(START + 900_000)).toEqual([]);
    const next = await startRun(disk);
    expect(next.journal.registers.inDiscontinuity).toBe(true);
    expect(await next.journal.closeDue(START + 900_000)).toEqual([]);
  });
});

describe('after a stop', () => {
  test('the next run starts above everything reserved and declares what was not used', async () => {
    const disk = new CrashDisk();
    await startRun(disk);
    const second = await startRun(disk);
    expect(second.published.map(({ payload }) => payload.seq)).toEqual([129n, 130n]);
    expect(ofKind(second, Kind.event)[0]).toMatchObject({ code: EventCode.started, value: 1n, bootCount: 2 });
    expect(gapsOf(second)).toEqual([[2n, 127, GapReason.unused]]);
    // Declared once: a third run finds only the second's rest.
    const third = await startRun(disk);
    expect(gapsOf(third)).toEqual([[131n, 126, GapReason.unused]]);
  });

  test('the open window goes on with bit 2, over the readings of both runs', async () => {
    const disk = new CrashDisk();
    const first = await startRun(disk);
    await first.journal.reading(sample(START + 60_000, 10), true);
    const second = await startRun(disk);
    await second.journal.reading(sample(START + 890_000, 20), true);
    const [closed] = await second.journal.closeDue(START + 900_000);
    expect(closed).toMatchObject({ importWh: 20n, quality: Quality.gatewaySigned | Quality.gap });
    const [statement] = ofKind(second, Kind.statement);
    const readings = [...first.published, ...second.published].filter(({ payload }) => payload.kind === Kind.reading);
    expect(statement).toMatchObject({ readingCount: 2, readingsRoot: merkleRoot(readings.map(({ bytes }) => bytes)) });
  });

  test('a window that is over is closed from the spool', async () => {
    const disk = new CrashDisk();
    const first = await startRun(disk);
    await first.journal.reading(sample(START + 860_000, 10), true);
    const second = await startRun(disk, { at: START + 5 * 900_000 });
    const [closed] = await second.journal.closeDue(second.time.reading.nowMs());
    expect(closed).toMatchObject({
      window: windowOf(START),
      importWh: 10n,
      quality: Quality.gatewaySigned | Quality.gap,
    });
  });

  test('a record that was damaged is declared as damaged, what oracles have is not', async () => {
    const disk = new CrashDisk();
    const first = await startRun(disk);
    for (let i = 0; i < 5; i++) await first.journal.reading(sample(START + i * 1000, i), true);
    const segment = disk.files.get('/spool/r-00000001.seg');
    if (!segment) throw new Error('no segment');
    segment.cache[187 + 50] = (segment.cache[187 + 50] ?? 0) ^ 1;
    const image = disk.image();
    expect(gapsOf(await startRun(disk))).toEqual([
      [3n, 1, GapReason.damaged],
      [7n, 122, GapReason.unused],
    ]);
    expect(gapsOf(await startRun(CrashDisk.fromImage(image), { storedThrough: 4n }))).toEqual([
      [7n, 122, GapReason.unused],
    ]);
  });
});

describe('a restored image', () => {
  test('goes on above what oracles have seen, and never publishes what it signed before it knew', async () => {
    const disk = new CrashDisk();
    const first = await startRun(disk);
    await first.journal.reading(sample(START, 1), true);
    const image = disk.image();
    const lost = await startRun(disk, { at: START + 60_000 });
    for (let i = 0; i < 300; i++) await lost.journal.reading(sample(START + 60_000 + i, 2 + i), true);
    const highestSeen = lost.journal.nextSeq - 1n;

    const restored = CrashDisk.fromImage(image);
    const run = await startRun(restored, { at: START + 900_000 });
    const windowNow = windowOf(START + 900_000);
    const seen = { highestSeen, storedThrough: 140n, highestWindow: addWindows(windowOf(START), 3) };
    expect(await run.journal.continueAfterRestore(seen, windowNow)).toBe(true);
    await run.journal.reading(sample(START + 901_000, 400), true);
    const events = ofKind(run, Kind.event);
    expect(events.map(({ code, seq }) => [code, seq > highestSeen]).slice(-2)).toEqual([
      [EventCode.continuedAfterRestore, true],
      [EventCode.gap, true],
    ]);
    expect(gapsOf(run).at(-1)).toEqual([141n, Number(highestSeen - 140n), GapReason.restored]);
    expect(run.journal.state.discarded).toEqual([{ first: 129n, last: highestSeen }]);
    // No statement for a window that oracles may have a statement for already.
    expect(await run.journal.closeDue(windowEndAtMs(addWindows(windowOf(START), 3)))).toEqual([]);
    const [closed] = await run.journal.closeDue(windowEndAtMs(addWindows(windowOf(START), 4)));
    expect(closed?.window).toBe(windowOf(START) + 4);
    // Above our own seqs nothing happens, and a jump beyond 2^32 is refused.
    expect(await run.journal.continueAfterRestore({ ...seen, highestSeen: 5n }, windowNow)).toBe(true);
    expect(
      await run.journal.continueAfterRestore(
        { ...seen, highestSeen: run.journal.nextSeq + (1n << 32n) + 1n },
        windowNow,
      ),
    ).toBe(false);
  });
});

describe('what is gone from the spool', () => {
  test('is declared once for whoever lacks it, and neither what is there nor what was told before', async () => {
    const disk = new CrashDisk();
    const first = await startRun(disk);
    for (let i = 0; i < 3; i++) await first.journal.reading(sample(START + i * 60_000, 100 + i), true);
    await first.spool.close();
    const run = await startRun(disk);
    const before = gapsOf(run);
    const through = run.spool.highest(METER_HEX);
    await run.journal.declareGone(1n, through);
    expect(gapsOf(run)).toEqual(before);
    const missing = run.spool.missing.bind(run.spool);
    run.spool.missing = (meter, from, last) => [{ first: 1n, last: 2n }, ...missing(meter, from, last)];
    await run.journal.declareGone(1n, through);
    await run.journal.declareGone(1n, through);
    expect(gapsOf(run)).toEqual([...before, [1n, 2, GapReason.thinned]]);
    await run.spool.close();
  });
});

describe('the configuration', () => {
  test('is an event with its hash where it is another one than at the start before', async () => {
    const disk = new CrashDisk();
    const changes = async (configuration: number) => {
      const run = await startRun(disk, { configuration });
      const found = ofKind(run, Kind.event).filter(({ code }) => code === EventCode.configurationChanged);
      await run.spool.close();
      return found.map(({ data, seq }) => [data[0], data[15], seq - (run.published[0]?.payload.seq ?? 0n)]);
    };
    expect(await changes(1)).toEqual([]);
    expect(await changes(1)).toEqual([]);
    expect(await changes(2)).toEqual([[2, 2, 1n]]);
    expect(await changes(2)).toEqual([]);
    expect(await changes(1)).toEqual([[1, 1, 1n]]);
  });
});
