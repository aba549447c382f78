import {
  EventCode,
  encodePayload,
  GapReason,
  latestWindow,
  MAX_VALUES,
  MerkleBuilder,
  type MeterId,
  type PayloadToEncode,
  type PointState,
  type PointStatement,
  Quality,
  toHex,
  type Window,
  windowOf,
} from '@gridtokenx/protocol';
import { larger, Mutex, type ReadingClock } from '@gridtokenx/runtime/core';

import type { FurtherSample, MeterSample } from '../ports.js';
import { headOf, type SignedMessage } from '../signed-message.js';
import { type ChainPorts, SignedChain } from './chain.js';
import { clockQuality, type EventFields, isSynchronised, type MeterIdentity, statementOf } from './meter-payloads.js';
import type { MeterState } from './meter-state.js';
import type { CondensedReading } from './open-span.js';
import { openFloor, type RecoveredMeter } from './recovery.js';
import { RegisterJournal } from './register-journal.js';
import { type ClosedWindow, WindowTracker } from './windows.js';

/** Jump of seq above which the cause is no restored image but an error or an attack [gateway §9.4]. */
const MAX_JUMP = 1n << 32n;

export interface MeterJournalPorts extends ChainPorts {
  /** Silence between readings above which the window has a gap, ms of the reading clock. */
  readonly gapMs?: number;
}

/**
 * Signs everything of one meter's key. Order inside: reserve the seq durably, sign, append to the spool, commit,
 * publish; nothing is published before its commit. Calls may overlap and run one after another.
 */
export class MeterJournal {
  readonly id: MeterId;
  readonly windows: WindowTracker;
  /** Records how the meter's registers stand. */
  readonly registers: RegisterJournal;
  readonly #chain: SignedChain;
  readonly #serial = new Mutex();
  #merkle = new MerkleBuilder();
  #runFirstSeq: bigint;
  #statedThrough: bigint;
  /** A statement that was stored for signing and never reached the spool; null when there is none. */
  readonly #lost: Uint8Array | null;
  readonly #readingClock: ReadingClock;
  /** Steady time at which a restored image was noticed while the time was unknown, ms; null otherwise. */
  #restoredAtMs: number | null = null;

  /** Continues from `recovered` and `state`. Nothing is signed before `start`. */
  constructor(identity: MeterIdentity, state: MeterState, recovered: RecoveredMeter, ports: MeterJournalPorts) {
    this.#chain = new SignedChain(identity, state, recovered, ports);
    this.id = this.#chain.id;
    this.#readingClock = ports.readingClock;
    this.#runFirstSeq = this.#chain.nextSeq;
    this.#statedThrough = recovered.lastStatement?.seq ?? 0n;
    this.windows = new WindowTracker(
      latestWindow(state.closedThrough, recovered.lastStatement?.window ?? state.closedThrough),
      ports.gapMs,
    );
    this.registers = new RegisterJournal({ chain: this.#chain, windows: this.windows, serial: this.#serial });
    const { statement } = state;
    this.#lost = statement !== null && !ports.spool.has(this.id, headOf(statement).seq) ? statement : null;
    // Readings up to the floor belong to a statement that is signed already, or to a time before a restored image.
    if (recovered.open.through > Number(openFloor(state))) {
      this.#merkle = new MerkleBuilder(recovered.open.merkle.subtrees);
      for (const open of recovered.open.readings) this.#reopen(open);
    }
    // Readings that were missed while nothing ran cannot be known.
    this.windows.mark(Quality.gap);
  }

  /** Counts a reading of an earlier run that no statement covers yet. */
  #reopen(reading: CondensedReading): void {
    const counts = (reading.quality & Quality.discontinuity) === 0;
    if (!counts || windowOf(reading.timeMs) <= this.windows.closedThrough) return;
    this.windows.add({ ...reading, steadyMs: null });
  }

  /** Returns the lowest seq that this run may have signed, since the last restored image. */
  get runFirstSeq(): bigint {
    return this.#runFirstSeq;
  }
  get nextSeq(): bigint {
    return this.#chain.nextSeq;
  }
  /** Returns the seq through which statements cover the readings; the next statement needs later ones. */
  get statedThrough(): bigint {
    return this.#statedThrough;
  }
  get state(): MeterState {
    return this.#chain.state;
  }

  /**
   * Signs the first messages of a run: the statement that a crash left unsigned, event 1, and event 12 where the
   * configuration changed. Then signs event 2 for every seq that will never come. `storedThrough`: the seq through
   * which oracles are known to have all. `tornRecords`: the number of records that the start may have truncated.
   */
  start(
    recovered: RecoveredMeter,
    start: { softwareHash: Uint8Array; configHash: Uint8Array; storedThrough: bigint; tornRecords: number },
  ): Promise<void> {
    return this.#serial.run(async () => {
      if (this.#lost) await this.#chain.signAndCommit(this.#lost);
      const before = this.nextSeq - 1n;
      await this.#chain.store({ boots: this.state.boots + 1 });
      await this.#chain.event(EventCode.started, { value: recovered.highestSeq, data: start.softwareHash });
      await this.#configured(start.configHash);
      await this.#chain.declareEarlierKeys();
      const from = larger(start.storedThrough + 1n, BigInt(recovered.keyFrom));
      const missing = this.#chain.untold(from, before);
      // Truncated records could have been published, so the chain must not be checked across them.
      const tornThrough =
        start.tornRecords > 0 ? recovered.highestSeq + BigInt(start.tornRecords) : recovered.highestSeq;
      for (const range of missing) await this.#declareSplit(range, tornThrough);
    });
  }

