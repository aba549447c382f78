import {
  asMeterId,
  EventCode,
  encodePayload,
  GapReason,
  Kind,
  MAX_U32,
  MerkleBuilder,
  type MeterId,
  type Payload,
  type PointState,
  type PointStatement,
  Quality,
  type Signer,
  shortHash,
  toHex,
  windowOf,
} from '@gridtokenx/protocol';
import { Mutex, type ReadingClock } from '@gridtokenx/runtime/core';

import type { Counters, MeterSample, Spool } from '../ports.js';
import { headOf, type SignedMessage, signMessage } from '../signed-message.js';
import {
  clockQuality,
  type DiscontinuityReason,
  discontinuityEvent,
  type EventFields,
  eventPayload,
  type MeterIdentity,
  type Place,
  readingPayload,
  statementOf,
} from './meter-payloads.js';
import type { MeterState } from './meter-state.js';
import { type RecoveredMeter, withoutDeclared } from './recovery.js';
import { SeqAllocator } from './seq.js';
import { type ClosedWindow, WindowBook } from './windows.js';

/** A jump of seq by more than this is no restored image but an error or an attack [gateway §9.4]. */
const MOST_JUMP = 1n << 32n;

export interface MeterLogPorts {
  readonly signer: Signer;
  readonly spool: Spool;
  readonly clock: ReadingClock;
  readonly counters: Counters;
  /** A longer silence between readings is a gap in the window; milliseconds of the reading clock. */
  readonly gapMs?: number;
  /** Stores the state durably before it resolves. */
  readonly store: (state: MeterState) => Promise<void>;
  /** Called after the commit of each message, in seq order of one meter. */
  readonly committed: (message: SignedMessage) => void;
}

/**
 * One meter's key and everything it signs. Order inside: reserve the seq durably, sign, append to the spool, commit,
 * publish; nothing leaves before its commit. Calls may overlap, they are done one after the other.
 */
export class MeterLog {
  readonly id: MeterId;
  readonly windows: WindowBook;
  readonly #identity: MeterIdentity;
  readonly #ports: MeterLogPorts;
  readonly #seqs: SeqAllocator;
  readonly #serial = new Mutex();
  #state: MeterState;
  #prev: Uint8Array;
  #merkle = new MerkleBuilder();
  #runFirstSeq: bigint;
  #statedThrough: bigint;
  /** A statement that was stored to be signed and never reached the spool. */
  readonly #lost: Uint8Array | null;
  /** Gaps declared in earlier runs. */
  readonly #toldBefore: RecoveredMeter['declared'];
  /** Gaps declared in this run. */
  readonly #declared: { first: bigint; last: bigint }[] = [];
  /** Seqs that were taken and not signed, because storing failed: never used again, declared when storing works. */
  #abandoned: bigint[] = [];

