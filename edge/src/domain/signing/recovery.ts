import {
  type Enrolment,
  EventCode,
  GapReason,
  Kind,
  type MeterEvent,
  type MeterId,
  Quality,
  type Reading,
  type RegisterPair,
  type Statement,
  shortHash,
  type Window,
  windowStartAtMs,
} from '@gridtokenx/protocol';
import { knownTimeMs, type TimedRegisters } from '../metering/registers.js';
import { type SeqRun, SeqRuns } from '../seq-runs.js';
import { contentOf, headOf, type SignedMessage } from '../signed-message.js';
import { DiscontinuityReason } from './discontinuity.js';
import type { MeterState } from './meter-state.js';
import { OpenSpan } from './open-span.js';
import { decodeSnapshot, encodeSnapshot } from './recovery-snapshot.js';

/** Statements of a meter that a derived point may need, at most: 30 days of windows. */
const MAX_INPUTS = 2_880;
/** Width of a gap, in seqs, above which it was not declared for single refused messages. */
const WIDEST_REFUSED = 100_000;

/** A statement with the payload that holds it. */
export interface FoundStatement {
  readonly payload: Uint8Array;
  readonly statement: Statement;
}

/** Holds what the spool shows of one meter. Its size does not depend on the number of records. */
export interface RecoveredMeter {
  readonly highestSeq: bigint;
  /** Hash of the newest payload of kind 1 or 3 by the key in force; zero for none. */
  readonly prev: Uint8Array;
  /** First seq that belongs to the key in force, but for its enrolment; 1 for the first key. */
  readonly keyFrom: number;
  readonly lastStatement: Statement | null;
  /** Statements that a derived point may still need, windows rising. */
  readonly inputs: readonly Statement[];
  /** The readings after that statement. */
  readonly open: OpenSpan;
  /** The highest registers that were signed as good; null for none. */
  readonly lastGood: TimedRegisters | null;
  readonly enrolment: { readonly message: SignedMessage; readonly payload: Enrolment } | null;
  /** The gaps that were declared, in seq order of their events. */
  readonly declared: readonly DeclaredGap[];
  /** Seqs that a gap declares as refused. */
  readonly refused: SeqRuns;
  /** Holds the content of a lost state file, as far as the messages show it. */
  readonly trace: StateTrace;
}

/** Holds the parts of a state file that the messages of its key show. */
export interface StateTrace {
  /** Highest count of boots. */
  boots: number;
  /** The event that began a discontinuity which has not ended; null without one. */
  broken: { readonly reason: DiscontinuityReason; readonly lastGood: RegisterPair } | null;
  /** Detail of the event that began a doubt which has not ended; null without one. */
  doubt: DiscontinuityReason | null;
  /** Seqs that were signed on a restored image, or that it lacked. */
  readonly restored: SeqRuns;
}

/** Seqs from `first` to `last` that event 2 with the seq `event` declares. */
export interface DeclaredGap extends SeqRun {
  readonly event: number;
}

/** The state of the scan of one meter. */
export interface MeterScan {
  highestSeq: bigint;
  /** Payload of the newest message of kind 1 or 3. */
  newest: Uint8Array | null;
  prevSeq: bigint;
  keyFrom: number;
  last: FoundStatement | null;
  /** Readings up to this seq belong to a statement, or to a time before a restored image. */
  floor: number;
  inputs: FoundStatement[];
  open: OpenSpan;
  lastGood: TimedRegisters | null;
  enrolment: RecoveredMeter['enrolment'];
  readonly declared: DeclaredGap[];
  readonly refused: SeqRuns;
  readonly trace: StateTrace;
}

export interface RecoveryOptions {
  /** Returns the first window whose statements a derived point may need; undefined without a point. */
  readonly inputsFrom?: (meterId: MeterId) => Window | undefined;
  /** Returns the seq up to which readings are certainly not open, by the meter's state file. */
  readonly floor?: (meterId: MeterId) => bigint;
}

/** Returns the seq up to which no reading is open, by a state file. */
export function openFloor({ statement, discarded }: MeterState): bigint {
  let floor = statement === null ? 0n : headOf(statement).seq;
  for (const { last } of discarded) if (last > floor) floor = last;
  return floor;
}

/**
 * Gathers, record by record, what each meter needs to continue. At a start, statements and events come before readings;
 * within one stream seqs of a meter rise. During the run each committed message comes in its turn, so that a snapshot
 * spares the next start the records so far.
 */
