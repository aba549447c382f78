import type { DatabaseSync } from 'node:sqlite';
import { Kind, Reason, Role, shortHash } from '@gridtokenx/protocol';
import type { Admitted } from '../../domain/intake/admit.js';
import { isSeriesTime } from '../../domain/live/series-write.js';
import { type DeclaredGap, Gaps } from '../../domain/verdicts/gaps.js';
import { dueMs, enrolled, type TimedRegisters, type WindowRegisters } from '../../domain/verdicts/limits.js';
import {
  firstStart,
  type Judgement,
  type Link,
  linkAcross,
  MAX_RUN,
  type ScanStart,
} from '../../domain/verdicts/scan.js';
import { isAccepted, type VerdictCode } from '../../domain/verdicts/verdict.js';
import type { MeterRecord } from '../../ports.js';
import { type ChangedInputs, noteInput } from './points.js';
import { blobSeq, type MessageRow, messageRow, type StreamRow, seqBlob, streamRow } from './rows.js';
import { PAGES, storeStatements } from './store-statements.js';

/** What a flush changed beside rows: told to others after the commit. */
export interface Effects {
  statementsChanged: boolean;
  /** Meters that points may be derived from, with the lowest window whose statement counts otherwise than before. */
  readonly inputs: ChangedInputs;
  /** Messages by new verdict. */
  readonly verdicts: Map<VerdictCode, number>;
  /** Readings that became verified. */
  readonly verified: { readonly id: number; readonly meter: MeterRecord; readonly row: MessageRow }[];
}

/** A stored message that another may contradict. */
export interface Place {
  readonly id: number;
  readonly seq: bigint;
  readonly contradicted: boolean;
}

/** Verdicts have numbers below this one. */
const COUNT_KINDS = 256;

/** Prepared statements over streams and messages. Every method may throw when the disk fails. */
export class Store {
  readonly #sql;
  /** By meter, then by kind and verdict: not stored yet. */
  readonly #counts = new Map<string, Map<number, number>>();

  constructor(sqlite: DatabaseSync) {
    this.#sql = storeStatements(sqlite);
  }

  /** The stream of a meter and key, made when it is new. */
  stream(meter: string, key: Uint8Array): StreamRow {
    const found = this.#sql.stream.get(meter, key);
    if (found) return streamRow(found);
    this.#sql.makeStream.run(meter, key);
    return this.stream(meter, key);
  }

  findStream(meter: string, key: Uint8Array): StreamRow | undefined {
    const found = this.#sql.stream.get(meter, key);
    return found && streamRow(found);
  }

  streamById(id: number): StreamRow | undefined {
    const found = this.#sql.streamById.get(id);
    return found && streamRow(found);
  }

  save(stream: StreamRow): void {
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

  has(stream: StreamRow, seq: bigint, hash: Uint8Array): boolean {
    return this.#sql.exists.get(stream.id, seqBlob(seq), hash) !== undefined;
  }

  /** Stored messages with this seq, at most `MAX_AT_SEQ`. */
  atSeq(stream: StreamRow, seq: bigint): Place[] {
    return this.#sql.atSeq.all(stream.id, seqBlob(seq)).map(placeOf);
  }

  /** Stored statements for this window, at most `MAX_CONTRADICTIONS`. */
  atWindow(stream: StreamRow, window: number): Place[] {
    return this.#sql.atWindow.all(stream.id, window).map(placeOf);
  }

  byId(id: number): MessageRow | undefined {
    const found = this.#sql.byId.get(id);
    return found && messageRow(found);
  }

  contradict(id: number): void {
    this.#sql.contradict.run(id);
  }

  /** Stores a new message with its verdict. */
  insert(
    stream: StreamRow,
    item: { admitted: Admitted; contradicted: boolean; arrivedMs: number; receivedMs: number },
    { verdict, isBasis }: Judgement,
    topWindow: number | null,
    effects: Effects,
  ): void {
    const { payload, hash, message, signed, meter } = item.admitted;
    const window = payload.kind === Kind.statement ? payload.window : null;
    const { arrivedMs, receivedMs, contradicted } = item;
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
      arrivedMs,
      receivedMs,
      verdict.code === Reason.fromTheFuture ? dueMs(payload) : null,
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
      arrivedMs,
      receivedMs,
    };
    this.count(stream.meter, payload.kind, code, 1);
    this.#tell(row, null, code, meter, effects);
  }

