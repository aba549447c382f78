/**
 * Plays a Raspberry Pi without a clock: it starts in 1970, or at its last shutdown. Before the first source readings carry
 * the floor plus the time that passed, with an unknown error, and no window. From the first source on all is right; a
 * person reads that the time is unknown, and nothing once it is known.
 */
import { describe, expect, test } from 'vitest';
import { playClock } from '../../support/clocked-meter.js';
import { MINUTE, START } from '../../support/meter-polls.js';

const DAY = 86_400_000;
const EPOCH = { machineAheadMs: -START, floorAheadMs: -2 * DAY };

describe('a machine without a clock', () => {
  test('dates nothing before a source, and all of the run from the first answer on', async () => {
    const run = await playClock({ ...EPOCH, oracleFrom: 7 });
    await run.time.advance(6 * MINUTE);
    // The first value at an unknown time waits for a second one.
    expect(run.readings().map(({ wrongMs, uncertaintyMs }) => [wrongMs, uncertaintyMs])).toEqual(
      Array(5).fill([-2 * DAY, null]),
    );
    expect([run.clock.nowMs(), run.floor.ms]).toEqual([START - 2 * DAY + 6 * MINUTE, START - 2 * DAY]);
    await run.time.advance(25 * MINUTE);
    expect(run.statements().map(({ window, isUnknown }) => [window, isUnknown])).toEqual([
      [0, true],
      [1, false],
    ]);
    expect(run.problems()).toEqual([]);
    expect(run.floor.ms).toBeGreaterThan(START);
    expect(run.floor.ms).toBeLessThanOrEqual(run.time.reading.nowMs());
    await run.end();
  });

  test('takes the time of chrony where no oracle answers for a minute', async () => {
    const run = await playClock({ ...EPOCH, ntpFrom: 3 });
    await run.time.advance(3.5 * MINUTE);
    expect(run.clock.isKnown).toBe(false);
    await run.time.advance(28 * MINUTE);
    expect(
      run
        .readings()
        .filter(({ minute }) => minute > 5)
        .every(({ isUnknown }) => !isUnknown),
    ).toBe(true);
    expect(run.statements().map(({ window, isUnknown }) => [window, isUnknown])).toEqual([
      [0, true],
      [1, false],
    ]);
    await run.end();
  });

  test('goes on at once where its floor was years ahead: an oracle lowers it, and no poll waits for it', async () => {
    const run = await playClock({ machineAheadMs: 3_650 * DAY, floorAheadMs: 365 * DAY, oracleFrom: 2 });
    await run.time.advance(31 * MINUTE);
    // The first value at an unknown time waits for a second one.
    expect(run.readings()).toHaveLength(32);
    expect(run.statements().map(({ window, isUnknown }) => [window, isUnknown])).toEqual([
      [0, true],
      [1, false],
    ]);
    expect(run.floor.ms).toBeLessThanOrEqual(run.time.reading.nowMs());
    await run.end();
  });

  test('is never believed below its floor without an oracle, and says so', async () => {
    const run = await playClock({ ...EPOCH, floorAheadMs: 0, ntpFrom: 0, lieMs: -DAY });
    await run.time.advance(20 * MINUTE);
    expect(run.statements()).toEqual([]);
    expect(run.problems()).toEqual([
      expect.stringContaining('which is in the past of what this gateway knows: it waits for an oracle'),
      'the clock is not synchronised: no statement is signed (its error is unknown)',
    ]);
    await run.end();
  });
});
