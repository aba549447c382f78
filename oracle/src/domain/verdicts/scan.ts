import {
  equalBytes,
  Kind,
  MerkleBuilder,
  type MeterEvent,
  type MoreValues,
  NO_WINDOW,
  Quality,
  type Reading,
  Reason,
  type Statement,
  shortHash,
  type WindowOrNone,
  windowEndAtMs,
} from '@gridtokenx/protocol';
import { judgePoint } from '../points/points.js';
import type { MeterRecord } from '../ports.js';
import type { Entry, Judgement, ScanContext } from './entry.js';
import type { Gaps } from './gaps.js';
import {
  enrolled,
  fell,
  futureOf,
  readingAboveLimit,
  statementAboveLimit,
  type TimedRegisters,
  type WindowRegisters,
} from './limits.js';
import { judgeEnrolment, judgeKey, judgeTime, suspended } from './single.js';
import { isAccepted, refusedFor, VERIFIED, type Verdict } from './verdict.js';

/**
 * State of the nearest lower payload of kind 1 or 3: its hash, no such payload, declared lost, or still able to arrive.
 */
export type Link = { readonly hash: Uint8Array } | 'first' | 'lost' | 'open';

/** Start of a scan: the start of a stream, or right after a statement. */
export interface ScanStart {
  /** The scan has passed everything up to this seq; 0 at the start. */
  readonly after: bigint;
  readonly link: Link;
  readonly reading: TimedRegisters;
  readonly statement: WindowRegisters;
  /** Highest window of all passed statements, `NO_WINDOW` for none. */
  readonly highestWindow: WindowOrNone;
  /** Messages since the last statement, where the scan begins among them; only above `MAX_RUN`. */
  readonly run?: number;
  /** All seqs up to this seq are accepted or declared. */
  readonly storedThrough: bigint;
}

/**
 * Bounds the messages over which the root between two statements is recomputed (twice a window at one reading a
 * second). Beyond it the statement's root is *not reproducible*. So no scan has to begin further back.
 */
export const MAX_RUN = 2_048;

const NO_PREV = new Uint8Array(16);
const LEAVES_MANY = 65_535;

/** Returns the start of a stream, from the registers at enrolment. */
export function firstStart(meter: MeterRecord): ScanStart {
  return { after: 0n, link: 'first', ...enrolled(meter), highestWindow: NO_WINDOW, storedThrough: 0n };
}

/** Returns the state of a link across the missing seqs `first` to `last`. */
export function linkAcross(link: Link, gaps: Gaps, first: bigint, last: bigint): Link {
  if (last < first) return link;
  const found = gaps.between(first, last);
  return found === 'nothing' ? link : found;
}

/** Returns the highest seq that counts as stored when `stored` does: skips declared gaps. */
export function passGaps(stored: bigint, gaps: Gaps): bigint {
  let at = stored;
  for (let end = gaps.endOf(at + 1n); end !== null; end = gaps.endOf(at + 1n)) at = end;
  return at;
}

/**
 * Judges the messages of one stream in the order of their seqs. A verdict depends only on messages below, on declared
 * gaps, on the lowest equivocating seq and on the registry. It never depends on the order of arrival. So a late message
 * is judged by a new scan that begins below it. Any permutation of the messages gives the same verdicts [wire §9.3].
 */
export class StreamScan {
  #at: bigint;
  #link: Link;
  #reading: TimedRegisters;
  #statement: WindowRegisters;
  #highestWindow: WindowOrNone;
  #storedThrough: bigint;
  /** Readings since the last statement. `#isComplete` is true while no seq between them is missing. */
  #leaves = new MerkleBuilder();
  #isComplete = true;
  #readingSinceStatement = false;
  #run: number;