  /** Writes a verdict that changed; nothing when it did not. */
  rejudge(
    stream: StreamRow,
    row: MessageRow,
    { verdict, isBasis }: Judgement,
    topWindow: number | null,
    meter: MeterRecord,
    effects: Effects,
  ): void {
    const isSame = row.verdict === verdict.code && row.settled === verdict.settled && row.basis === isBasis;
    if (isSame && row.topWindow === topWindow) return;
    const due = verdict.code === Reason.fromTheFuture ? dueMs(row.payload) : null;
    this.#sql.judge.run(verdict.code, verdict.settled ? 1 : 0, isBasis ? 1 : 0, due, topWindow, row.id);
    if (row.verdict === verdict.code) return;
    this.count(stream.meter, row.payload.kind, row.verdict, -1);
    this.count(stream.meter, row.payload.kind, verdict.code, 1);
    this.#tell(row, row.verdict, verdict.code, meter, effects);
  }

  #tell(row: MessageRow, before: VerdictCode | null, after: VerdictCode, meter: MeterRecord, effects: Effects): void {
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
  count(meter: string, kind: number, verdict: VerdictCode, change: number): void {
    let counts = this.#counts.get(meter);
    if (!counts) {
      counts = new Map();
      this.#counts.set(meter, counts);
    }
    const place = kind * COUNT_KINDS + verdict;
    counts.set(place, (counts.get(place) ?? 0) + change);
  }

  /** Writes what was counted since the last call: a row for each counter, not one for each message. */
  saveCounts(): void {
    for (const [meter, counts] of this.#counts) {
      for (const [place, change] of counts) {
        if (change !== 0) this.#sql.count.run(meter, Math.floor(place / COUNT_KINDS), place % COUNT_KINDS, change);
      }
    }
    this.#counts.clear();
  }

  /** To be called when a transaction was rolled back: what was counted in it did not happen. */
  forgetCounts(): void {
    this.#counts.clear();
  }

