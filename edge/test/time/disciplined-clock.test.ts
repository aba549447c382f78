import { ClockSource } from '@gridtokenx/runtime/core';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DisciplinedClock, type NtpReport } from '../../src/domain/time/disciplined-clock.js';
import { sourceProblem } from '../../src/domain/time/words.js';

const FLOOR = Date.UTC(2026, 10, 1);
const TRUE = Date.UTC(2026, 11, 1);
const DAY = 86_400_000;

/** A machine whose clock is wrong by `wrongMs`, at the true time `TRUE` + monotonic time. */
function machine({ wrongMs = 0, hasOracles = true, floorMs = FLOOR } = {}) {
  const time = new VirtualClock({ startAtMs: TRUE + wrongMs });
  const clock = new DisciplinedClock(time, { floorMs: () => floorMs, hasOracles });
  const signed = (errorMs = 40, byMs = 0) =>
    clock.takeSigned({ steadyAtMs: time.monotonicMs(), timeMs: TRUE + time.monotonicMs() + byMs, errorMs });
  const ntp = (stamp: string, errorMs = 10, ageMs = 0) =>
    clock.takeNtp({ source: ClockSource.chrony, stamp, ageMs, errorMs } satisfies NtpReport);
  return { time, clock, signed, ntp, wrongMs: () => clock.nowMs() - TRUE - time.monotonicMs() };
}

describe('the disciplined clock', () => {
  test('shows the floor plus the time that passed before the first source, with an unknown error', async () => {
    const { time, clock } = machine({ wrongMs: -20_000 * DAY });
    await time.advance(5_000);
    expect([clock.nowMs(), clock.uncertaintyMs(), clock.source()]).toEqual([FLOOR + 5_000, null, ClockSource.none]);
    expect([clock.isKnown, clock.earliestMs, clock.hasSource]).toEqual([false, null, false]);
  });

  test('is right from the first signed answer on, and widens by 200 ppm', async () => {
    const { time, clock, signed, wrongMs } = machine({ wrongMs: 40 * DAY });
    signed(40);
    expect([wrongMs(), clock.uncertaintyMs(), clock.source()]).toEqual([0, 41, ClockSource.oracle]);
    await time.advance(1_000_000);
    expect(clock.uncertaintyMs()).toBe(241);
    // A wider answer that agrees is no gain.
    signed(5_000, 3_000);
    expect([wrongMs(), clock.uncertaintyMs()]).toEqual([0, 241]);
    signed(20);
    expect(clock.uncertaintyMs()).toBe(21);
    expect(clock.realDelayUntil(clock.nowMs() + 500)).toBe(500);
    expect(clock.realTimeOf(clock.nowMs() + 500)).toBe(time.nowMs() + 500);
  });

  test('a step of the machine moves nothing; one forward counts as doubt until a source speaks', () => {
    const { time, clock, signed, wrongMs } = machine();
    signed(40);
    time.step(-7_200_000);
    expect([clock.noticeStep(), wrongMs(), clock.uncertaintyMs()]).toEqual([-7_200_000, 0, 41]);
    time.step(3_600_000);
    expect([clock.noticeStep(), clock.noticeStep(), wrongMs(), clock.uncertaintyMs()]).toEqual([
      3_600_000, 0, 0, 3_600_041,
    ]);
    expect(clock.source()).toBe(ClockSource.none);
    signed(30);
    expect([clock.uncertaintyMs(), clock.source()]).toEqual([31, ClockSource.oracle]);
  });

  test('a daemon is heard again after a step once it has synchronised again', () => {
    const { time, clock, ntp, wrongMs } = machine({ hasOracles: false });
    ntp('1');
    expect([wrongMs(), clock.uncertaintyMs(), clock.source()]).toEqual([0, 11, ClockSource.chrony]);
    time.step(7_200_000);
    clock.noticeStep();
    ntp('1');
    expect([wrongMs(), clock.uncertaintyMs()]).toEqual([0, 7_200_011]);
    time.step(-7_200_000);
    clock.noticeStep();
    ntp('2');
    expect([wrongMs(), clock.uncertaintyMs()]).toEqual([0, 11]);
  });

  test('NTP alone is believed when no oracle answered for a minute, and never below the floor', async () => {
    const { time, clock, ntp } = machine();
    ntp('1');
    expect(clock.isKnown).toBe(false);
    await time.advance(59_999);
    expect(clock.isKnown).toBe(false);
    await time.advance(1);
    expect([clock.isKnown, clock.source()]).toEqual([true, ClockSource.chrony]);
    const behind = machine({ wrongMs: -40 * DAY, hasOracles: false });
    behind.ntp('1');
    expect(behind.clock.isKnown).toBe(false);
    expect(sourceProblem(behind.clock)).toContain('says 2026-10-22 00:00:00 (UTC), which is in the past');
  });

  test('signed time wins where NTP differs: the error covers both, and both are named', async () => {
    const { clock, signed, ntp, wrongMs } = machine({ wrongMs: 90_000 });
    signed(40);
    ntp('1');
    expect([wrongMs(), clock.uncertaintyMs(), clock.isKnown]).toEqual([0, 90_051, false]);
    expect(sourceProblem(clock)).toBe(
      "chrony says 2026-12-01 00:01:30 and the oracles' signed time says 2026-12-01 00:00:00 (UTC): the gateway uses the signed time and closes no window, so correct the servers of chrony",
    );
    clock.takeNtp(null);
    expect([clock.uncertaintyMs(), sourceProblem(clock)]).toEqual([41, null]);
  });

  test('a difference within 60 s is covered and no dispute', () => {
    const { clock, signed, ntp, wrongMs } = machine({ wrongMs: 30_000 });
    signed(40);
    ntp('1');
    expect([wrongMs(), clock.uncertaintyMs(), clock.isKnown, clock.dispute]).toEqual([0, 30_051, true, null]);
  });

  test('an error that the field cannot hold is unknown', () => {
    const { clock, signed, ntp, wrongMs } = machine({ wrongMs: 60 * DAY });
    signed(40);
    ntp('1');
    expect([wrongMs(), clock.uncertaintyMs(), clock.hasSource]).toEqual([0, null, true]);
    expect(clock.dispute).not.toBeNull();
  });

  test('an NTP that agrees takes over from signed time that grew old', async () => {
    const { time, clock, signed, ntp } = machine();
    signed(40);
    ntp('1');
    expect(clock.source()).toBe(ClockSource.oracle);
    await time.advance(2 * DAY);
    ntp('2');
    expect([clock.source(), clock.uncertaintyMs()]).toEqual([ClockSource.chrony, 11]);
  });

  test('tokens before the first source use the later of the machine and the floor', () => {
    expect(machine({ wrongMs: 5_000 }).clock.bestMs).toBe(TRUE + 5_000);
    expect(machine({ wrongMs: -20_000 * DAY }).clock.bestMs).toBe(FLOOR);
    const { clock, signed } = machine({ wrongMs: 40 * DAY });
    signed();
    expect(clock.bestMs).toBe(TRUE);
  });
});

