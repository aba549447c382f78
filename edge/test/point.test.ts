import { asMeterId, asWindow, decodePayload, EventCode, Kind, Quality, sha256, toHex } from '@gridtokenx/protocol';
import { CrashDisk, keepsTail } from '@gridtokenx/testing-kit/crash-disk';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { settle } from '@gridtokenx/testing-kit/virtual-clock';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConnectionPoint } from '../src/domain/signing/connection-point.js';
import {
  FIRST,
  GOOD,
  IDS,
  inputOf,
  lines,
  POINT,
  type Published,
  startRun,
  statementsOf,
} from './support/point-run.js';

describe('a point of two meters', () => {
  test('closes a span where both have a good statement, and says what it is and what it waits for', async () => {
    const published: Published[] = [];
    const run = await startRun(new CrashDisk(), published);
    await run.state('production', FIRST, 0, 500);
    await run.state('consumption', FIRST, 100, 0);
    await run.time.advance(0);
    await run.state('consumption', FIRST + 1, 400, 0);
    await run.state('production', FIRST + 1, 0, 700, 120_000);
    await run.state('production', FIRST + 2, 5, 1_000);
    await run.state('consumption', FIRST + 2, 600, 0);
    await run.time.advance(0);
    expect(lines(published)).toEqual([
      [0, 0, 0, GOOD],
      [2, 5, 0, GOOD],
    ]);
    const [, second] = statementsOf(published);
    expect(second).toMatchObject({ readingCount: 0, readingsRoot: sha256(), timeUncertaintyMs: 30 });
    expect(run.point.view()).toMatchObject({
      name: 'home',
      role: 'point',
      profile: 'derived from pv and house',
      derived_from: { production: toHex(IDS.production), consumption: toHex(IDS.consumption) },
      statement: { window: FIRST + 2, import_wh: '5', export_wh: '0', surplus_wh: '-5' },
      problems: [],
    });
    for (const i of [3, 4, 5, 6]) await run.state('production', FIRST + i, 5, 1_000);
    await run.time.advance(0);
    expect(run.point.problems()).toEqual([
      `point home waits for its consumption meter house: no statement since 2026-01-01T09:45 UTC`,
    ]);
    await run.stop();
  });

  test('waits until oracles have acknowledged what it is derived from, and leaves out what they refused', async () => {
    const published: Published[] = [];
    const run = await startRun(new CrashDisk(), published);
    const both = async (i: number, produced: number, consumed: number) => {
      await run.state('production', FIRST + i, 0, produced);
      await run.state('consumption', FIRST + i, consumed, 0);
      await run.time.advance(0);
    };
    await both(0, 0, 0);
    run.fates.set('*', 'open');
    await both(1, 500, 0);
    await both(2, 500, 400);
    await run.time.advance(2_000);
    expect(lines(published)).toEqual([[0, 0, 0, GOOD]]);
    const refused = statementsOf(published, IDS.production).find(({ window }) => window === FIRST + 1);
    run.fates.set(`${toHex(IDS.production)}/${refused?.seq}`, 'refused');
    run.fates.set('*', 'acknowledged');
    await run.time.advance(2_000);
    // One span over both windows: 500 out and 400 in are 100 out.
    expect(lines(published)).toEqual([
      [0, 0, 0, GOOD],
      [2, 0, 100, GOOD],
    ]);
    await run.stop();
  });

  test('signs nothing while statements may not be signed, nor for a window that an oracle has seen already', async () => {
    const published: Published[] = [];
    const run = await startRun(new CrashDisk(), published);
    const both = async (i: number, produced: number) => {
      await run.state('production', FIRST + i, 0, produced);
      await run.state('consumption', FIRST + i, 0, 0);
    };
    await both(0, 0);
    await run.time.advance(0);
    run.gate(false);
    await both(1, 100);
    await run.time.advance(0);
    expect(lines(published)).toEqual([[0, 0, 0, GOOD]]);
    // Another run signed window 1 and 2 of this point already: an older image was restored.
    const seen = { highestSeen: run.journal.nextSeq + 5n, storedThrough: 2n, highestWindow: asWindow(FIRST + 2) };
    expect(await run.journal.continueAfterRestore(seen, asWindow(FIRST + 1))).toBe(true);
    run.gate(true);
    await both(2, 300);
    await both(3, 600);
    await run.time.advance(1_000);
    expect(lines(published)).toEqual([
      [0, 0, 0, GOOD],
      [3, 0, 600, GOOD],
    ]);
    await run.stop();
  });

  test('a meter that was reset is a new base: bit 3, and nothing is invented', async () => {
    const published: Published[] = [];
    const disk = new CrashDisk();
    const run = await startRun(disk, published);
    for (const [i, produced] of [1_000, 1_500, 20, 90].entries()) {
      run.point.add('production', inputOf(FIRST + i, 0, produced));
      run.point.add('consumption', inputOf(FIRST + i, 0, 0));
      await settle();
    }
    expect(lines(published)).toEqual([
      [0, 0, 0, GOOD],
      [1, 0, 500, GOOD],
      [2, 0, 500, GOOD | Quality.discontinuity],
      [3, 0, 570, GOOD],
    ]);
    await run.stop();
  });

  test('a disk that takes no writes is said, and what waited is signed when it does', async () => {
    const published: Published[] = [];
    const disk = new CrashDisk();
    const run = await startRun(disk, published);
    disk.failing = 'ENOSPC';
    run.point.add('production', inputOf(FIRST, 0, 7));
    run.point.add('consumption', inputOf(FIRST, 0, 7));
    await settle();
    expect(run.point.problems()).toEqual([
      expect.stringMatching(/^point home: the gateway signed nothing, because it could not store the state: ENOSPC/),
    ]);
    disk.failing = null;
    await run.time.advance(1_000);
    expect(run.point.problems()).toEqual([]);
    expect(lines(published)).toEqual([[0, 0, 0, GOOD]]);
    // The seq that was assigned and not signed is declared before the next message, so that no hole stays open.
    const seqs = published.filter(({ meter }) => meter === toHex(POINT)).map(({ payload }) => payload);
    const gap = seqs.find(
      (payload) => payload.kind === Kind.event && payload.code === EventCode.gap && payload.detail === 1,
    );
    expect(gap).toBeDefined();
    await run.stop();
  });

  test('without its state file goes on from the spool; without the statements behind it signs nothing', async () => {
    const published: Published[] = [];
    const disk = new CrashDisk();
    let run = await startRun(disk, published);
    for (const [i, produced] of [0, 40].entries()) {
      await run.state('production', FIRST + i, 0, produced);
      await run.state('consumption', FIRST + i, 0, 0);
      await run.time.advance(0);
    }
    await run.stop();
    disk.files.delete(`/state/${toHex(POINT)}.json`);
    run = await startRun(disk, published);
    await run.state('production', FIRST + 2, 0, 50);
    await run.state('consumption', FIRST + 2, 30, 0);
    await run.time.advance(0);
    expect(lines(published).at(-1)).toEqual([2, 20, 40, GOOD]);
    const { journal, recovered } = run.point;
    const bare = new ConnectionPoint({
      name: 'home',
      journal: Object.create(journal, { state: { value: { ...journal.state, point: null } } }),
      recovered: { ...recovered, lastStatement: statementsOf(published).at(-1) ?? null },
      meters: {
        production: { id: run.journals.production.id, name: 'pv' },
        consumption: { id: run.journals.consumption.id, name: 'house' },
      },
      inputs: { production: [], consumption: [] },
      fate: () => 'acknowledged',
      clock: run.time,
      logger: quietLog,
    });
    expect(bare.problems()).toEqual([
      'point home: the disk no longer has the statements behind its last one: enrol the point under a new name',
    ]);
    const count = published.length;
    bare.add('production', inputOf(FIRST + 3, 0, 60));
    bare.add('consumption', inputOf(FIRST + 3, 30, 0));
    await bare.run(() => true, new AbortController().signal);
    expect(published.length).toBe(count);
    await run.stop();
  });
});