  /**
   * The messages with the next seqs above `after`, in order: few or many, and all that share the last one's seq. Empty only
   * when there are none.
   */
  page(stream: StreamRow, after: bigint, size: keyof typeof PAGES): MessageRow[] {
    const limit = PAGES[size];
    const rows = this.#sql[size].all(stream.id, seqBlob(after)).map(messageRow);
    const last = rows.at(-1);
    if (!last || rows.length < limit) return rows;
    const whole = rows.filter(({ payload }) => payload.seq < last.payload.seq);
    return [...whole, ...this.#sql.at.all(stream.id, seqBlob(last.payload.seq)).map(messageRow)];
  }

  gaps(stream: StreamRow): Gaps {
    const rows = this.#sql.gaps.all(stream.id);
    return new Gaps(
      rows.map((row) => ({
        first: blobSeq(row.first as Uint8Array),
        last: blobSeq(row.last as Uint8Array),
        reason: Number(row.reason),
      })),
    );
  }

  addGap(stream: StreamRow, eventSeq: bigint, gap: DeclaredGap): void {
    this.#sql.addGap.run(stream.id, seqBlob(eventSeq), seqBlob(gap.first), seqBlob(gap.last), gap.reason);
  }

  /** Forgets gaps declared by events from `seq` on; returns the lowest seq that one of them declared. */
  dropGaps(stream: StreamRow, seq: bigint): bigint | null {
    const rows = this.#sql.gapsFrom.all(stream.id, seqBlob(seq)).map((row) => blobSeq(row.first as Uint8Array));
    this.#sql.dropGaps.run(stream.id, seqBlob(seq));
    return rows.reduce<bigint | null>((low, first) => (low === null || first < low ? first : low), null);
  }

  /** Places of messages whose time has come, at most `MAX_PLACES`. */
  due(nowMs: number): { stream: number; first: bigint; last: bigint }[] {
    return this.#sql.due.all(nowMs).map((row) => {
      const seq = blobSeq(row.seq as Uint8Array);
      return { stream: Number(row.stream), first: seq, last: seq };
    });
  }

  /** Seq of the highest statement; 0 for none. */
  lastStatement(stream: StreamRow): bigint {
    const found = this.#sql.lastStatement.get(stream.id);
    return found ? blobSeq(found.seq as Uint8Array) : 0n;
  }

  /** How many messages of a stream wait for their time. */
  dueOf(stream: StreamRow): number {
    return Number(this.#sql.dueOf.get(stream.id)?.n);
  }

  /** Places of messages that came before a registry state that was asked for at `registryMs`, by stream. */
  forRegistry(registryMs: number): { stream: number; first: bigint; last: bigint }[] {
    return this.#sql.forRegistry.all(registryMs).map((row) => ({
      stream: Number(row.stream),
      first: blobSeq(row.seq as Uint8Array),
      last: blobSeq(row.last as Uint8Array),
    }));
  }

  /** Streams that are to be judged again, in turn: those above `after`, at most `MAX_DIRTY`. */
  dirty(after: number): number[] {
    return this.#sql.dirty.all(after).map((row) => Number(row.id));
  }

  /**
   * Where to begin to judge again so that all from `seq` on is judged: after the nearest lower statement, or right below
   * where that one lies further back than any scan looks.
   */
  startBelow(stream: StreamRow, seq: bigint, meter: MeterRecord, gaps: Gaps): ScanStart {
    const statement = this.#sql.statementBelow.get(stream.id, seqBlob(seq));
    const told = statement ? blobSeq(statement.seq as Uint8Array) : 0n;
    const run = Number(this.#sql.run.get(stream.id, seqBlob(told), seqBlob(seq))?.n);
    if (!statement && run <= MAX_RUN) return firstStart(meter);
    const highest = run > MAX_RUN ? this.#sql.highest.get(stream.id, seqBlob(seq)) : undefined;
    const after = highest ? blobSeq(highest.seq as Uint8Array) : told;
    const begin = enrolled(meter);
    const isBehind = stream.storedThrough >= after;
    const reading = this.#basis(stream, Kind.reading, after);
    const registers = this.#basis(stream, Kind.statement, after);
    return {
      after,
      link: this.#linkAt(stream, after, gaps),
      reading: reading ? timedRegisters(reading) : begin.reading,
      statement: registers ? windowRegisters(registers) : begin.statement,
      highestWindow: statement ? Number(statement.top_window ?? -1) : -1,
      storedThrough: isBehind ? after : stream.storedThrough,
      ...(highest ? { run } : {}),
    };
  }

  #basis(stream: StreamRow, kind: number, upTo: bigint): MessageRow | undefined {
    const found = this.#sql.basisBelow.get(stream.id, kind, seqBlob(upTo));
    return found && messageRow(found);
  }

  #linkAt(stream: StreamRow, upTo: bigint, gaps: Gaps): Link {
    const found = this.#sql.linkBelow.get(stream.id, seqBlob(upTo));
    const row = found && messageRow(found);
    let link: Link = row ? { hash: shortHash(row.signed) } : 'first';
    let at = row ? row.payload.seq : 0n;
    for (const raw of this.#sql.seqsBetween.all(stream.id, seqBlob(at), seqBlob(upTo))) {
      const seq = blobSeq(raw.seq as Uint8Array);
      link = linkAcross(link, gaps, at + 1n, seq - 1n);
      at = seq;
    }
    return link;
  }
}

function placeOf(row: Record<string, unknown>): Place {
  return { id: Number(row.id), seq: blobSeq(row.seq as Uint8Array), contradicted: row.contradicted === 1 };
}

function timedRegisters({ payload }: MessageRow): TimedRegisters {
  if (payload.kind !== Kind.reading) throw new RangeError(`kind ${payload.kind} is no reading`);
  const { importWh, exportWh, timeUncertaintyMs } = payload;
  const timeMs = timeUncertaintyMs === null ? null : Number(payload.timeMs);
  return { importWh, exportWh, timeMs, uncertaintyMs: timeUncertaintyMs ?? 0 };
}

function windowRegisters({ payload }: MessageRow): WindowRegisters {
  if (payload.kind !== Kind.statement) throw new RangeError(`kind ${payload.kind} is no statement`);
  return { window: payload.window, importWh: payload.importWh, exportWh: payload.exportWh };
}
