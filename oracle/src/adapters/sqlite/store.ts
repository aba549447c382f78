import type { DatabaseSync } from 'node:sqlite';
import { Kind, type MeterId, Reason, Role, type Window, type WindowOrNone } from '@gridtokenx/protocol';
import { isSeriesTime } from '../../domain/live/series-write.js';
import type { MeterRecord } from '../../domain/ports.js';
import { type Effects, noteInput } from '../../domain/verdicts/effects.js';
import type { Judgement } from '../../domain/verdicts/entry.js';
import { type DeclaredGap, Gaps } from '../../domain/verdicts/gaps.js';
import { dueAtMs } from '../../domain/verdicts/limits.js';
import type {
  CountPlace,
  Item,
  Marked,
  PageSize,
  Place,
  StoredMessage,
  StoredStream,
  StreamStore,
} from '../../domain/verdicts/ports.js';
import type { ScanStart } from '../../domain/verdicts/scan.js';
import { isAccepted, type VerdictCode } from '../../domain/verdicts/verdict.js';
import { Counts } from './counts.js';
import { blobSeq, messageRow, seqBlob, streamRow } from './rows.js';
import { startBelow } from './scan-start.js';
import { PAGES, storeStatements } from './store-statements.js';

/** Prepared statements over streams and messages. Every method may throw when the disk fails. */
export class Store implements StreamStore {
  readonly #sql;
  readonly #counts = new Counts();

  constructor(sqlite: DatabaseSync) {
    this.#sql = storeStatements(sqlite);
  }

  /** The stream of a meter and key, made when it is new. */
  stream(meter: MeterId, key: Uint8Array): StoredStream {
    const found = this.#sql.stream.get(meter, key);
    if (found) return streamRow(found);
    this.#sql.makeStream.run(meter, key);
    return this.stream(meter, key);
  }

  findStream(meter: MeterId, key: Uint8Array): StoredStream | undefined {
    const found = this.#sql.stream.get(meter, key);
    return found && streamRow(found);
  }

  streamById(id: number): StoredStream | undefined {
    const found = this.#sql.streamById.get(id);
    return found && streamRow(found);
  }

