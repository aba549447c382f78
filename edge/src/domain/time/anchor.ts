/** Bound of the monotonic clock's rate error, as a part of the time that passed: 200 ppm, 17 s a day. */
export const DRIFT = 200e-6;

/** A source's statement about the true time, tied to an instant of the monotonic clock. All in ms. */
export interface Anchor {
  /** Monotonic time of the statement. */
  readonly steadyAtMs: number;
  /** The true time at that instant, since 1970. */
  readonly timeMs: number;
  /** Bounds the error of `timeMs` at that instant; at least 0. */
  readonly errorMs: number;
}

/** Returns the time that an anchor states for an instant of the monotonic clock, ms since 1970. */
export function timeAt({ steadyAtMs, timeMs }: Anchor, steadyMs: number): number {
  return timeMs + (steadyMs - steadyAtMs);
}

/** Returns the bound of an anchor's error at an instant of the monotonic clock, ms: it widens by `DRIFT`. */
export function errorAt({ steadyAtMs, errorMs }: Anchor, steadyMs: number): number {
  return errorMs + Math.abs(steadyMs - steadyAtMs) * DRIFT;
}

/** Returns true when both statements can be right at once. */
export function agree(a: Anchor, b: Anchor, steadyMs: number): boolean {
  return Math.abs(timeAt(a, steadyMs) - timeAt(b, steadyMs)) <= errorAt(a, steadyMs) + errorAt(b, steadyMs);
}

/**
 * Returns the median of the oracles' answers at an instant; null without one. With an even number it is the middle of
 * two answers, and half of their difference widens it. The error is the widest one, so that it holds while fewer than
 * half of the answers are wrong, and where one of two is right.
 */
export function medianOf(answers: readonly Anchor[], steadyMs: number): Anchor | null {
  const times = answers.map((answer) => timeAt(answer, steadyMs)).sort((a, b) => a - b);
  const low = times[Math.floor((times.length - 1) / 2)];
  const high = times[Math.floor(times.length / 2)];
  if (low === undefined || high === undefined) return null;
  const widestMs = Math.max(...answers.map((answer) => errorAt(answer, steadyMs)));
  return { steadyAtMs: steadyMs, timeMs: (low + high) / 2, errorMs: widestMs + (high - low) / 2 };
}
