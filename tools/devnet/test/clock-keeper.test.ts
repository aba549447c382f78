import { parseSimulatedClock, positionAt, simulatedNow, WINDOW_MS } from '@gridtokenx/protocol';
import { OperatorError } from '@gridtokenx/runtime/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClockKeeper, type ClockStore, type PlayPlan, RESERVE_AHEAD_MS } from '../src/start/clock-keeper.js';

const START = 1_300_000_500_000 - (1_300_000_500_000 % WINDOW_MS);

class World implements ClockStore {
  text: string | null = null;
  real = 1_790_000_000_000;
  load() {
    return this.text;
  }
  save(text: string) {
    this.text = text;
  }
  open(plan: Partial<PlayPlan> = {}) {
    const full = { profileStartsAtMs: START, profileWindows: 100, windows: 8, speed: 60, ...plan };
    return ClockKeeper.open(this, full, { nowMs: () => this.real });
  }
  /** Returns the time that another process shows from the file alone. */
  shown() {
    const clock = parseSimulatedClock(this.text ?? '');
    const now = simulatedNow(clock, this.real);
    return { now, position: positionAt(clock, now) };
  }
  run(keeper: ClockKeeper, realMs: number, step = 500) {
    for (let left = realMs; left > 0; left -= step) {
      this.real += Math.min(step, left);
      keeper.reserve();
    }
  }
}

describe('the owner of simulated time', () => {
  it('stands still before the profile until it is started', () => {
    const world = new World();
    world.open();
    world.real += 3_600_000;
    expect(world.shown().now).toBeLessThan(START);
    expect(world.shown().position).toBe(0);
  });

  it('holds at the end of the closing window, with the position at the end of the windows asked for', () => {
    const world = new World();
    const keeper = world.open();
    keeper.start();
    world.run(keeper, 10 * 60_000);
    expect(keeper.closed).toBe(true);
    expect(world.shown()).toEqual({ now: START + 9 * WINDOW_MS, position: 8 * WINDOW_MS });
    expect(keeper.closingWindow).toBe(START / WINDOW_MS + 8);
  });

  it('plays window N+1 one window later at the next start', () => {
    const world = new World();
    const first = world.open();
    first.start();
    world.run(first, 10 * 60_000);
    first.stop();
    const second = world.open({ windows: 12 });
    expect(parseSimulatedClock(world.text ?? '').segments.at(-1)).toEqual({
      simStartMs: START + 9 * WINDOW_MS,
      positionStartMs: 8 * WINDOW_MS,
      positionEndMs: 12 * WINDOW_MS,
    });
    expect(second.closingWindow).toBe(START / WINDOW_MS + 9 + 4);
  });

  it('goes on exactly where a clean stop left it', () => {
    const world = new World();
    const first = world.open();
    first.start();
    world.run(first, 20_000);
    const before = world.shown();
    first.stop();
    world.real += 86_400_000;
    expect(world.shown()).toEqual(before);
    const second = world.open();
    expect(world.shown()).toEqual(before);
    second.start();
    expect(world.shown()).toEqual(before);
  });

  it('refuses fewer windows than were played, and more than there are', () => {
    const world = new World();
    const keeper = world.open();
    keeper.start();
    world.run(keeper, 70_000);
    keeper.stop();
    expect(() => world.open({ windows: 2 })).toThrow(OperatorError);
    expect(() => world.open({ windows: 101 })).toThrow(/only 100 windows/);
  });

  it('goes on at speed 1 where it reaches the real clock', () => {
    const world = new World();
    const start = world.real - (world.real % WINDOW_MS) - 2 * WINDOW_MS;
    const keeper = world.open({ profileStartsAtMs: start, windows: null });
    keeper.start();
    world.run(keeper, 120_000);
    expect(world.shown().now).toBe(world.real);
  });

  it('gives one more closing window when asked', () => {
    const world = new World();
    const keeper = world.open();
    keeper.start();
    world.run(keeper, 10 * 60_000);
    keeper.extendClosing();
    expect(keeper.closed).toBe(false);
    world.run(keeper, 60_000);
    expect(world.shown().now).toBe(START + 10 * WINDOW_MS);
  });

  it('never shows a time or position twice lower, whatever is killed when', () => {
    const step = fc.record({ run: fc.integer({ min: 1, max: 90_000 }), kill: fc.boolean(), pause: fc.nat(100_000) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), fc.integer({ min: 1, max: 200 }), (steps, speed) => {
        const world = new World();
        let highest = { now: 0, position: 0 };
        for (const { run, kill, pause } of steps) {
          const keeper = world.open({ speed, windows: 100 });
          keeper.start();
          for (let left = run; left > 0; left -= 500) {
            world.run(keeper, Math.min(500, left));
            const seen = world.shown();
            expect(seen.now).toBeGreaterThanOrEqual(highest.now);
            expect(seen.position).toBeGreaterThanOrEqual(highest.position);
            highest = seen;
          }
          // Killed: the file stays unchanged and others continue to show time up to the reservation.
          if (!kill) keeper.stop();
          world.real += pause;
          const after = world.shown();
          expect(after.now).toBeGreaterThanOrEqual(highest.now);
          highest = after;
        }
      }),
      { numRuns: 60 },
    );
  });

  it('would show time twice without the reservation (control)', () => {
    const world = new World();
    const keeper = world.open();
    keeper.start();
    world.run(keeper, 20_000);
    const clock = parseSimulatedClock(world.text ?? '');
    const unreserved = { ...clock, reservedThroughMs: Number.MAX_SAFE_INTEGER };
    const shownBeforeKill = simulatedNow(unreserved, world.real + 10 * RESERVE_AHEAD_MS);
    world.open();
    expect(world.shown().now).toBeLessThan(shownBeforeKill);
  });
});