  save(stream: StoredStream): void {
    const { suspendedFrom, storedThrough, highestSeen, highestWindow, lastWindow, dirtyFrom, quota, id } = stream;
    const blob = (seq: bigint | null) => (seq === null ? null : seqBlob(seq));
    this.#sql.saveStream.run(
      blob(suspendedFrom),
      seqBlob(storedThrough),
      seqBlob(highestSeen),
      highestWindow,
      lastWindow,
      blob(dirtyFrom),
      dirtyFrom === null ? null : seqBlob(stream.dirtyThrough),
      quota?.left ?? null,
      quota?.atMs ?? null,
      id,
    );
  }

  has(stream: StoredStream, seq: bigint, hash: Uint8Array): boolean {
    return this.#sql.exists.get(stream.id, seqBlob(seq), hash) !== undefined;
  }

  /** Stored messages with this seq, at most `MAX_AT_SEQ`. */
  atSeq(stream: StoredStream, seq: bigint): Place[] {
    return this.#sql.atSeq.all(stream.id, seqBlob(seq)).map(placeOf);
  }

  /** Stored statements for this window, at most `MAX_CONTRADICTIONS`. */
  atWindow(stream: StoredStream, window: Window): Place[] {
    return this.#sql.atWindow.all(stream.id, window).map(placeOf);
  }

  byId(id: number): StoredMessage | undefined {
    const found = this.#sql.byId.get(id);
    return found && messageRow(found);
  }

  contradict(id: number): void {
    this.#sql.contradict.run(id);
  }

  /** Stores a new message with its verdict. */
  insert(
    stream: StoredStream,
    item: Item,
    { verdict, isBasis }: Judgement,
    topWindow: WindowOrNone | null,
    effects: Effects,
  ): void {
    const { payload, hash, message, signed, meter } = item.admitted;
    const window = payload.kind === Kind.statement ? payload.window : null;
    const { arrivedAtMs, receivedAtMs, contradicted } = item;
    const result = this.#sql.insert.run(
      stream.id,
      seqBlob(payload.seq),
      hash,
      message,
      payload.kind,
      window,
      verdict.code,
      verdict.settled ? 1 : 0,
      isBasis ? 1 : 0,
      contradicted ? 1 : 0,
      arrivedAtMs,
      receivedAtMs,
      verdict.code === Reason.fromTheFuture ? dueAtMs(payload) : null,
      topWindow,
    );
    const id = Number(result.lastInsertRowid);
    const { code, settled } = verdict;
    const row = {
      id,
      message,
      payload,
      signed,
      verdict: code,
      settled,
      basis: isBasis,
      contradicted,
      topWindow,
      arrivedAtMs,
      receivedAtMs,
    };
    this.count(stream.meter, payload.kind, code, 1);
    this.#tell(row, null, code, meter, effects);
  }

  /** Writes a verdict that changed; nothing when it did not. */
  rejudge(
    stream: StoredStream,
    row: StoredMessage,
    { verdict, isBasis }: Judgement,
    topWindow: WindowOrNone | null,
    meter: MeterRecord,
    effects: Effects,
  ): void {
    const isSame = row.verdict === verdict.code && row.settled === verdict.settled && row.basis === isBasis;
    if (isSame && row.topWindow === topWindow) return;
    const due = verdict.code === Reason.fromTheFuture ? dueAtMs(row.payload) : null;
    this.#sql.judge.run(verdict.code, verdict.settled ? 1 : 0, isBasis ? 1 : 0, due, topWindow, row.id);
    if (row.verdict === verdict.code) return;
    this.count(stream.meter, row.payload.kind, row.verdict, -1);
    this.count(stream.meter, row.payload.kind, verdict.code, 1);
    this.#tell(row, row.verdict, verdict.code, meter, effects);
  }

  #tell(
    row: StoredMessage,
    before: VerdictCode | null,
    after: VerdictCode,
    meter: MeterRecord,
    effects: Effects,
  ): void {
    effects.verdicts.set(after, (effects.verdicts.get(after) ?? 0) + 1);
    const was = before !== null && isAccepted(before);
    const is = isAccepted(after);
    if (was === is) return;
    if (row.payload.kind === Kind.statement) {
      effects.statementsChanged = true;
      if (meter.role !== Role.point) noteInput(effects.inputs, meter.meterId, row.payload.window);
    }
    if (row.payload.kind !== Kind.reading) return;
    // Also one that is verified no longer: who reads the time series must see that.
    if (isSeriesTime(Number(row.payload.timeMs))) this.#sql.outbox.run(row.id);
    if (is) effects.verified.push({ id: row.id, meter, row });
  }

  /** Adds to a counter; `kind` 0 counts what belongs to no stream, and duplicates. Stored by `saveCounts`. */
  count(place: CountPlace, kind: number, verdict: VerdictCode, change: number): void {
    this.#counts.add(place, kind, verdict, change);
  }

  /** Writes what was counted since the last call: a row for each counter, not one for each message. */
  saveCounts(): void {
    this.#counts.save((place, kind, verdict, change) => this.#sql.count.run(place, kind, verdict, change));
  }

  /** To be called when a transaction was rolled back: what was counted in it did not happen. */
  forgetCounts(): void {
    this.#counts.forget();
  }

  /**
   * The messages with the next seqs above `after`, in order: few or many, and all that share the last one's seq. Empty only
   * when there are none.
   */
  page(stream: StoredStream, after: bigint, size: PageSize): StoredMessage[] {
    const limit = PAGES[size];
    const rows = this.#sql[size].all(stream.id, seqBlob(after)).map(messageRow);
    const last = rows.at(-1);
    if (!last || rows.length < limit) return rows;
    const whole = rows.filter(({ payload }) => payload.seq < last.payload.seq);
    return [...whole, ...this.#sql.at.all(stream.id, seqBlob(last.payload.seq)).map(messageRow)];
  }

  gaps(stream: StoredStream): Gaps {
    const rows = this.#sql.gaps.all(stream.id);
    return new Gaps(
      rows.map((row) => ({
        first: blobSeq(row.first as Uint8Array),
        last: blobSeq(row.last as Uint8Array),
        reason: Number(row.reason),
      })),
    );
  }

  addGap(stream: StoredStream, eventSeq: bigint, gap: DeclaredGap): void {
    this.#sql.addGap.run(stream.id, seqBlob(eventSeq), seqBlob(gap.first), seqBlob(gap.last), gap.reason);
  }

  /** Forgets gaps declared by events from `seq` on; returns the lowest seq that one of them declared. */
  dropGaps(stream: StoredStream, seq: bigint): bigint | null {
    const rows = this.#sql.gapsFrom.all(stream.id, seqBlob(seq)).map((row) => blobSeq(row.first as Uint8Array));
    this.#sql.dropGaps.run(stream.id, seqBlob(seq));
    return rows.reduce<bigint | null>((low, first) => (low === null || first < low ? first : low), null);
  }

  /** Places of messages whose time has come, at most `MAX_PLACES`. */
  due(nowMs: number): Marked[] {
    return this.#sql.due.all(nowMs).map((row) => {
      const seq = blobSeq(row.seq as Uint8Array);
      return { stream: Number(row.stream), first: seq, last: seq };
    });
  }

  /** Seq of the highest statement; 0 for none. */
  lastStatement(stream: StoredStream): bigint {
    const found = this.#sql.lastStatement.get(stream.id);
    return found ? blobSeq(found.seq as Uint8Array) : 0n;
  }

  /** How many messages of a stream wait for their time. */
  dueOf(stream: StoredStream): number {
    return Number(this.#sql.dueOf.get(stream.id)?.n);
  }

  /** Returns, by stream, places of messages that arrived before the registry state requested at `registryFetchedAtMs`. */
  forRegistry(registryFetchedAtMs: number): Marked[] {
    return this.#sql.forRegistry.all(registryFetchedAtMs).map((row) => ({
      stream: Number(row.stream),
      first: blobSeq(row.seq as Uint8Array),
      last: blobSeq(row.last as Uint8Array),
    }));
  }

  /** Streams that are to be judged again, in turn: those above `after`, at most `MAX_DIRTY`. */
  dirty(after: number): number[] {
    return this.#sql.dirty.all(after).map((row) => Number(row.id));
  }

  gatewaysOf(meter: MeterId): Uint8Array[] {
    return this.#sql.gatewaysOf.all(meter).map((row) => row.key as Uint8Array);
  }

  startBelow(stream: StoredStream, seq: bigint, meter: MeterRecord, gaps: Gaps): ScanStart {
    return startBelow(this.#sql, stream, seq, meter, gaps);
  }
}

function placeOf(row: Record<string, unknown>): Place {
  return { id: Number(row.id), seq: blobSeq(row.seq as Uint8Array), contradicted: row.contradicted === 1 };
}
