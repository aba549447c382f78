import {
  asMeterId,
  type CodedValue,
  EventCode,
  encodePayload,
  GapReason,
  Kind,
  MAX_U32,
  type MeterId,
  type PayloadToEncode,
  type Signer,
  shortHash,
} from '@gridtokenx/protocol';
import { larger, type ReadingClock } from '@gridtokenx/runtime/core';
import type { CounterName, Counters, FurtherSample, MeterSample, Spool } from '../ports.js';
import { SeqRuns } from '../seq-runs.js';
import { headOf, type SignedMessage, signMessage } from '../signed-message.js';
import {
  type EventFields,
  eventPayload,
  type MeterIdentity,
  moreValuesPayload,
  type Place,
  readingPayload,
} from './meter-payloads.js';
import type { MeterState } from './meter-state.js';
import type { DeclaredGap, RecoveredMeter } from './recovery.js';
import { SeqAllocator } from './seq.js';

/** Seqs from `first` to `last`, both included. */
export interface SeqRange {
  readonly first: bigint;
  readonly last: bigint;
}

export interface ChainPorts {
  readonly signer: Signer;
  readonly spool: Spool;
  readonly readingClock: ReadingClock;
  readonly counters: Counters;
  /** Stores the state durably before it resolves. */
  readonly store: (state: MeterState) => Promise<void>;
  /** Called after the commit of each message, in seq order of one meter. */
  readonly committed: (message: SignedMessage) => void;
}

/**
 * Signs one key's messages in the order of their seqs, each kind 1 or 3 with the hash of its predecessor [wire §4.1].
 * Order inside: reserve the seq durably, sign, append to the spool, commit. Calls must not overlap.
 */
export class SignedChain {
  readonly id: MeterId;
  readonly #identity: MeterIdentity;
  readonly #ports: ChainPorts;
  readonly #seqs: SeqAllocator;
  #state: MeterState;
  #prev: Uint8Array;
  /** Gaps that this key declared, in this run and earlier ones. */
  readonly #gaps: DeclaredGap[];
  readonly #keyFrom: number;
  readonly #enrolledAt: number;
  /** Seqs that were assigned and not signed, because storing failed: never used again, declared when storing works. */
  #abandoned: bigint[] = [];

  constructor(identity: MeterIdentity, state: MeterState, recovered: RecoveredMeter, ports: ChainPorts) {
    this.id = asMeterId(identity.meterId);
    this.#identity = identity;
    this.#ports = ports;
    this.#state = state;
    this.#prev = recovered.prev;
    this.#gaps = recovered.declared.filter(({ event }) => event >= recovered.keyFrom);
    this.#keyFrom = recovered.keyFrom;
    this.#enrolledAt = Number(recovered.enrolment?.payload.seq ?? 0n);
    // The spool may know more seqs than the state file: an older copy of that file must not lower any value.
    const used = larger(state.reservedThrough, recovered.highestSeq);
    this.#seqs = new SeqAllocator(used, (through) => this.store({ reservedThrough: through }));
  }

  get nextSeq(): bigint {
    return this.#seqs.next;
  }
  get state(): MeterState {
    return this.#state;
  }