  /** Takes up where `recovered` and `state` left off. Nothing is signed before `start`. */
  constructor(identity: MeterIdentity, state: MeterState, recovered: RecoveredMeter, ports: MeterLogPorts) {
    this.id = asMeterId(identity.meterId);
    this.#identity = identity;
    this.#ports = ports;
    this.#state = state;
    this.#prev = recovered.prev;
    this.#toldBefore = recovered.declared;
    // The spool may know of more than the state file: an older copy of that file must not lower anything.
    const used = larger(state.reservedThrough, recovered.highestSeq);
    this.#seqs = new SeqAllocator(used, (through) => this.#store({ reservedThrough: through }));
    this.#runFirstSeq = this.#seqs.next;
    this.#statedThrough = recovered.lastStatement?.seq ?? 0n;
    this.windows = new WindowBook(Math.max(state.closedThrough, recovered.lastStatement?.window ?? 0), ports.gapMs);
    const { statement } = state;
    this.#lost = statement !== null && !ports.spool.has(this.id, headOf(statement).seq) ? statement : null;
    // Readings up to here belong under a statement that is signed already, or to a time before a restored image.
    const floor = [this.#lost ? headOf(this.#lost).seq : 0n, ...state.discarded.map(({ last }) => last)];
    for (const { payload, reading } of recovered.openReadings) {
      if (floor.some((seq) => reading.seq <= seq)) continue;
      this.#merkle.add(payload);
      const counts = (reading.quality & Quality.discontinuity) === 0;
      if (!counts || windowOf(Number(reading.timeMs)) <= this.windows.closedThrough) continue;
      const { importWh, exportWh, quality, timeUncertaintyMs } = reading;
      this.windows.add({
        timeMs: Number(reading.timeMs),
        importWh,
        exportWh,
        quality,
        uncertaintyMs: timeUncertaintyMs,
      });
    }
    // What was missed while nothing ran cannot be known.
    this.windows.mark(Quality.gap);
  }

  get nextSeq(): bigint {
    return this.#seqs.next;
  }
  /** Readings up to this seq are under a statement; later ones are needed for the next one. */
  get statedThrough(): bigint {
    return this.#statedThrough;
  }
  get state(): MeterState {
    return this.#state;
  }
  get inDiscontinuity(): boolean {
    return this.#state.discontinuity !== null;
  }

  /**
   * The first messages of a run: the statement that a crash left unsigned, event 1, event 12 where the configuration
   * changed, and every seq that will never come as event 2. `storedThrough`: what oracles are known to have; `tornRecords`: how many may have been cut off.
   */
  start(
    recovered: RecoveredMeter,
    start: { softwareHash: Uint8Array; configHash: Uint8Array; storedThrough: bigint; tornRecords: number },
  ): Promise<void> {
    return this.#serial.run(async () => {
      if (this.#lost) await this.#signAndCommit(this.#lost);
      const before = this.#seqs.next - 1n;
      await this.#store({ boots: this.#state.boots + 1 });
      await this.#event(EventCode.started, { value: recovered.highestSeq, data: start.softwareHash });
      await this.#configured(start.configHash);
      const from = start.storedThrough + 1n;
      const missing = withoutDeclared(this.#ports.spool.missing(this.id, from, before), [
        ...recovered.declared,
        ...this.#state.discarded,
        ...this.#declared,
      ]);
      // What may have been cut off could have been published, so the chain must not be checked across it.
      const tornThrough =
        start.tornRecords > 0 ? recovered.highestSeq + BigInt(start.tornRecords) : recovered.highestSeq;
      for (const range of missing) await this.#declareSplit(range, tornThrough);
    });
  }

  /** Event 12 where the configuration is another one than at the start before. Signed again after a crash in between. */
  async #configured(hash: Uint8Array): Promise<void> {
    const configHash = toHex(hash);
    const before = this.#state.configHash;
    if (before === configHash) return;
    if (before !== null) await this.#event(EventCode.configurationChanged, { data: hash });
    await this.#store({ configHash });
  }

  async #declareSplit(range: { first: bigint; last: bigint }, damagedThrough: bigint): Promise<void> {
    const cut = range.last < damagedThrough ? range.last : damagedThrough;
    if (range.first <= cut) await this.#declare(range.first, cut, GapReason.damaged);
    const rest = range.first > cut ? range.first : cut + 1n;
    if (rest <= range.last) await this.#declare(rest, range.last, GapReason.unused);
  }

  #place(seq: bigint): Place {
    return { identity: this.#identity, seq, prev: this.#prev, boots: this.#state.boots };
  }

  /** Takes a seq for what `make` builds; one that comes to nothing is declared later, so that no hole stays open. */
  async #withSeq<T>(make: (seq: bigint) => T | Promise<T>): Promise<T> {
    const seq = await this.#seqs.take();
    try {
      return await make(seq);
    } catch (error) {
      this.#abandoned.push(seq);
      throw error;
    }
  }

  async #declareAbandoned(): Promise<void> {
    const seqs = this.#abandoned;
    this.#abandoned = [];
    for (const [i, seq] of seqs.entries()) {
      try {
        await this.#declare(seq, seq, GapReason.unused);
      } catch (error) {
        this.#abandoned.push(...seqs.slice(i));
        throw error;
      }
    }
  }

  /** Event 2, one for each 2^32 − 1 seqs. */
  async #declare(first: bigint, last: bigint, reason: number): Promise<void> {
    for (let at = first; at <= last; at += BigInt(MAX_U32)) {
      const count = last - at + 1n > BigInt(MAX_U32) ? MAX_U32 : Number(last - at + 1n);
      const data = new Uint8Array(16);
      data[0] = reason;
      await this.#event(EventCode.gap, { value: at, detail: count, data });
      this.#declared.push({ first: at, last: at + BigInt(count) - 1n });
    }
  }

  /** Signs a reading; resolves when it is committed. `good` = its registers count for the window. */
  async reading(sample: MeterSample, good: boolean): Promise<void> {
    const committed = await this.#serial.run(async () => {
      const quality = clockQuality(sample.uncertaintyMs) | (good ? 0 : Quality.discontinuity);
      await this.#declareAbandoned();
      const payload = await this.#withSeq((seq) => readingPayload(this.#place(seq), sample, quality));
      this.#prev = shortHash(payload);
      this.#merkle.add(payload);
      const { timeMs, uncertaintyMs, importWh, exportWh } = sample;
      if (good) this.windows.add({ timeMs, uncertaintyMs, importWh, exportWh, quality });
      return { done: this.#sign(payload) };
    });
    await committed.done;
  }

  /** Signs an event; resolves when it is committed. */
  event(code: number, fields: EventFields = {}): Promise<void> {
    return this.#serial.run(() => this.#event(code, fields));
  }

  async #event(code: number, fields: EventFields): Promise<void> {
    const { clock } = this.#ports;
    const payload = await this.#withSeq((seq) =>
      eventPayload(this.#place(seq), { nowMs: clock.nowMs(), uncertaintyMs: clock.uncertaintyMs() }, code, fields),
    );
    this.#prev = shortHash(payload);
    await this.#sign(payload);
  }

  /**
   * Signs a statement for each window that is over at `nowMs`, oldest first; resolves with those closed when they are
   * committed. The caller sees to it that the clock is synchronised and that no earlier reading is on its way.
   */
  closeDue(nowMs: number): Promise<ClosedWindow[]> {
    return this.#serial.run(async () => {
      const closed: ClosedWindow[] = [];
      for (let due = this.windows.due(nowMs); due && !this.inDiscontinuity; due = this.windows.due(nowMs)) {
        await this.#statement(due);
        closed.push(due);
      }
      return closed;
    });
  }

  #statement(window: ClosedWindow): Promise<void> {
    return this.#signStatement(statementOf(window, this.#merkle));
  }

  /**
   * Signs the statement of a derived point; what the next span is counted from is stored in the same write. False for a
   * window that nothing is signed for any more: then nothing was done.
   */
  closeSpan(statement: PointStatement, point: PointState): Promise<boolean> {
    return this.#serial.run(async () => {
      if (statement.window <= this.windows.closedThrough) return false;
      await this.#declareAbandoned();
      await this.#signStatement(statement, { point });
      return true;
    });
  }

  async #signStatement(fields: PointStatement, also: Partial<MeterState> = {}): Promise<void> {
    const { payload, seq } = await this.#withSeq(async (seq) => {
      const payload = encodePayload({ ...fields, ...this.#identity, seq });
      // From here on only these bytes may ever be a statement for this window [gateway §8.2].
      await this.#store({ ...also, closedThrough: fields.window, statement: payload });
      return { payload, seq };
    });
    this.#merkle = new MerkleBuilder();
    this.#statedThrough = seq;
    this.windows.close(fields.window);
    await this.#sign(payload);
  }

  /** What the meter says its serial number is; stored when this resolves. */
  identified(serial: string): Promise<void> {
    return this.#serial.run(() => this.#store({ serial }));
  }

  /** The registers do not go on from the last good ones: event 5, and no more statements [gateway §7.4]. */
  discontinuity(
    lastGood: { importWh: bigint; exportWh: bigint },
    now: { exportWh: bigint },
    reason: DiscontinuityReason,
  ): Promise<void> {
    return this.#serial.run(async () => {
      await this.#store({ discontinuity: { importWh: lastGood.importWh, exportWh: lastGood.exportWh } });
      this.windows.dropThrough(this.windows.closedThrough);
      await this.#event(...discontinuityEvent(lastGood, now, reason));
    });
  }

  /** Seqs from `first` to `last` that the spool no longer has, and nobody was told of: event 2 for each range. */
  declareGone(first: bigint, last: bigint): Promise<void> {
    return this.#serial.run(async () => {
      const told = [...this.#toldBefore, ...this.#state.discarded, ...this.#declared];
      for (const range of withoutDeclared(this.#ports.spool.missing(this.id, first, last), told))
        await this.#declare(range.first, range.last, GapReason.thinned);
    });
  }

  /** Seqs that so many oracles refused that they can never be acknowledged: event 2 for each range. */
  declareRefused(ranges: readonly { first: bigint; last: bigint }[]): Promise<void> {
    return this.#serial.run(async () => {
      for (const { first, last } of ranges) await this.#declare(first, last, GapReason.refused);
    });
  }

  /**
   * An oracle has seen seqs that this log never signed: an older image of the disk was restored [gateway §9.4].
   * Goes on above them; what this run signed meanwhile is never published. False when the jump is refused.
   */
  continueAfterRestore(
    seen: { highestSeen: bigint; storedThrough: bigint; highestWindow: number },
    windowNow: number,
  ): Promise<boolean> {
    return this.#serial.run(async () => {
      if (seen.highestSeen < this.#seqs.next) return true;
      if (seen.highestSeen - this.#seqs.next > MOST_JUMP) return false;
      await this.#seqs.continueAt(seen.highestSeen + 1n);
      const through = Math.max(seen.highestWindow, windowNow);
      const discarded = [...this.#state.discarded, { first: this.#runFirstSeq, last: seen.highestSeen }];
      await this.#store({ discarded, closedThrough: Math.max(this.#state.closedThrough, through), statement: null });
      this.windows.dropThrough(through);
      this.#merkle = new MerkleBuilder();
      await this.#event(EventCode.continuedAfterRestore, { value: seen.highestSeen + 1n });
      await this.#declare(seen.storedThrough + 1n, seen.highestSeen, GapReason.restored);
      this.#runFirstSeq = seen.highestSeen + 1n;
      return true;
    });
  }

  /** The enrolment of this meter: the first message of its key. Resolves with the message when it is committed. */
  enrol(make: (seq: bigint) => Payload): Promise<SignedMessage> {
    return this.#serial.run(async () => {
      const payload = encodePayload(make(await this.#seqs.take()));
      return this.#signAndCommit(payload);
    });
  }

  async #signAndCommit(payload: Uint8Array): Promise<SignedMessage> {
    const message = signMessage(payload, this.#ports.signer);
    await this.#ports.spool.append([message]);
    this.#ports.committed(message);
    return message;
  }

  async #sign(payload: Uint8Array): Promise<void> {
    const { kind } = await this.#signAndCommit(payload);
    const name = kind === Kind.reading ? 'readings' : kind === Kind.statement ? 'statements' : 'events';
    this.#ports.counters.add(name, { meter: this.id });
  }

  async #store(change: Partial<MeterState>): Promise<void> {
    const next = { ...this.#state, ...change };
    await this.#ports.store(next);
    this.#state = next;
  }
}

function larger(a: bigint, b: bigint): bigint {
  return a < b ? b : a;
}