  constructor(start: ScanStart) {
    this.#at = start.after;
    this.#link = start.link;
    this.#reading = start.reading;
    this.#statement = start.statement;
    this.#highestWindow = start.highestWindow;
    this.#storedThrough = start.storedThrough;
    this.#run = start.run ?? 0;
    if (this.#run > MAX_RUN) this.#isComplete = false;
  }

  /** Highest window of all statements so far, `NO_WINDOW` for none. */
  get highestWindow(): WindowOrNone {
    return this.#highestWindow;
  }

  /** True while every seq so far is accepted or declared. */
  get isAdvancing(): boolean {
    return this.#storedThrough >= this.#at;
  }

  /** Highest seq judged so far. */
  get at(): bigint {
    return this.#at;
  }

  /** Returns the watermark after the judged messages; includes a declared gap above it. */
  storedThrough(context: ScanContext): bigint {
    const passed = passGaps(this.#storedThrough, context.gaps);
    const end = context.suspendedFrom;
    return end !== null && passed >= end ? end - 1n : passed;
  }

  /** Judges the next message. Seqs must not fall; below the suspension they must strictly rise. */
  step(entry: Entry, context: ScanContext): Judgement {
    const { seq } = entry.payload;
    if (context.suspendedFrom !== null && seq >= context.suspendedFrom) {
      this.#at = seq;
      return suspended(entry.contradicted);
    }
    if (seq <= this.#at) throw new RangeError(`seq ${seq} after ${this.#at}: the seqs of a scan must rise`);
    this.#passMissing(seq, context.gaps);
    if (entry.payload.kind !== Kind.statement && ++this.#run > MAX_RUN) this.#isComplete = false;
    const judgement = this.#judge(entry, context);
    this.#advance(seq, judgement.verdict, context.gaps);
    return judgement;
  }

  #passMissing(seq: bigint, gaps: Gaps): void {
    const first = this.#at + 1n;
    if (seq > first) {
      this.#link = linkAcross(this.#link, gaps, first, seq - 1n);
      if (gaps.between(first, seq - 1n) !== 'nothing') this.#isComplete = false;
    }
    this.#at = seq;
  }

  #advance(seq: bigint, verdict: Verdict, gaps: Gaps): void {
    this.#storedThrough = passGaps(this.#storedThrough, gaps);
    if (seq === this.#storedThrough + 1n && isAccepted(verdict.code)) this.#storedThrough = seq;
  }

  #judge(entry: Entry, context: ScanContext): Judgement {
    const { payload } = entry;
    switch (payload.kind) {
      case Kind.reading:
        return this.#judgeReading(payload, entry, context);
      case Kind.statement:
        return this.#judgeStatement(payload, entry, context);
      case Kind.event:
        return this.#judgeEvent(payload, entry, context);
      case Kind.enrolment:
        return {
          verdict: judgeKey(entry, context) ?? judgeEnrolment(payload, context.meter, context.terms),
          isBasis: false,
        };
      case Kind.moreValues:
        return this.#judgeMoreValues(payload, entry, context);
    }
  }

  /** Judges values that are no link of the chain and no leaf of a root: only key and time can be wrong. */
  #judgeMoreValues(values: MoreValues, entry: Entry, context: ScanContext): Judgement {
    const uncertaintyMs = values.timeUncertaintyMs;
    const timeMs = uncertaintyMs === null ? null : Number(values.timeMs);
    const verdict = judgeKey(entry, context) ?? judgeTime(timeMs, uncertaintyMs ?? 0, entry, context);
    return { verdict: verdict ?? VERIFIED, isBasis: false };
  }

  #judgeReading(reading: Reading, entry: Entry, context: ScanContext): Judgement {
    const chain = this.#judgeLink(reading.prev, entry.signed);
    if (this.#isComplete) this.#leaves.add(entry.signed);
    const uncertaintyMs = reading.timeUncertaintyMs;
    const timeMs = uncertaintyMs === null ? null : Number(reading.timeMs);
    const time = judgeKey(entry, context) ?? judgeTime(timeMs, uncertaintyMs ?? 0, entry, context);
    const refuse = (verdict: Verdict): Judgement => ({ verdict, isBasis: false });
    if (time) return refuse(time);
    if (chain?.code === Reason.chainBroken) return refuse(chain);
    // A register that is known not to continue from the last good register claims no rise and is no basis of a rise.
    if ((reading.quality & Quality.discontinuity) !== 0) return refuse(chain ?? VERIFIED);
    const registers = {
      importWh: reading.importWh,
      exportWh: reading.exportWh,
      timeMs,
      uncertaintyMs: uncertaintyMs ?? 0,
    };
    if (fell(this.#reading, registers)) return refuse(refusedFor(Reason.registerFell));
    if (readingAboveLimit(context.meter, this.#reading, registers)) {
      return refuse(refusedFor(Reason.abovePhysicalLimit));
    }
    this.#reading = registers;
    this.#readingSinceStatement = true;
    return { verdict: chain ?? VERIFIED, isBasis: true };
  }

  #judgeEvent(event: MeterEvent, entry: Entry, context: ScanContext): Judgement {
    const chain = this.#judgeLink(event.prev, entry.signed);
    const isDated = (event.quality & Quality.unsynchronised) === 0;
    const time = judgeKey(entry, context) ?? judgeTime(isDated ? Number(event.timeMs) : null, 0, entry, context);
    return { verdict: time ?? chain ?? VERIFIED, isBasis: false };
  }

  /**
   * Returns null when `prev` is right or cannot be checked. The message becomes the predecessor of the next message.
   */
  #judgeLink(prev: Uint8Array, signed: Uint8Array): Verdict | null {
    const link = this.#link;
    this.#link = { hash: shortHash(signed) };
    if (link === 'lost') return null;
    if (link === 'open') return refusedFor(Reason.predecessorPending);
    return equalBytes(prev, link === 'first' ? NO_PREV : link.hash) ? null : refusedFor(Reason.chainBroken);
  }

  #judgeStatement(statement: Statement, entry: Entry, context: ScanContext): Judgement {
    const note = this.#judgeRoot(statement);
    const isRising = statement.window > this.#highestWindow;
    if (isRising) this.#highestWindow = statement.window;
    const refuse = (verdict: Verdict): Judgement => ({ verdict, isBasis: false });
    const key = judgeKey(entry, context);
    if (key) return refuse(key);
    const future = futureOf(windowEndAtMs(statement.window), entry.arrivedAtMs, context.nowMs);
    if (future === 'far') return refuse(refusedFor(Reason.farFuture));
    if (future === 'ahead') return refuse(refusedFor(Reason.fromTheFuture));
    if (statement.window < context.meter.enrolmentWindow) {
      return refuse(refusedFor(Reason.beforeEnrolment, entry.registryIsNewer));
    }
    if (!isRising) return refuse(refusedFor(Reason.windowNotRising));
    if ((statement.quality & Quality.discontinuity) !== 0) return refuse(note ?? VERIFIED);
    if (fell(this.#statement, statement)) return refuse(refusedFor(Reason.registerFell));
    if (statementAboveLimit(context.meter, this.#statement, statement)) {
      return refuse(refusedFor(Reason.abovePhysicalLimit));
    }
    if (note?.code === Reason.rootMismatch) return refuse(note);
    const derivation = judgePoint(context.point, this.#statement, statement);
    if (derivation) return refuse(derivation);
    this.#statement = { window: statement.window, importWh: statement.importWh, exportWh: statement.exportWh };
    return { verdict: note ?? VERIFIED, isBasis: true };
  }

  /**
   * Returns null when the root is that of the readings since the last statement, which then begin again [wire §9.8].
   */
  #judgeRoot(statement: Statement): Verdict | null {
    const leaves = this.#leaves;
    const isComplete = this.#isComplete;
    const hasReading = this.#readingSinceStatement;
    this.#leaves = new MerkleBuilder();
    this.#isComplete = true;
    this.#readingSinceStatement = false;
    this.#run = 0;
    if (!isComplete) return refusedFor(Reason.rootNotReproducible);
    const isSame =
      Math.min(leaves.count, LEAVES_MANY) === statement.readingCount &&
      equalBytes(leaves.root(), statement.readingsRoot) &&
      // The newest covered reading has the highest registers: a statement above it claims energy that no reading shows.
      !(hasReading && (statement.quality & Quality.discontinuity) === 0 && fell(statement, this.#reading));
    return isSame ? null : refusedFor(Reason.rootMismatch);
  }
}