  /** Stores a change of the state, which takes effect once it is durable. */
  async store(change: Partial<MeterState>): Promise<void> {
    const next = { ...this.#state, ...change };
    await this.#ports.store(next);
    this.#state = next;
  }

  /** Stores `next`, then continues there. */
  continueAt(next: bigint): Promise<void> {
    return this.#seqs.continueAt(next);
  }

  /** Returns the seqs that the spool lacks and no gap declares. */
  untold(first: bigint, last: bigint): SeqRange[] {
    const missing = this.#ports.spool.missing(this.id, first, last);
    return missing.flatMap((range) => this.undeclared(range.first, range.last));
  }

  /** Declares the seqs of earlier keys, which this key never signs: its stream at an oracle begins at seq 1. */
  async declareEarlierKeys(): Promise<void> {
    const told = SeqRuns.of(this.#gaps);
    told.add(this.#enrolledAt);
    for (const { first, last } of this.#keyFrom > 1 ? told.missing(1, this.#keyFrom - 1) : [])
      await this.declare(BigInt(first), BigInt(last), GapReason.unused);
  }

  /** Returns the seqs that no gap declares, whether the spool has them or not. */
  undeclared(first: bigint, last: bigint): SeqRange[] {
    const told = new SeqRuns();
    // A gap whose own event was damaged is declared to nobody.
    for (const gap of this.#gaps)
      if (gap.last >= first && gap.first <= last && this.#ports.spool.has(this.id, BigInt(gap.event)))
        told.addRun(gap.first, gap.last);
    for (const range of this.#state.discarded) told.addRun(Number(range.first), Number(range.last));
    return told
      .missing(Number(first), Number(last))
      .map((run) => ({ first: BigInt(run.first), last: BigInt(run.last) }));
  }

  #place(seq: bigint): Place {
    return { identity: this.#identity, seq, prev: this.#prev, boots: this.#state.boots };
  }

  /**
   * Assigns a seq to the payload that `make` builds. Declares the seq later when `make` fails, so that no hole stays
   * open.
   */
  async #withSeq<T>(make: (seq: bigint) => T | Promise<T>): Promise<T> {
    const seq = await this.#seqs.reserve();
    try {
      return await make(seq);
    } catch (error) {
      this.#abandoned.push(seq);
      throw error;
    }
  }

  /** Declares seqs that were assigned and not signed. */
  async declareAbandoned(): Promise<void> {
    const seqs = this.#abandoned;
    this.#abandoned = [];
    for (const [i, seq] of seqs.entries()) {
      try {
        await this.declare(seq, seq, GapReason.unused);
      } catch (error) {
        this.#abandoned.push(...seqs.slice(i));
        throw error;
      }
    }
  }

  /** Signs event 2, once for each 2^32 − 1 seqs. */
  async declare(first: bigint, last: bigint, reason: number): Promise<void> {
    for (let at = first; at <= last; at += BigInt(MAX_U32)) {
      const count = last - at + 1n > BigInt(MAX_U32) ? MAX_U32 : Number(last - at + 1n);
      const data = new Uint8Array(16);
      data[0] = reason;
      const event = await this.event(EventCode.gap, { value: at, detail: count, data });
      this.#gaps.push({ event: Number(event), first: Number(at), last: Number(at) + count - 1 });
    }
  }

  /** Signs an event; resolves with its seq when it is committed. */
  async event(code: number, fields: EventFields = {}): Promise<bigint> {
    const { readingClock } = this.#ports;
    const payload = await this.#withSeq((seq) =>
      eventPayload(
        this.#place(seq),
        { nowMs: readingClock.nowMs(), uncertaintyMs: readingClock.uncertaintyMs() },
        code,
        fields,
      ),
    );
    this.#prev = shortHash(payload);
    await this.#sign(payload);
    return headOf(payload).seq;
  }

  /** Builds a reading's payload with its seq; `sign` commits it. */
  async reading(sample: MeterSample, quality: number): Promise<{ payload: Uint8Array; sign: () => Promise<void> }> {
    await this.declareAbandoned();
    const payload = await this.#withSeq((seq) => readingPayload(this.#place(seq), sample, quality));
    this.#prev = shortHash(payload);
    return { payload, sign: () => this.#sign(payload) };
  }

  /** Builds the payload of values that are never billed; `sign` commits it. */
  async moreValues(sample: FurtherSample, values: readonly CodedValue[]): Promise<{ sign: () => Promise<void> }> {
    const payload = await this.#withSeq((seq) => moreValuesPayload({ ...this.#identity, seq }, sample, values));
    return { sign: () => this.#sign(payload) };
  }

  /**
   * Stores the change that `make` returns for a statement before it is signed. From then on, only these bytes may be a
   * statement for its window. Resolves with the function that signs it.
   */
  async statement(
    make: (head: MeterIdentity & { seq: bigint }) => { payload: Uint8Array; change: Partial<MeterState> },
  ): Promise<{ seq: bigint; sign: () => Promise<void> }> {
    const made = await this.#withSeq(async (seq) => {
      const { payload, change } = make({ ...this.#identity, seq });
      await this.store(change);
      return { payload, seq };
    });
    return { seq: made.seq, sign: () => this.#sign(made.payload) };
  }

  /** Returns a seq that was never assigned before, durably reserved. */
  reserve(): Promise<bigint> {
    return this.#seqs.reserve();
  }

  /** Signs the enrolment, the first message of its key. */
  async enrol(make: (seq: bigint) => PayloadToEncode): Promise<SignedMessage> {
    return this.signAndCommit(encodePayload(make(await this.#seqs.reserve())));
  }

  async signAndCommit(payload: Uint8Array): Promise<SignedMessage> {
    const message = signMessage(payload, this.#ports.signer);
    await this.#ports.spool.append([message]);
    this.#ports.committed(message);
    return message;
  }

  async #sign(payload: Uint8Array): Promise<void> {
    const { kind } = await this.signAndCommit(payload);
    this.#ports.counters.add(COUNTED[kind] ?? 'events', { meter: this.id });
  }
}

const COUNTED: Readonly<Record<number, CounterName>> = {
  [Kind.reading]: 'readings',
  [Kind.statement]: 'statements',
  [Kind.event]: 'events',
  [Kind.moreValues]: 'more_values',
};
