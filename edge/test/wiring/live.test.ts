import { describe, expect, test } from 'vitest';
import { GatewayMetrics } from '../../src/adapters/metrics.js';
import { type LiveParts, livenessOf } from '../../src/wiring/live.js';

/** A gateway that polls every 10 s; the test moves its time. */
function gateway(change: Partial<LiveParts> = {}) {
  const state = { nowMs: 1_000, spool: null as string | null };
  const metrics = new GatewayMetrics(() => state.nowMs);
  const look = livenessOf({
    sinceMs: (...names) => metrics.sinceMs(...names),
    upMs: () => state.nowMs - 1_000,
    pollMs: () => 10_000,
    spoolProblem: () => state.spool,
    ...change,
  });
  return { state, metrics, look };
}

describe('a gateway lives', () => {
  test('while it polls, whatever the meters answer', () => {
    const { state, metrics, look } = gateway();
    for (let i = 0; i < 100; i++) {
      state.nowMs += 10_000;
      metrics.add('polls', { meter: 'aa' });
      metrics.add('poll_errors', { meter: 'aa', reason: 'timeout' });
      expect(look()).toEqual({ ok: true, problems: [] });
    }
    state.nowMs += 90_000;
    expect(look().ok).toBe(true);
    state.nowMs += 1;
    expect(look()).toEqual({ ok: false, problems: ['no meter was polled for 90 s'] });
  });

  test('not for ever before its first poll, and without a deadline where it polls nothing', () => {
    const { state, look } = gateway();
    expect(look().ok).toBe(true);
    state.nowMs += 90_001;
    expect(look().ok).toBe(false);
    const idle = gateway({ pollMs: () => null });
    idle.state.nowMs += 1_000_000;
    expect(idle.look().ok).toBe(true);
  });

  test('while it commits: a disk that refuses writes for a minute is named', () => {
    const { state, metrics, look } = gateway();
    const poll = () => metrics.add('polls', { meter: 'aa' });
    metrics.add('readings', { meter: 'aa' });
    state.spool = 'the disk is read-only';
    state.nowMs += 60_000;
    poll();
    expect(look().ok).toBe(true);
    state.nowMs += 1;
    expect(look().problems).toEqual(['nothing was committed for 60 s: the disk is read-only']);
    metrics.add('events', { meter: 'aa' });
    expect(look().ok).toBe(true);
  });
});