describe('power cuts', () => {
  /** Resolves with the result of `work`, or rejects when the power fails: a spool waits for its disk for ever. */
  async function powered<T>(disk: CrashDisk, work: Promise<T>): Promise<T> {
    let isDone = false;
    const done = work.finally(() => {
      isDone = true;
    });
    done.catch(() => {});
    while (!isDone && !disk.isOff) await new Promise<void>((resolve) => setImmediate(resolve));
    await settle();
    if (disk.isOff) throw new Error('power');
    return done;
  }

  /**
   * Plays windows over runs that are cut at any moment of the disk's work; returns the messages published over all
   * runs.
   */
  async function play(cuts: readonly number[], keep: number, spoil = false): Promise<Published[]> {
    const disk = new CrashDisk();
    const published: Published[] = [];
    await (await startRun(disk, published)).stop();
    let window = 0;
    for (const cut of [...cuts, null]) {
      disk.fuse = cut ?? Number.POSITIVE_INFINITY;
      try {
        const run = await powered(disk, startRun(disk, published, spoil));
        for (let i = 0; i < 3; i++) {
          const at = registersAt(++window);
          await powered(disk, run.state('production', FIRST + window, 0, at.produced));
          await powered(disk, run.state('consumption', FIRST + window, at.consumed, 0));
          await powered(disk, run.time.advance(0));
        }
        if (cut === null) {
          // A message that was committed as the power failed was never published; the gateway sends it from the spool.
          for (const { payload, bytes: message } of await run.spool.read(asMeterId(POINT), 1n, 10_000))
            published.push({ meter: toHex(POINT), payload: decodePayload(payload), message });
          await run.stop();
        }
      } catch (error) {
        if (!disk.isOff) throw error;
      }
      // Where the power is still on, it fails now, between two windows.
      disk.fuse = -1;
      await settle();
      disk.restart(keepsTail((unsynced) => Math.floor(unsynced * keep)));
    }
    return published;
  }
  /** Sun every third window. */
  const registersAt = (window: number) => {
    let [produced, consumed] = [0, 0];
    for (let i = 1; i <= window; i++) {
      produced += i % 3 === 0 ? 700 : 0;
      consumed += 100;
    }
    return { produced, consumed };
  };

  /** Lists faults of the published messages: a seq or a window with two contents, registers that no meter stated. */
  function faults(published: readonly Published[]): string[] {
    const found: string[] = [];
    const said = new Map<string, string>();
    for (const { meter, payload, message } of published) {
      const places = [`seq ${payload.seq} of ${meter}`];
      if (payload.kind === Kind.statement) places.push(`window ${payload.window} of ${meter}`);
      for (const place of places) {
        if ((said.get(place) ?? toHex(message)) !== toHex(message)) found.push(`${place} twice`);
        said.set(place, toHex(message));
      }
    }
    const own = [...new Map(statementsOf(published).map((one) => [one.seq, one])).values()];
    own.sort((a, b) => a.window - b.window);
    let before = own[0];
    if (!before || before.importWh + before.exportWh !== 0n) found.push('no beginning at zero');
    for (const one of own.slice(1)) {
      if (!before) continue;
      const [from, to] = [registersAt(before.window - FIRST), registersAt(one.window - FIRST)];
      const surplus = BigInt(to.produced - from.produced - (to.consumed - from.consumed));
      const isRight =
        one.exportWh - before.exportWh === (surplus > 0n ? surplus : 0n) &&
        one.importWh - before.importWh === (surplus < 0n ? -surplus : 0n);
      if (!isRight)
        found.push(`window ${one.window - FIRST} after ${before.window - FIRST}: not a surplus of ${surplus}`);
      before = one;
    }
    return found;
  }
  const plan = fc.tuple(
    fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 4 }),
    fc.double({ min: 0, max: 1, noNaN: true }),
  );

  test('no window is stated twice differently, and every statement is what the two meters said', async () => {
    await fc.assert(
      fc.asyncProperty(plan, async ([cuts, keep]) => {
        expect(faults(await play(cuts, keep))).toEqual([]);
      }),
      { numRuns: 40 },
    );
  }, 120_000);

  test('control: where what the span is counted from is not stored as it was, the same check finds it', async () => {
    const wrong = [];
    for (const [cuts, keep] of fc.sample(plan, { numRuns: 8, seed: 3 }))
      wrong.push(...faults(await play(cuts, keep, true)));
    expect(wrong.length).toBeGreaterThan(0);
  });
});
