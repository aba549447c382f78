import { decodePayload, EventCode, GapReason, Kind, type Statement, windowOf } from '@gridtokenx/protocol';
import { CrashDisk, keepsTail } from '@gridtokenx/testing-kit/crash-disk';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeState } from '../src/domain/signing/meter-state.js';
import { METER_HEX } from './support/messages.js';
import { gapsOf, ofKind, openRun, type Run, START, STATE, sample, startRun } from './support/meter-run.js';

/** Returns the seqs that the runs published with more than one content. */
function reused(runs: readonly Run[]): bigint[] {
  const contents = new Map<bigint, Set<string>>();
  for (const { payload, message } of runs.flatMap(({ published }) => published)) {
    const known = contents.get(payload.seq) ?? new Set<string>();
    known.add(Buffer.from(message).toString('hex'));
    contents.set(payload.seq, known);
  }
  return Array.from(contents).flatMap(([seq, known]) => (known.size > 1 ? [seq] : []));
}

/** Runs with a power cut each; returns all runs, the last one without a cut. */
async function crashes(fuses: readonly number[], keep: number, reserve: boolean): Promise<Run[]> {
  const disk = new CrashDisk();
  const runs: Run[] = [];
  let wh = 0;
  for (const fuse of [...fuses, Number.POSITIVE_INFINITY]) {
    disk.fuse = fuse;
    const at = START + runs.length * 400_000;
    try {
      const run = await openRun(disk, { reserve, at });
      runs.push(run);
      await untilOff(disk, run.begin());
      for (let i = 0; i < 12; i++) {
        const done = run.journal.reading(sample(at + i * 60_000, ++wh), true);
        await untilOff(
          disk,
          done.then(() => run.journal.closeDue(at + i * 60_000)),
        );
        if (disk.isOff) break;
      }
    } catch (error) {
      expect((error as { code?: string }).code).toBe('EPOWER');
    }
    disk.restart(keepsTail((unsynced) => Math.floor(unsynced * keep)));
  }
  return runs;
}

/**
 * Settles with the work, or resolves once the power is gone: then the spool waits for its disk for ever. A run that still
 * works when the next one begins would be two gateways on one disk.
 */
async function untilOff(disk: CrashDisk, work: Promise<unknown>): Promise<void> {
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  work.then(over, over);
  while (!isOver && !disk.isOff) await new Promise<void>((resolve) => setImmediate(resolve));
  if (isOver) await work;
}

describe('power cuts', () => {
  const plan = fc.tuple(
    fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 5 }),
    fc.double({ min: 0, max: 1, noNaN: true }),
  );

  test('no seq is ever published with two contents, no window has two statements, nothing published is lost', async () => {
    await fc.assert(
      fc.asyncProperty(plan, async ([fuses, keep]) => {
        const runs = await crashes(fuses, keep, true);
        expect(reused(runs)).toEqual([]);
        const windows = runs.flatMap((run) =>
          ofKind(run, Kind.statement).map((s: Statement) => `${s.window}/${s.seq}`),
        );
        expect(new Set(windows.map((text) => text.split('/')[0])).size).toBe(new Set(windows).size);
        const last = runs.at(-1);
        for (const { payload, message } of runs.flatMap(({ published }) => published)) {
          const [record] = (await last?.spool.read(METER_HEX, payload.seq, 1)) ?? [];
          expect(record?.bytes, `seq ${payload.seq}`).toEqual(message);
        }
        // Every seq below the newest is in the spool or declared.
        const all = await last?.spool.read(METER_HEX, 1n, 10_000);
        const known = new Set(all?.map(({ seq }) => seq));
        for (const { payload: bytes } of all ?? []) {
          const payload = decodePayload(bytes);
          if (payload.kind !== Kind.event || payload.code !== EventCode.gap) continue;
          for (let i = 0n; i < BigInt(payload.detail); i++) known.add(payload.value + i);
        }
        const highest = last?.spool.highest(METER_HEX) ?? 0n;
        for (let seq = 1n; seq <= highest; seq++) expect(known.has(seq), `seq ${seq}`).toBe(true);
      }),
      { numRuns: 40 },
    );
  }, 120_000);

  /** Publishes, loses the newest committed records to damage, publishes again. */
  async function afterDamage(reserve: boolean): Promise<bigint[]> {
    const disk = new CrashDisk();
    const first = await startRun(disk, { reserve });
    for (let i = 0; i < 6; i++) await first.journal.reading(sample(START + i * 1000, i), true);
    const segment = disk.files.get('/spool/r-00000001.seg');
    if (!segment) throw new Error('no segment');
    segment.cache = segment.cache.slice(0, 3 * 187 + 20);
    const second = await startRun(disk, { reserve });
    for (let i = 0; i < 6; i++) await second.journal.reading(sample(START + 60_000 + i, 50 + i), true);
    return reused([first, second]);
  }

  test('even a disk that loses committed records makes no seq come twice, because seqs are reserved', async () => {
    expect(await afterDamage(true)).toEqual([]);
  });

  test('control: with a reservation that is not stored the same check sees reuse', async () => {
    expect((await afterDamage(false)).length).toBeGreaterThan(0);
  });

  test('a statement that was stored and not signed is signed with the same bytes after the crash', async () => {
    const disk = new CrashDisk();
    const first = await startRun(disk);
    await first.journal.reading(sample(START + 899_000, 1), true);
    // The state is stored with one operation; the power fails at the next.
    disk.fuse = 1;
    await untilOff(disk, first.journal.closeDue(START + 900_000));
    expect(disk.isOff).toBe(true);
    disk.restart(keepsTail(() => 0));
    const stored = decodeState(Buffer.from((await disk.read(STATE)) ?? []).toString()).statement;
    expect(stored).not.toBeNull();
    const second = await startRun(disk);
    expect(second.published[0]?.bytes).toEqual(stored);
    expect(await second.journal.closeDue(START + 9_000_000)).toEqual([]);
    const third = await startRun(disk);
    expect(ofKind(third, Kind.statement)).toEqual([]);
  });
});

describe('a state that cannot be stored', () => {
  test('gives no statement; its seq is declared, and the window is closed later with other bytes', async () => {
    const disk = new CrashDisk();
    const run = await startRun(disk);
    await run.journal.reading(sample(START + 890_000, 1), true);
    const store = disk.replace;
    disk.replace = async () => {
      throw Object.assign(new Error('full'), { code: 'ENOSPC' });
    };
    await expect(run.journal.closeDue(START + 900_000)).rejects.toThrow('full');
    disk.replace = store;
    await run.journal.reading(sample(START + 901_000, 2), true);
    expect((await run.journal.closeDue(START + 900_000)).map(({ window }) => window)).toEqual([windowOf(START)]);
    expect(gapsOf(run)).toEqual([[3n, 1, GapReason.unused]]);
    expect(run.published.map(({ payload }) => payload.seq)).toEqual([1n, 2n, 4n, 5n, 6n]);
    expect(reused([run])).toEqual([]);
    expect(gapsOf(await startRun(disk))).toEqual([[7n, 122, GapReason.unused]]);
  });
});
