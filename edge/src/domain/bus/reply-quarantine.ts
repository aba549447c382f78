/** Bounds of the quarantine after a time-out; the largest applies. */
export interface ShapeRules {
  /** Lower bound, ms (profile). */
  readonly quarantineMs: number;
  /** Lower bound, in multiples of the largest time-out of the last hour. */
  readonly quarantineTimeouts: number;
}

export const QUARANTINE_TIMEOUTS = 12;
/** Rules without a bound in ms: units add those of their profiles. */
export const USUAL_RULES: ShapeRules = { quarantineMs: 0, quarantineTimeouts: QUARANTINE_TIMEOUTS };
/** Lower bound, in multiples of the longest lateness. */
const LATENESS_FACTOR = 2;
/** Lateness lengthens the quarantine up to this bound, ms: nothing that answers later can be read at all. */
const MAX_QUARANTINE_MS = 600_000;
const HOUR_MS = 3_600_000;
/** Memory of a use, ms: it distinguishes a late answer from a second master's. */
const MEMORY_MS = 900_000;
export const MAX_OUTSTANDING = 4;

interface Use {
  readonly sentAtMs: number;
  readonly timeoutMs: number;
  /** True when the use ended without an answer, which may still come. */
  outstanding: boolean;
  /** Instant before which the shape is not sent again. */
  heldUntilMs: number;
  endedAtMs: number;
}

interface UnitHistory {
  /** Lower bound of this unit's quarantine, ms (profile). */
  leastMs: number;
  readonly uses: Map<number, Use>;
  /** Shape of the last request to this unit; -1 before the first. */
  last: number;
  latenessMs: number;
  /** Instant of the last late answer. */
  lastLateAtMs: number;
  readonly timeouts: { atMs: number; timeoutMs: number }[];
  /** Functions requested, with the instant until which an exception may answer them. */
  readonly functions: Map<number, number>;
}

const key = (fn: number, bytes: number) => fn * 256 + bytes;

/**
 * Decides which reply shapes (function and byte count, for each unit) may be requested. The shape alone identifies an
 * RTU reply, so a shape rests while an answer to its last use could still come [gateway §6.2]. All times are of one
 * monotonic clock, in ms. A new connection changes nothing: a converter or a meter may still hold an answer.
 */
export class ReplyQuarantine {
  readonly #rules: ShapeRules;
  readonly #units = new Map<number, UnitHistory>();

  constructor(rules: ShapeRules) {
    this.#rules = rules;
  }

  /** Returns the lower bound of every unit's quarantine, ms. */
  get leastMs(): number {
    return this.#rules.quarantineMs;
  }

  /** Sets the lower bound of a unit's quarantine, ms (profile). */
  limit(unit: number, leastMs: number): void {
    this.#history(unit).leastMs = leastMs;
  }

  /** Returns true when this shape may be sent now. */
  mayUse(unit: number, fn: number, bytes: number, nowMs: number): boolean {
    return this.freeAt(unit, fn, bytes, nowMs) <= nowMs;
  }

  /**
   * Returns the instant from which this shape may be sent. A shape is never sent in two consecutive requests; a meter
   * with a single shape waits as long as after a time-out.
   */
  freeAt(unit: number, fn: number, bytes: number, nowMs: number): number {
    const quarantine = this.#history(unit);
    const shape = key(fn, bytes);
    const use = quarantine.uses.get(shape);
    const rest = this.#restUntil(quarantine, nowMs);
    if (!use) return rest;
    const again = quarantine.last === shape ? use.endedAtMs + this.quarantineMs(unit) : 0;
    return Math.max(rest, use.heldUntilMs, again);
  }

  /** Records a request that is sent now, with its time-out. */
  onRequest(unit: number, fn: number, bytes: number, nowMs: number, timeoutMs: number): void {
    const quarantine = this.#history(unit);
    const shape = key(fn, bytes);
    quarantine.last = shape;
    quarantine.uses.set(shape, {
      sentAtMs: nowMs,
      timeoutMs,
      outstanding: false,
      heldUntilMs: Number.POSITIVE_INFINITY,
      endedAtMs: nowMs,
    });
    // Keeps the maximum of the last hour first: a larger time-out removes the smaller ones before it.
    while ((quarantine.timeouts.at(-1)?.timeoutMs ?? Number.POSITIVE_INFINITY) <= timeoutMs) quarantine.timeouts.pop();
    quarantine.timeouts.push({ atMs: nowMs, timeoutMs });
    while (quarantine.timeouts.length > 1 && (quarantine.timeouts[0] as { atMs: number }).atMs < nowMs - HOUR_MS)
      quarantine.timeouts.shift();
  }

  /** Records an answer in time. The meter may send it once more. */
  onReply(unit: number, fn: number, bytes: number, nowMs: number): void {
    const use = this.#history(unit).uses.get(key(fn, bytes));
    this.#end(unit, fn, bytes, nowMs, false, use?.timeoutMs ?? 0);
  }

