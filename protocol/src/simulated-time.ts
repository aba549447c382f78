import { parseJson } from './json.js';
import { WINDOW_MS } from './units.js';

/**
 * The reading clock that simulators, gateways and oracle share [wire §10.1]. It drives readings and windows only; sign-in,
 * time-outs, back-off and the chain use real time. The launcher writes it to a file and raises `reservedThroughMs` durably. So
 * no process shows simulated time that a restart could show again (as seq is reserved before its use). All times are
 * milliseconds since 1970; `speed` is simulated seconds per real second.
 */
export interface SimulatedClock {
  readonly version: 1;
  readonly speed: number;
  readonly anchorSimMs: number;
  readonly anchorRealMs: number;
  /** Bound at which simulated time stops until the launcher reserves more. */
  readonly reservedThroughMs: number;
  /** Spans in which the profile is played, in order, not overlapping. Between them every simulated meter has zero power. */
  readonly segments: readonly SimulatedSegment[];
}

/** From `simStartMs` on, the profile is played from `positionStartMs` until `positionEndMs` (null: to its end). */
export interface SimulatedSegment {
  readonly simStartMs: number;
  readonly positionStartMs: number;
  readonly positionEndMs: number | null;
}

/**
 * Returns simulated time at a real instant. It never runs ahead of real time: there it continues at speed 1, which `min` with
 * the real clock gives.
 */
export function simulatedNow(clock: SimulatedClock, realNowMs: number): number {
  const elapsed = Math.max(0, realNowMs - clock.anchorRealMs);
  const running = clock.anchorSimMs + Math.floor(elapsed * clock.speed);
  return Math.min(running, Math.max(realNowMs, clock.anchorSimMs), clock.reservedThroughMs);
}

/** Returns the real instant at which simulated time reaches `simMs`, if it runs until then. */
export function realTimeOf(clock: SimulatedClock, simMs: number): number {
  const running = clock.anchorRealMs + (simMs - clock.anchorSimMs) / clock.speed;
  return Math.ceil(Math.max(running, simMs));
}

/** Returns the milliseconds of the profile that were played until a simulated instant. Never falls as time passes. */
export function positionAt(clock: SimulatedClock, simMs: number): number {
  let position = 0;
  for (const segment of clock.segments) {
    if (simMs < segment.simStartMs) break;
    const played = segment.positionStartMs + (simMs - segment.simStartMs);
    position = segment.positionEndMs === null ? played : Math.min(played, segment.positionEndMs);
  }
  return position;
}

function fail(detail: string): never {
  throw new RangeError(`simulated clock: ${detail}`);
}

function objectOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) fail(`${what} is no object`);
  return value as Record<string, unknown>;
}

function finite(record: Record<string, unknown>, key: string): number {
  const value = record[key];
  if (typeof value !== 'number' || !Number.isFinite(value)) fail(`${key} is not a number`);
  return value;
}

/** Checks the content of the clock's file. Throws `RangeError` that names the key. */
export function parseSimulatedClock(text: string): SimulatedClock {
  const record = objectOf(parseJson(text), 'the content');
  if (record.version !== 1) fail(`version ${String(record.version)}, expected 1`);
  if (!Array.isArray(record.segments)) fail('segments is not a list');
  const speed = finite(record, 'speed');
  if (speed <= 0) fail(`speed ${speed} is not above 0`);
  const segments = record.segments.map((value: unknown) => {
    const entry = objectOf(value, 'a segment');
    return {
      simStartMs: finite(entry, 'simStartMs'),
      positionStartMs: finite(entry, 'positionStartMs'),
      positionEndMs: entry.positionEndMs === null ? null : finite(entry, 'positionEndMs'),
    };
  });
  for (const [i, segment] of segments.entries()) {
    const before = segments[i - 1];
    if (segment.simStartMs % WINDOW_MS !== segment.positionStartMs % WINDOW_MS) {
      fail('a segment does not keep profile and window boundaries together');
    }
    if (before && before.simStartMs >= segment.simStartMs) fail('segments are not in order');
  }
  return {
    version: 1,
    speed,
    anchorSimMs: finite(record, 'anchorSimMs'),
    anchorRealMs: finite(record, 'anchorRealMs'),
    reservedThroughMs: finite(record, 'reservedThroughMs'),
    segments,
  };
}
