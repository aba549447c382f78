import { asWindowOrNone, Kind, NO_WINDOW, shortHash } from '@gridtokenx/protocol';
import type { MeterRecord } from '../../domain/ports.js';
import type { Gaps } from '../../domain/verdicts/gaps.js';
import { enrolled, type TimedRegisters, type WindowRegisters } from '../../domain/verdicts/limits.js';
import type { StoredMessage, StoredStream } from '../../domain/verdicts/ports.js';
import { firstStart, type Link, linkAcross, MAX_RUN, type ScanStart } from '../../domain/verdicts/scan.js';
import { blobSeq, messageRow, seqBlob } from './rows.js';
import type { StoreStatements } from './store-statements.js';

/** See `StreamStore.startBelow`. */
export function startBelow(
  sql: StoreStatements,
  stream: StoredStream,
  seq: bigint,
  meter: MeterRecord,
  gaps: Gaps,
): ScanStart {
  const statement = sql.statementBelow.get(stream.id, seqBlob(seq));
  const told = statement ? blobSeq(statement.seq as Uint8Array) : 0n;
  const run = Number(sql.run.get(stream.id, seqBlob(told), seqBlob(seq))?.n);
  if (!statement && run <= MAX_RUN) return firstStart(meter);
  const highest = run > MAX_RUN ? sql.highest.get(stream.id, seqBlob(seq)) : undefined;
  const after = highest ? blobSeq(highest.seq as Uint8Array) : told;
  const begin = enrolled(meter);
  const isBehind = stream.storedThrough >= after;
  const reading = basisBelow(sql, stream, Kind.reading, after);
  const registers = basisBelow(sql, stream, Kind.statement, after);
  return {
    after,
    link: linkAt(sql, stream, after, gaps),
    reading: reading ? timedRegisters(reading) : begin.reading,
    statement: registers ? windowRegisters(registers) : begin.statement,
    highestWindow: statement ? asWindowOrNone(Number(statement.top_window ?? NO_WINDOW)) : NO_WINDOW,
    storedThrough: isBehind ? after : stream.storedThrough,
    ...(highest ? { run } : {}),
  };
}

function basisBelow(sql: StoreStatements, stream: StoredStream, kind: number, upTo: bigint): StoredMessage | undefined {
  const found = sql.basisBelow.get(stream.id, kind, seqBlob(upTo));
  return found && messageRow(found);
}

function linkAt(sql: StoreStatements, stream: StoredStream, upTo: bigint, gaps: Gaps): Link {
  const found = sql.linkBelow.get(stream.id, seqBlob(upTo));
  const row = found && messageRow(found);
  let link: Link = row ? { hash: shortHash(row.signed) } : 'first';
  let at = row ? row.payload.seq : 0n;
  for (const raw of sql.seqsBetween.all(stream.id, seqBlob(at), seqBlob(upTo))) {
    const seq = blobSeq(raw.seq as Uint8Array);
    link = linkAcross(link, gaps, at + 1n, seq - 1n);
    at = seq;
  }
  return link;
}

function timedRegisters({ payload }: StoredMessage): TimedRegisters {
  if (payload.kind !== Kind.reading) throw new RangeError(`kind ${payload.kind} is no reading`);
  const { importWh, exportWh, timeUncertaintyMs } = payload;
  const timeMs = timeUncertaintyMs === null ? null : Number(payload.timeMs);
  return { importWh, exportWh, timeMs, uncertaintyMs: timeUncertaintyMs ?? 0 };
}

function windowRegisters({ payload }: StoredMessage): WindowRegisters {
  if (payload.kind !== Kind.statement) throw new RangeError(`kind ${payload.kind} is no statement`);
  return { window: payload.window, importWh: payload.importWh, exportWh: payload.exportWh };
}