  /** Records an exception, which does not identify its request: the answer may still come. */
  onException(unit: number, fn: number, bytes: number, nowMs: number): void {
    this.#end(unit, fn, bytes, nowMs, false, this.quarantineMs(unit));
  }

  /** Records a request without a usable answer. */
  onTimeout(unit: number, fn: number, bytes: number, nowMs: number): void {
    this.#end(unit, fn, bytes, nowMs, true, this.quarantineMs(unit));
  }

  /** Returns the quarantine of this unit's shapes after a time-out, ms. */
  quarantineMs(unit: number): number {
    const quarantine = this.#history(unit);
    const late = Math.min(MAX_QUARANTINE_MS, LATENESS_FACTOR * quarantine.latenessMs);
    const { quarantineMs, quarantineTimeouts } = this.#rules;
    return Math.max(quarantineMs, quarantine.leastMs, quarantineTimeouts * this.#largestTimeout(quarantine), late);
  }

  /** Counts the requests of a unit (and function) whose answers may still come. */
  outstanding(unit: number, nowMs: number, fn?: number): number {
    let count = 0;
    for (const [shape, use] of this.#history(unit).uses) {
      if (use.outstanding && use.heldUntilMs > nowMs && (fn === undefined || shape >> 8 === fn)) count++;
    }
    return count;
  }

  /**
   * Classifies a reply without a request in flight: `late` or `repeat` for one of ours, or `foreign`. A late reply
   * lengthens the quarantine and frees no shape: it may come twice.
   */
  classifyUnsolicited(unit: number, fn: number, bytes: number, nowMs: number): 'late' | 'repeat' | 'foreign' {
    const quarantine = this.#units.get(unit);
    const use = quarantine?.uses.get(key(fn, bytes));
    if (!quarantine || !use || use.endedAtMs < nowMs - MEMORY_MS) return 'foreign';
    const lateness = nowMs - use.sentAtMs;
    if (lateness > quarantine.latenessMs) {
      quarantine.latenessMs = lateness;
      if (use.heldUntilMs > nowMs) use.heldUntilMs = Math.max(use.heldUntilMs, use.endedAtMs + this.quarantineMs(unit));
    }
    if (!use.outstanding) return 'repeat';
    quarantine.lastLateAtMs = nowMs;
    return 'late';
  }

  /** Returns true when an exception of this unit and function may still answer one of our requests. */
  wasAsked(unit: number, fn: number, nowMs: number): boolean {
    const until = this.#units.get(unit)?.functions.get(fn);
    return until !== undefined && until > nowMs;
  }

  /** Returns the longest time from a request to its late answer, ms; 0 when no answer was late. */
  longestLatenessMs(unit: number): number {
    return this.#units.get(unit)?.latenessMs ?? 0;
  }

  /** Returns the instant of this unit's last late answer, monotonic ms; -Infinity when no answer was late. */
  lastLateAtMs(unit: number): number {
    return this.#units.get(unit)?.lastLateAtMs ?? Number.NEGATIVE_INFINITY;
  }

  #end(unit: number, fn: number, bytes: number, nowMs: number, outstanding: boolean, holdMs: number): void {
    const quarantine = this.#history(unit);
    const use = quarantine.uses.get(key(fn, bytes));
    if (!use) return;
    use.outstanding = outstanding;
    use.endedAtMs = nowMs;
    use.heldUntilMs = nowMs + holdMs;
    quarantine.functions.set(fn, Math.max(quarantine.functions.get(fn) ?? 0, nowMs + this.quarantineMs(unit)));
  }

  /** Returns the instant at which fewer than `MAX_OUTSTANDING` answers can still come; 0 when that is so now. */
  #restUntil(quarantine: UnitHistory, nowMs: number): number {
    const held: number[] = [];
    for (const { outstanding, heldUntilMs } of quarantine.uses.values())
      if (outstanding && heldUntilMs > nowMs) held.push(heldUntilMs);
    return held.length < MAX_OUTSTANDING ? 0 : (held.sort((a, b) => a - b)[held.length - MAX_OUTSTANDING] as number);
  }

  #largestTimeout(quarantine: UnitHistory): number {
    return quarantine.timeouts[0]?.timeoutMs ?? 0;
  }

  #history(unit: number): UnitHistory {
    let quarantine = this.#units.get(unit);
    if (!quarantine) {
      quarantine = {
        leastMs: 0,
        uses: new Map(),
        last: -1,
        latenessMs: 0,
        lastLateAtMs: Number.NEGATIVE_INFINITY,
        timeouts: [],
        functions: new Map(),
      };
      this.#units.set(unit, quarantine);
    }
    return quarantine;
  }
}