/** Anything that can happen to a machine whose oracles are right. */
const happening = fc.oneof(
  fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 7_200_000 }) }),
  fc.record({ kind: fc.constant('step' as const), ms: fc.integer({ min: -400 * DAY, max: 400 * DAY }) }),
  fc.record({ kind: fc.constant('sleep' as const), ms: fc.integer({ min: 2_000, max: 10 * DAY }) }),
  fc.record({
    kind: fc.constant('signed' as const),
    errorMs: fc.integer({ min: 0, max: 2_000 }),
    part: fc.double({ min: -1, max: 1, noNaN: true }),
  }),
  fc.record({ kind: fc.constant('ntp' as const), errorMs: fc.integer({ min: 0, max: 5_000 }) }),
  fc.record({ kind: fc.constant('no ntp' as const) }),
);

test('the stated error holds or is unknown, whatever happens to the machine', () => {
  const world = fc.record({
    wrongMs: fc.integer({ min: -20_000 * DAY, max: 4_000 * DAY }),
    rate: fc.integer({ min: -200, max: 200 }),
  });
  fc.assert(
    fc.property(world, fc.array(happening, { maxLength: 30 }), ({ wrongMs, rate }, happenings) => {
      const time = new VirtualClock({ startAtMs: TRUE + wrongMs });
      const clock = new DisciplinedClock(time, { floorMs: () => FLOOR, hasOracles: true, graceMs: 1e15 });
      let [slept, stamps] = [0, 0];
      const trueMs = () => TRUE + slept + time.monotonicMs() / (1 + rate * 1e-6);
      for (const one of happenings) {
        if (one.kind === 'pass') time.stall(one.ms);
        else if (one.kind === 'step') time.step(one.ms);
        else if (one.kind === 'sleep') {
          // The monotonic clock stands while the machine sleeps; its clock goes on.
          slept += one.ms;
          time.step(one.ms);
        } else if (one.kind === 'signed') {
          const timeMs = trueMs() + one.part * one.errorMs;
          clock.takeSigned({ steadyAtMs: time.monotonicMs(), timeMs, errorMs: one.errorMs });
        } else if (one.kind === 'ntp') {
          // A daemon that is right sets the machine's clock first.
          time.step(trueMs() - time.nowMs());
          clock.noticeStep();
          clock.takeNtp({ source: ClockSource.chrony, stamp: `${stamps++}`, ageMs: 0, errorMs: one.errorMs });
        } else clock.takeNtp(null);
        clock.noticeStep();
        const uncertaintyMs = clock.uncertaintyMs();
        if (uncertaintyMs !== null) expect(Math.abs(clock.nowMs() - trueMs())).toBeLessThanOrEqual(uncertaintyMs + 1);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('while the oracles answer, no lie of NTP makes the stated error false', () => {
  const lies = fc.integer({ min: -3_650 * DAY, max: 3_650 * DAY });
  fc.assert(
    fc.property(fc.array(fc.tuple(lies, fc.integer({ min: 0, max: 900_000 })), { maxLength: 20 }), (told) => {
      const { time, clock, signed, ntp, wrongMs } = machine();
      signed(40);
      for (const [i, [lieMs, waitMs]] of told.entries()) {
        time.stall(waitMs);
        time.step(TRUE + time.monotonicMs() + lieMs - time.nowMs());
        clock.noticeStep();
        signed(40);
        ntp(`${i}`);
        const uncertaintyMs = clock.uncertaintyMs();
        if (uncertaintyMs !== null) expect(Math.abs(wrongMs())).toBeLessThanOrEqual(uncertaintyMs);
        if (Math.abs(lieMs) > 61_000) expect(clock.isKnown).toBe(false);
      }
    }),
  );
});