export class RecoveryScan {
  #meters = new Map<MeterId, MeterScan>();
  readonly #options: RecoveryOptions;

  constructor(options: RecoveryOptions = {}) {
    this.#options = options;
  }

  visit(message: SignedMessage): void {
    const payload = contentOf(message);
    // A record with a valid CRC was written by this software. Kinds of another version are ignored.
    if (!payload) return;
    // Copied: the message may be a part of a whole segment.
    const bytes = message.payload.slice();
    const meter = this.#meter(message.meterId);
    if (payload.seq > meter.highestSeq) meter.highestSeq = payload.seq;
    if ((payload.kind === Kind.reading || payload.kind === Kind.event) && payload.seq > meter.prevSeq) {
      meter.prevSeq = payload.seq;
      meter.newest = bytes;
    }
    if (payload.kind === Kind.reading || payload.kind === Kind.event)
      meter.trace.boots = Math.max(meter.trace.boots, payload.bootCount);
    if (payload.kind === Kind.statement)
      this.#statement(meter, message.meterId, { payload: bytes, statement: payload });
    else if (payload.kind === Kind.event) this.#event(meter, payload);
    else if (payload.kind === Kind.enrolment && payload.keyEpoch > (meter.enrolment?.payload.keyEpoch ?? -1))
      meter.enrolment = { message: { ...message, payload: bytes, bytes: message.bytes.slice() }, payload };
    else if (payload.kind === Kind.reading) this.#reading(meter, payload, bytes);
  }

  /** Returns everything so far as text, of which `restore` makes the same. */
  snapshot(): string {
    return encodeSnapshot(this.#meters);
  }

  /**
   * Continues from a snapshot. Returns false, without an effect, where it is none, or where a state file says that some
   * of its open readings are not open: then all records are visited again.
   */
  restore(text: string): boolean {
    const meters = decodeSnapshot(text);
    if (!meters) return false;
    for (const [id, meter] of meters) {
      const floor = Number(this.#options.floor?.(id) ?? 0n);
      if (floor <= meter.floor) continue;
      if (floor < meter.open.through && meter.open.merkle.count > 0) return false;
      meter.floor = floor;
      meter.open = new OpenSpan();
    }
    this.#meters = meters;
    return true;
  }

  /** Returns what the spool shows of a meter; a meter without records starts from nothing. */
  result(meterId: MeterId): RecoveredMeter {
    const { last, inputs, enrolment, lastGood, newest, ...meter } = this.#meter(meterId);
    const from = this.#options.inputsFrom?.(meterId);
    const needed = inputs.filter(({ statement }) => from !== undefined && statement.window >= from);
    const good = { lastGood };
    if (last) rememberGood(good, ofWindow(last.statement, last.statement.timeUncertaintyMs));
    if (enrolment) rememberGood(good, ofWindow(enrolment.payload, 0));
    return {
      ...meter,
      declared: [...meter.declared],
      enrolment,
      prev: newest ? shortHash(newest) : new Uint8Array(16),
      inputs: needed.map(({ statement }) => statement).sort((a, b) => a.window - b.window),
      lastStatement: last?.statement ?? null,
      ...good,
    };
  }

  #meter(id: MeterId): MeterScan {
    let meter = this.#meters.get(id);
    if (!meter) {
      meter = freshScan(Number(this.#options.floor?.(id) ?? 0n));
      this.#meters.set(id, meter);
    }
    return meter;
  }

  #statement(meter: MeterScan, id: MeterId, found: FoundStatement): void {
    const { window, seq } = found.statement;
    const from = this.#options.inputsFrom?.(id);
    if (from !== undefined && window >= from) {
      meter.inputs = meter.inputs.filter(({ statement }) => statement.window >= from);
      meter.inputs.push(found);
      if (meter.inputs.length > MAX_INPUTS) meter.inputs.shift();
    }
    if (meter.last && window <= meter.last.statement.window) return;
    meter.last = found;
    if (Number(seq) <= meter.floor) return;
    meter.floor = Number(seq);
    meter.open = new OpenSpan();
  }

  #event(meter: MeterScan, event: MeterEvent): void {
    if (event.code === EventCode.registerDiscontinuity) traceRegisters(meter.trace, event);
    if (event.code === EventCode.keyChanged) {
      // The next key begins a chain of its own, and covers no reading of this one.
      meter.keyFrom = Number(event.seq) + 1;
      meter.newest = null;
      meter.floor = Math.max(meter.floor, Number(event.seq));
      meter.open = new OpenSpan();
    }
    if (event.code !== EventCode.gap || event.detail === 0) return;
    const first = Number(event.value);
    const last = first + event.detail - 1;
    const newest = meter.declared.at(-1)?.event ?? 0;
    // A second copy of the same event comes after a write that failed.
    if (Number(event.seq) > newest) meter.declared.push({ event: Number(event.seq), first, last });
    if (event.data[0] === GapReason.refused && last - first <= WIDEST_REFUSED) meter.refused.addRun(first, last);
    if (event.data[0] === GapReason.restored) meter.trace.restored.addRun(first, last);
  }

  #reading(meter: MeterScan, reading: Reading, payload: Uint8Array): void {
    const good = (reading.quality & Quality.discontinuity) === 0;
    const uncertaintyMs = reading.timeUncertaintyMs;
    const timeMs = knownTimeMs({ timeMs: Number(reading.timeMs), uncertaintyMs });
    const moment = { timeMs, uncertaintyMs: uncertaintyMs ?? 0, steadyMs: null };
    if (good) rememberGood(meter, { ...registersOf(reading), ...moment });
    if (Number(reading.seq) > meter.floor) meter.open.add(reading, payload);
  }
}

