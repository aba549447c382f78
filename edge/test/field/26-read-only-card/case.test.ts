/**
 * Plays a card that the system mounted read-only after errors: the gateway starts, says it, and signs when the card is
 * writable again.
 */
import { EventCode, Kind } from '@gridtokenx/protocol';
import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { expect, test } from 'vitest';
import { METER_HEX } from '../../support/messages.js';
import { gapsOf, ofKind, openRun, START, sample, startRun } from '../../support/meter-run.js';

test('a read-only card ends no start, is named, and costs no reading and no seq when it heals', async () => {
  const disk = new CrashDisk();
  const before = await startRun(disk);
  for (let i = 0; i < 5; i++) await before.journal.reading(sample(START + 60_000 * i, i), true);
  await before.spool.close();
  disk.failing = 'EROFS';
  const run = await openRun(disk, { at: START + 600_000 });
  expect(run.spool.count(METER_HEX, 1n, 1_000n)).toBe(6);
  await expect(run.begin()).rejects.toThrow('EROFS');
  expect(run.published).toEqual([]);
  disk.failing = null;
  await run.begin();
  expect(ofKind(run, Kind.event).map(({ code }) => code)).toContain(EventCode.started);

  // Mounted read-only again while it runs: readings wait.
  disk.failing = 'EROFS';
  let isDone = false;
  const waiting = run.journal.reading(sample(START + 660_000, 7), true).then(() => {
    isDone = true;
  });
  await run.time.advance(5_000);
  expect([isDone, run.spool.problem()]).toEqual([
    false,
    'the disk is read-only: check the card, nothing new is published meanwhile',
  ]);
  disk.failing = null;
  await run.time.advance(11_000);
  await waiting;
  expect(run.spool.problem()).toBeNull();

  const seqs = [...before.published, ...run.published].map(({ payload }) => payload.seq);
  expect(new Set(seqs).size).toBe(seqs.length);
  const after = await startRun(disk, { at: START + 900_000 });
  const told = gapsOf(after).length + gapsOf(run).length;
  expect(told).toBeGreaterThan(0);
  for (const { payload, message } of run.published)
    expect((await after.spool.read(METER_HEX, payload.seq, 1))[0]?.bytes).toEqual(message);
});