  /**
   * Signs the last messages of this key: the statement that a crash left unsigned, event 2 for the seqs that it never
   * used, and event 9 with the first 16 bytes of the next key. Nothing may be signed afterwards.
   */
  retire(recovered: RecoveredMeter, nextKey: Uint8Array): Promise<void> {
    return this.#serial.run(async () => {
      if (this.#lost) await this.#chain.signAndCommit(this.#lost);
      const unused = this.#chain.untold(larger(recovered.highestSeq + 1n, 1n), this.nextSeq - 1n);
      for (const { first, last } of unused) await this.#chain.declare(first, last, GapReason.unused);
      await this.#chain.event(EventCode.keyChanged, { data: nextKey.slice(0, 16) });
    });
  }

  /**
   * Signs event 12 where the configuration differs from that of the previous start. Signs it again after a crash in
   * between.
   */
  async #configured(hash: Uint8Array): Promise<void> {
    const configHash = toHex(hash);
    const before = this.state.configHash;
    if (before === configHash) return;
    if (before !== null) await this.#chain.event(EventCode.configurationChanged, { data: hash });
    await this.#chain.store({ configHash });
  }

  async #declareSplit(range: { first: bigint; last: bigint }, damagedThrough: bigint): Promise<void> {
    const cut = range.last < damagedThrough ? range.last : damagedThrough;
    if (range.first <= cut) await this.#chain.declare(range.first, cut, GapReason.damaged);
    const rest = range.first > cut ? range.first : cut + 1n;
    if (rest <= range.last) await this.#chain.declare(rest, range.last, GapReason.unused);
  }

  /** Signs a reading; resolves when it is committed. `good`: its registers count for the window. */
  async reading(sample: MeterSample, good: boolean): Promise<void> {
    const committed = await this.#serial.run(async () => {
      const quality = clockQuality(sample.uncertaintyMs) | (good ? 0 : Quality.discontinuity);
      const { payload, sign } = await this.#chain.reading(sample, quality);
      this.#merkle.add(payload);
      const { timeMs, steadyMs, uncertaintyMs, importWh, exportWh } = sample;
      if (good) this.windows.add({ timeMs, steadyMs, uncertaintyMs, importWh, exportWh, quality });
      return { done: sign() };
    });
    await committed.done;
  }

  /** Signs values that are never billed, eight in each message; resolves when all are committed. */
  async moreValues(sample: FurtherSample): Promise<void> {
    const committed = await this.#serial.run(async () => {
      const done: Promise<void>[] = [];
      for (let at = 0; at < sample.values.length; at += MAX_VALUES) {
        const { sign } = await this.#chain.moreValues(sample, sample.values.slice(at, at + MAX_VALUES));
        done.push(sign());
      }
      return { done };
    });
    await Promise.all(committed.done);
  }

  /** Signs an event; resolves when it is committed. */
  event(code: number, fields: EventFields = {}): Promise<void> {
    return this.#serial.run(async () => {
      await this.#chain.event(code, fields);
    });
  }

  /**
   * Signs a statement for each window that is over at `nowMs`, oldest first; resolves with the closed windows when
   * their statements are committed. The caller ensures that the clock is synchronised and no earlier reading is in
   * flight.
   */
  closeDue(nowMs: number): Promise<ClosedWindow[]> {
    return this.#serial.run(async () => {
      const closed: ClosedWindow[] = [];
      await this.#closeRestored();
      this.windows.date({ timeMs: nowMs, steadyMs: this.#readingClock.steadyMs() });
      for (let due = this.windows.due(nowMs); due && this.#canClose; due = this.windows.due(nowMs)) {
        await this.#statement(due);
        closed.push(due);
      }
      return closed;
    });
  }

  /** False while the registers do not go on from the last good ones. */
  get #canClose(): boolean {
    return !this.registers.inDiscontinuity && !this.registers.inDoubt;
  }

  #statement(window: ClosedWindow): Promise<void> {
    return this.#signStatement(statementOf(window, this.#merkle));
  }

  /**
   * Signs the statement of a derived point, and stores the start of the next span in the same write. Returns false,
   * without an effect, for a window that is closed already.
   */
  closeSpan(statement: PointStatement, point: PointState): Promise<boolean> {
    return this.#serial.run(async () => {
      if (!(await this.#closeRestored()) || statement.window <= this.windows.closedThrough) return false;
      await this.#chain.declareAbandoned();
      await this.#signStatement(statement, { point });
      return true;
    });
  }

  async #signStatement(fields: PointStatement, also: Partial<MeterState> = {}): Promise<void> {
    const { seq, sign } = await this.#chain.statement((head) => {
      const payload = encodePayload({ ...fields, ...head });
      return { payload, change: { ...also, closedThrough: fields.window, statement: payload } };
    });
    this.#merkle = new MerkleBuilder();
    this.#statedThrough = seq;
    this.windows.close(fields.window);
    await sign();
  }

  /** Stores the serial number that the meter shows, durably when this resolves. */
  identified(serial: string): Promise<void> {
    return this.#serial.run(() => this.#chain.store({ serial }));
  }

  /** Signs event 2 for each range of seqs from `first` to `last` that the spool no longer has and no gap declares. */
  declareGone(first: bigint, last: bigint, reason: number = GapReason.thinned): Promise<void> {
    return this.#serial.run(async () => {
      for (const range of this.#chain.untold(first, last)) await this.#chain.declare(range.first, range.last, reason);
    });
  }

  /** Signs event 2 for each range of seqs from `first` to `last` that no gap declares: the spool will remove them. */
  declareThinned(first: bigint, last: bigint): Promise<void> {
    return this.#serial.run(async () => {
      for (const range of this.#chain.undeclared(first, last))
        await this.#chain.declare(range.first, range.last, GapReason.thinned);
    });
  }

  /** Signs event 2 for each range of seqs that so many oracles refused that they can never be acknowledged. */
  declareRefused(ranges: readonly { first: bigint; last: bigint }[]): Promise<void> {
    return this.#serial.run(async () => {
      for (const { first, last } of ranges) await this.#chain.declare(first, last, GapReason.refused);
    });
  }

  /**
   * Continues above seqs that an oracle has seen and this journal never signed: an older image of the disk was restored
   * [gateway §9.4]. Messages that this run signed meanwhile are never published. `windowNow`: null while the time is
   * unknown; that window is closed once it is known. `isForeign`: a copy of this gateway has sent a seq
   * of this run, so all that this run signed is discarded. Returns false when the jump is refused.
   */
  continueAfterRestore(
    seen: { highestSeen: bigint; storedThrough: bigint; highestWindow: Window },
    windowNow: Window | null,
    isForeign = false,
  ): Promise<boolean> {
    return this.#serial.run(async () => {
      const newest = this.nextSeq - 1n;
      if (seen.highestSeen <= newest && !isForeign) return true;
      const last = seen.highestSeen > newest ? seen.highestSeen : newest;
      if (last - this.nextSeq > MAX_JUMP) return false;
      await this.#chain.continueAt(last + 1n);
      const through = latestWindow(seen.highestWindow, windowNow ?? seen.highestWindow);
      if (windowNow === null) this.#restoredAtMs = this.#readingClock.steadyMs();
      const discarded = [...this.state.discarded, { first: this.#runFirstSeq, last }];
      const closedThrough = latestWindow(this.state.closedThrough, through);
      await this.#chain.store({ discarded, closedThrough, statement: null });
      this.windows.dropThrough(through);
      this.#merkle = new MerkleBuilder();
      await this.#chain.event(EventCode.continuedAfterRestore, { value: last + 1n });
      await this.#chain.declare(seen.storedThrough + 1n, last, GapReason.restored);
      this.#runFirstSeq = last + 1n;
      return true;
    });
  }

  /** Closes the window in which a restored image was noticed. Returns false while the time of that is unknown. */
  async #closeRestored(): Promise<boolean> {
    const atMs = this.#restoredAtMs;
    if (atMs === null) return true;
    const clock = this.#readingClock;
    if (!isSynchronised(clock.uncertaintyMs())) return false;
    const through = windowOf(clock.nowMs() - (clock.steadyMs() - atMs));
    await this.#chain.store({ closedThrough: latestWindow(this.state.closedThrough, through) });
    this.windows.close(through);
    this.#restoredAtMs = null;
    return true;
  }

  /** Returns a seq that this key signs nothing of its journal with: it is declared as unused at the next start. */
  reserve(): Promise<bigint> {
    return this.#serial.run(() => this.#chain.reserve());
  }

  /** Signs this meter's enrolment, the first message of its key. Resolves with the message when it is committed. */
  enrol(make: (seq: bigint) => PayloadToEncode): Promise<SignedMessage> {
    return this.#serial.run(() => this.#chain.enrol(make));
  }
}