export function freshScan(floor: number): MeterScan {
  return {
    ...{ highestSeq: 0n, newest: null, prevSeq: 0n, keyFrom: 1, last: null, floor, inputs: [], open: new OpenSpan() },
    ...{ lastGood: null, enrolment: null, declared: [], refused: new SeqRuns() },
    trace: { boots: 0, broken: null, doubt: null, restored: new SeqRuns() },
  };
}

/** Follows doubts and discontinuities, of which each begins and ends with event 5 [numbers §4.3]. */
function traceRegisters(trace: StateTrace, { detail, value, data }: MeterEvent): void {
  const { fell, anotherMeter, over, accepted } = DiscontinuityReason;
  const reason = Object.values(DiscontinuityReason).find((one) => one === detail);
  if (reason === undefined) return;
  trace.doubt = null;
  if (reason === over || reason === accepted) trace.broken = null;
  else if (reason !== fell && reason !== anotherMeter) trace.doubt = reason;
  else {
    const importWh = new DataView(data.buffer, data.byteOffset, data.byteLength).getBigUint64(0, true);
    trace.broken = { reason, lastGood: { importWh, exportWh: value } };
  }
}

/** Keeps the higher registers: signed registers never fall, so they are the later ones. */
function rememberGood(meter: { lastGood: TimedRegisters | null }, found: TimedRegisters): void {
  const { lastGood } = meter;
  if (lastGood && found.importWh + found.exportWh < lastGood.importWh + lastGood.exportWh) {
    meter.lastGood = notOlder(lastGood, found);
    return;
  }
  const dated = lastGood ? notOlder(found, lastGood) : found;
  const isLater = !lastGood?.timeMs || (dated.timeMs !== null && dated.timeMs >= lastGood.timeMs);
  const isHigher = !lastGood || found.importWh > lastGood.importWh || found.exportWh > lastGood.exportWh;
  if (isHigher || isLater) meter.lastGood = dated;
}

/** Dates registers of an unknown time by lower ones, which are not later: that bounds the time since. */
function notOlder(registers: TimedRegisters, than: TimedRegisters): TimedRegisters {
  const { timeMs, uncertaintyMs } = than;
  return registers.timeMs === null ? { ...registers, timeMs, uncertaintyMs } : registers;
}

/** Registers of a statement or an enrolment, which are not older than the begin of its window. */
function ofWindow(from: RegisterPair & { readonly window: Window }, uncertaintyMs: number | null): TimedRegisters {
  const timeMs = uncertaintyMs === null ? null : windowStartAtMs(from.window);
  return { ...registersOf(from), timeMs, uncertaintyMs: uncertaintyMs ?? 0, steadyMs: null };
}

function registersOf(from: { importWh: bigint; exportWh: bigint }): { importWh: bigint; exportWh: bigint } {
  return { importWh: from.importWh, exportWh: from.exportWh };
}
