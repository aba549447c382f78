import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { decodePayload, GapReason, Kind, parseSign1, Reason, toHex } from '@gridtokenx/protocol';
import { scanSegment } from '#edge/adapters/spool/record.js';
import type { MeterView, SlotView } from './chain-view.js';

/** Messages by their key's place, which must never have two contents. */
export type Messages = Map<string, string>;

export interface Stored {
  readonly messages: Messages;
  /** Registers of verified statements, by `meter/window`. */
  readonly statements: ReadonlyMap<string, { importWh: bigint; exportWh: bigint }>;
  readonly faults: readonly string[];
}

function place(messages: Messages, bytes: Uint8Array, faults: string[], where: string): void {
  const { meterId, seq } = decodePayload(parseSign1(bytes).payload);
  const name = `${toHex(meterId)}/${seq}`;
  const hex = toHex(bytes);
  if ((messages.get(name) ?? hex) !== hex) faults.push(`${where}: seq reused: ${name} has two contents`);
  messages.set(name, hex);
}

/**
 * Returns statements, by `stream/window`, where the gateway declared a damaged tail since the previous statement. A
 * kill during an append leaves half a record. Nobody received that record, and the gateway cannot know that. So the
 * oracle accepts the statement with the note that its root cannot be reproduced [wire §9.8]. Any other such note is a
 * fault.
 */
function windowsAcrossTornTails(sqlite: DatabaseSync): Set<string> {
  const rows = sqlite
    .prepare(
      `SELECT m.stream, m.window FROM messages m WHERE m.kind = 2 AND EXISTS (
         SELECT 1 FROM gaps g WHERE g.stream = m.stream AND g.reason = ? AND g.last < m.seq AND g.first > coalesce(
           (SELECT max(b.seq) FROM messages b WHERE b.stream = m.stream AND b.kind = 2 AND b.seq < m.seq), x''))`,
    )
    .all(GapReason.damaged);
  return new Set(rows.map(({ stream, window }) => `${stream}/${window}`));
}

/** Reads everything in the ledger's file, and its faults: refusals, holes, messages that are not verified. */
export function readLedger(path: string): Stored {
  const sqlite = new DatabaseSync(path);
  const faults: string[] = [];
  const messages: Messages = new Map();
  const statements = new Map<string, { importWh: bigint; exportWh: bigint }>();
  try {
    const tornWindows = windowsAcrossTornTails(sqlite);
    for (const row of sqlite.prepare('SELECT stream, bytes, verdict, kind FROM messages').all()) {
      const bytes = row.bytes as Uint8Array;
      place(messages, bytes, faults, 'ledger');
      const payload = decodePayload(parseSign1(bytes).payload);
      const isRootless =
        payload.kind === Kind.statement &&
        row.verdict === Reason.rootNotReproducible &&
        tornWindows.has(`${row.stream}/${payload.window}`);
      if (row.verdict !== 0 && !isRootless) {
        faults.push(`ledger: ${toHex(payload.meterId)}/${payload.seq} has verdict ${row.verdict}`);
        continue;
      }
      if (payload.kind !== Kind.statement) continue;
      const { importWh, exportWh } = payload;
      statements.set(`${toHex(payload.meterId)}/${payload.window}`, { importWh, exportWh });
    }
    for (const row of sqlite.prepare('SELECT reason FROM rejects').all()) faults.push(`ledger: refused: ${row.reason}`);
    for (const row of sqlite.prepare('SELECT meter, stored_through AS s, highest_seen AS h FROM streams').all()) {
      const [through, seen] = [toHex(row.s as Uint8Array), toHex(row.h as Uint8Array)];
      if (through !== seen) faults.push(`ledger: ${row.meter} has a hole: stored through ${through}, seen ${seen}`);
    }
    for (const row of sqlite.prepare("SELECT id FROM chain_intents WHERE status = 'open'").all()) {
      faults.push(`ledger: intent ${row.id} is still open`);
    }
  } finally {
    sqlite.close();
  }
  return { messages, statements, faults };
}

/** Reads all messages of a gateway's spool. */
export function readSpool(dir: string): { messages: Messages; faults: string[] } {
  const messages: Messages = new Map();
  const faults: string[] = [];
  for (const name of readdirSync(dir).filter((file) => file.endsWith('.seg'))) {
    for (const { bytes } of scanSegment(readFileSync(join(dir, name))).records) place(messages, bytes, faults, name);
  }
  return { messages, faults };
}

/**
 * Reads what a gateway has stored as acknowledged, by meter, from the file beside its spool. Empty where there is none.
 */
export function readAcknowledged(path: string): Map<string, bigint> {
  if (!existsSync(path)) return new Map();
  const file = JSON.parse(readFileSync(path, 'utf8')) as { oracles: { meters: [string, string, string, number][] }[] };
  return new Map(file.oracles.flatMap(({ meters }) => meters.map(([meter, through]) => [meter, BigInt(through)])));
}

/**
 * Compares both ways: the oracle has every message that the gateway kept, and the gateway knows every message that the
 * oracle has. Messages signed after the last ack are on their way at the stop: they are in the spool, and so not lost.
 */
export function compareMessages(ledger: Messages, spools: Messages, acknowledged?: Map<string, bigint>): string[] {
  const faults: string[] = [];
  const isOnItsWay = (name: string) => {
    const [meter = '', seq = '0'] = name.split('/');
    return acknowledged !== undefined && BigInt(seq) > (acknowledged.get(meter) ?? 0n);
  };
  for (const [name, bytes] of spools) {
    const stored = ledger.get(name);
    if (stored === undefined && isOnItsWay(name)) continue;
    if (stored === undefined) faults.push(`lost: ${name} is in the spool and not in the ledger`);
    else if (stored !== bytes) faults.push(`seq reused: ${name} differs between spool and ledger`);
  }
  for (const name of ledger.keys())
    if (!spools.has(name)) faults.push(`lost: ${name} was published and is not in the spool`);
  return faults;
}

/**
 * Checks that each slot ever seen shows a verified statement of exactly its window, and that at most its export is
 * minted.
 */
export function judgeSlots(seen: readonly SlotView[], meters: readonly MeterView[], stored: Stored): string[] {
  const faults = new Set<string>();
  const byId = new Map(meters.map((meter) => [meter.meterId, meter]));
  for (const { meterId, window, importWh, exportWh, mintedWh } of seen) {
    const meter = byId.get(meterId);
    if (!meter) continue;
    const slot = `slot of ${meterId}, window ${window}`;
    if (mintedWh > exportWh) faults.add(`${slot}: minted ${mintedWh} Wh of ${exportWh}`);
    const isNew = window <= meter.enrolmentWindow && importWh === 0n && exportWh === 0n;
    if (isNew) continue;
    const statement = stored.statements.get(`${meterId}/${window}`);
    if (!statement) faults.add(`${slot}: no verified statement of this window`);
    else if (
      statement.importWh + meter.importOffset !== importWh ||
      statement.exportWh + meter.exportOffset !== exportWh
    )
      faults.add(`${slot}: ${importWh}/${exportWh} Wh, its statement says otherwise`);
  }
  return [...faults];
}
