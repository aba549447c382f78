/** Limits by which shapes come free again. Milliseconds. */
export interface ShapeRules {
  /** After a time-out, at least this long (profile). */
  readonly quarantineMs: number;
  /** ... at least so many of the largest time-out in use during the last hour ... */
  readonly quarantineTimeouts: number;
}

export const QUARANTINE_TIMEOUTS = 12;
/** Units add what their profiles ask for. */
export const USUAL_RULES: ShapeRules = { quarantineMs: 0, quarantineTimeouts: QUARANTINE_TIMEOUTS };
/** ... and so many of the longest lateness that was seen. */
const LATENESS_FACTOR = 2;
/** Lateness beyond this does not lengthen the quarantine any more; nothing that answers so late can be read at all. */
const MAX_QUARANTINE_MS = 600_000;
const HOUR_MS = 3_600_000;
/** Uses are remembered this long, to tell a late answer from another master's. */
const MEMORY_MS = 900_000;
export const MAX_OUTSTANDING = 4;

interface Use {
  readonly sentAtMs: number;
  readonly timeoutMs: number;
  /** It ended without an answer, which may still come. */
  outstanding: boolean;
  /** Not to be sent again before. */
  heldUntilMs: number;
  endedAtMs: number;
}

interface UnitHistory {
  /** Least quarantine of this very unit (profile), ms. */
  leastMs: number;
  readonly uses: Map<number, Use>;
  /** Shape of the last request to this unit. */
  last: number;
  latenessMs: number;
  /** When an answer last came that nobody waited for any more. */
  lastLateAtMs: number;
  readonly timeouts: { atMs: number; timeoutMs: number }[];
  /** Functions asked, with the time until which their answers are expected. */
  readonly functions: Map<number, number>;
}

const key = (fn: number, bytes: number) => fn * 256 + bytes;

/**
 * Which reply shapes (function and byte count, for each unit) may be asked for. A shape is all that tells one RTU reply
 * from another, so none is sent again while an answer to its last use could still come [gateway §6.2].
 * All times are of one monotonic clock, in milliseconds. A new connection changes nothing: a converter or a meter may
 * still hold an answer.
 */
export class ReplyQuarantine {
  readonly #rules: ShapeRules;
  readonly #units = new Map<number, UnitHistory>();

  constructor(rules: ShapeRules) {
    this.#rules = rules;
  }

  /** The least quarantine of every unit, ms. */
  get leastMs(): number {
    return this.#rules.quarantineMs;
  }

  /** The least quarantine of a unit, by its profile, ms. */
  limit(unit: number, leastMs: number): void {
    this.#history(unit).leastMs = leastMs;
  }

  /** Whether this shape may be sent now. */
  mayUse(unit: number, fn: number, bytes: number, nowMs: number): boolean {
    return this.freeAt(unit, fn, bytes, nowMs) <= nowMs;
  }

  /**
   * When this shape may be sent next. Never in two consecutive requests; a meter that has one shape only waits as long as
   * after a time-out instead.
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

  /** Time-out in force of a request that is sent now. */
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
    // The largest time-out of the last hour: rising ones push out smaller ones before them.
    while ((quarantine.timeouts.at(-1)?.timeoutMs ?? Number.POSITIVE_INFINITY) <= timeoutMs) quarantine.timeouts.pop();
    quarantine.timeouts.push({ atMs: nowMs, timeoutMs });
    while (quarantine.timeouts.length > 1 && (quarantine.timeouts[0] as { atMs: number }).atMs < nowMs - HOUR_MS)
      quarantine.timeouts.shift();
  }

  /** The answer came in time. It may come once more. */
  onReply(unit: number, fn: number, bytes: number, nowMs: number): void {
    const use = this.#history(unit).uses.get(key(fn, bytes));
    this.#end(unit, fn, bytes, nowMs, false, use?.timeoutMs ?? 0);
  }

  /** An exception came, which says nothing about what it belongs to: the answer may still come. */
  onException(unit: number, fn: number, bytes: number, nowMs: number): void {
    this.#end(unit, fn, bytes, nowMs, false, this.quarantineMs(unit));
  }

  /** No answer that could be used. */
  onTimeout(unit: number, fn: number, bytes: number, nowMs: number): void {
    this.#end(unit, fn, bytes, nowMs, true, this.quarantineMs(unit));
  }

  /** How long a shape of this unit is kept back after a time-out. */
  quarantineMs(unit: number): number {
    const quarantine = this.#history(unit);
    const late = Math.min(MAX_QUARANTINE_MS, LATENESS_FACTOR * quarantine.latenessMs);
    const { quarantineMs, quarantineTimeouts } = this.#rules;
    return Math.max(quarantineMs, quarantine.leastMs, quarantineTimeouts * this.#largestTimeout(quarantine), late);
  }

  /** Requests of a unit (and function) whose answers may still come. */
  outstanding(unit: number, nowMs: number, fn?: number): number {
    let count = 0;
    for (const [shape, use] of this.#history(unit).uses) {
      if (use.outstanding && use.heldUntilMs > nowMs && (fn === undefined || shape >> 8 === fn)) count++;
    }
    return count;
  }

  /**
   * What an answer is that nobody waits for: `late` or `repeat` of one of ours, or `foreign`. A late one lengthens the
   * quarantine, and frees nothing: it may come twice.
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

  /** Whether this unit was asked with this function lately enough for an exception to be an answer to us. */
  wasAsked(unit: number, fn: number, nowMs: number): boolean {
    const until = this.#units.get(unit)?.functions.get(fn);
    return until !== undefined && until > nowMs;
  }

  /** Longest time from a request to an answer that came too late, ms; 0 = none was seen. */
  longestLatenessMs(unit: number): number {
    return this.#units.get(unit)?.latenessMs ?? 0;
  }

  /** When a late answer of this unit was last heard, monotonic ms; before all times if none was. */
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

  /** With too many answers outstanding the unit rests until one of them can no longer come. */
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
