import { asWindow, Kind, MAX_REFUSED, toHex } from '@gridtokenx/protocol';
import type { Signed } from '@gridtokenx/testing-kit/key-log';
import { judgeSet, type SetEntry } from '#oracle/domain/verdicts/judge-set.js';
import { type Bench, nameOfVerdict } from './bench.js';
import { type Item, streamName, type World } from './world.js';

/** The result of a ledger: everything that must not depend on the messages' order of arrival. Values are plain text. */
export interface Summary {
  /** By stream (or by gateway, for what belongs to none) and message. */
  readonly verdicts: ReadonlyMap<string, number>;
  readonly marks: ReadonlyMap<string, string>;
  /** Statements that may be attested, by meter: window, registers and payload of each. */
  readonly attestable: ReadonlyMap<string, string>;
  readonly counts: ReadonlyMap<string, string>;
  /** Content of each gateway's ack. */
  readonly told: ReadonlyMap<string, string>;
}

const hex = (value: unknown) => toHex(value as Uint8Array);
const number = (value: unknown) => BigInt(`0x${hex(value)}`);

/** Reads everything from the ledger's tables and from its public views. */
export function summarise(world: World, bench: Bench<Item>): Summary {
  const { sqlite } = bench;
  const rows = (text: string) => sqlite.prepare(text).all();
  const surplus = surplusOf(world);
  const verdicts = new Map<string, number>();
  for (const row of rows(
    'SELECT s.meter, s.key, m.hash, m.verdict, m.settled FROM messages m JOIN streams s ON s.id = m.stream',
  )) {
    const name = `${streamName(String(row.meter), row.key as Uint8Array)} ${hex(row.hash)}`;
    // A place has more contradictions than are kept: the surplus is only counted, and the choice of the kept ones is
    // free.
    if (surplus.has(hex(row.hash)) && row.verdict === 8) continue;
    verdicts.set(name, Number(row.verdict) + (row.settled === 1 ? 0 : 1_000));
  }
  for (const row of rows(
    'SELECT g.key, r.hash, r.reason, r.settled FROM rejects r JOIN gateways g ON g.id = r.gateway',
  ))
    verdicts.set(`${hex(row.key)} ${hex(row.hash)}`, Number(row.reason) + (row.settled === 1 ? 0 : 1_000));
  const marks = new Map<string, string>();
  for (const row of rows('SELECT * FROM streams')) {
    const suspended = row.suspended_from === null ? 'no' : number(row.suspended_from);
    marks.set(
      streamName(String(row.meter), row.key as Uint8Array),
      `stored ${number(row.stored_through)}, seen ${number(row.highest_seen)}, window ${row.highest_window}, suspended ${suspended}`,
    );
  }
  return {
    verdicts,
    marks,
    attestable: attestableOf(world, bench),
    counts: countsOf(world, bench),
    told: toldOf(world, bench),
  };
}

function attestableOf(world: World, { statements }: Bench<Item>): Map<string, string> {
  const found = new Map<string, string>();
  for (const { record } of world.meters) {
    const all = statements.attestable(record.meterId, asWindow(0), 1_000);
    const text = all.map((s) => `${s.window}:${s.importWh}:${s.exportWh}:${toHex(s.payload).slice(-32)}`).join(' ');
    const newest = statements.newest(record.meterId);
    found.set(
      record.meterId,
      `${text} newest ${newest ? `${newest.window}:${newest.importWh}:${newest.exportWh}` : 'none'}`,
    );
  }
  return found;
}

/**
 * Returns counters of messages that belong to a stream; duplicates and refusals of no stream depend on repeated sends.
 */
function countsOf(world: World, { views }: Bench<Item>): Map<string, string> {
  const surplus = surplusOf(world);
  const crowded = new Set(world.items.filter((item) => surplus.has(item.name)).map((item) => item.meter));
  const found = new Map<string, string>();
  for (const { index, record } of world.meters) {
    if (crowded.has(index)) continue;
    const { counts } = views.meter(record);
    const text = counts.filter((c) => c.kind !== 0).map((c) => `${c.kind}/${nameOfVerdict(c.verdict)}=${c.n}`);
    found.set(record.meterId, text.sort().join(' '));
  }
  return found;
}

function toldOf(world: World, { ledger }: Bench<Item>): Map<string, string> {
  const found = new Map<string, string>();
  const surplus = surplusOf(world);
  const crowded = new Set(world.items.filter((item) => surplus.has(item.name)).map((item) => item.meter));
  world.gateways.forEach((gateway, index) => {
    const { meters, refused } = ledger.tell(gateway);
    const marks = [...meters].map(([id, m]) => `${id}=${m.storedThrough}/${m.highestSeen}/${m.highestWindow}`).sort();
    const names = refused.map((r) => `${toHex(r.hash)}:${nameOfVerdict(r.reason)}`).sort();
    // A full list holds only the first refusals of more, by their order of arrival.
    const hasCrowd = world.items.some((item) => item.gateway === index && crowded.has(item.meter));
    const isWhole = refused.length < MAX_REFUSED && !hasCrowd;
    found.set(`gateway ${index}`, `${marks.join(' ')} refused ${isWhole ? names.join(' ') : 'many'}`);
  });
  return found;
}

const surplusCache = new WeakMap<World, ReadonlySet<string>>();
/** Number of contradicting messages kept for one place. */
const KEPT = 4;

/** Returns messages that share a seq, or a window, with so many others that the ledger need not keep them. */
export function surplusOf(world: World): ReadonlySet<string> {
  const known = surplusCache.get(world);
  if (known) return known;
  const places = new Map<string, Set<string>>();
  for (const { stream, signed, name } of world.items) {
    if (!stream || !signed) continue;
    for (const place of placesOf(signed)) {
      const key = `${stream} ${place}`;
      places.set(key, (places.get(key) ?? new Set()).add(name));
    }
  }
  const surplus = new Set([...places.values()].filter((names) => names.size > KEPT).flatMap((names) => [...names]));
  surplusCache.set(world, surplus);
  return surplus;
}

function placesOf({ payload }: Signed): string[] {
  return payload.kind === Kind.statement ? [`seq ${payload.seq}`, `window ${payload.window}`] : [`seq ${payload.seq}`];
}

/** Judges every stream by the definition, from the whole set at once; the second way to the same result. */
export function judgeWorld(world: World): { verdicts: Map<string, number>; marks: Map<string, string> } {
  const streams = new Map<string, Map<string, SetEntry>>();
  for (const { stream, signed, name } of world.items) {
    if (!stream || !signed) continue;
    const { payload, hash } = signed;
    const entry = { payload, signed: signed.signed, hash, arrivedAtMs: world.finalAtMs, registryIsNewer: true };
    streams.set(stream, (streams.get(stream) ?? new Map()).set(name, entry));
  }
  const surplus = surplusOf(world);
  const verdicts = new Map<string, number>();
  const marks = new Map<string, string>();
  for (const [stream, entries] of streams) {
    const [meterId = '', key = ''] = stream.split('/');
    const record = world.registry.get(meterId);
    if (!record) throw new Error(`no record of ${meterId}`);
    const set = judgeSet(entries.values(), record, world.finalAtMs, new Uint8Array(Buffer.from(key, 'hex')));
    for (const [name, { verdict }] of set.judgements) {
      if (surplus.has(name) && verdict.code === 8) continue;
      verdicts.set(`${stream} ${name}`, verdict.code + (verdict.settled ? 0 : 1_000));
    }
    marks.set(
      stream,
      `stored ${set.storedThrough}, seen ${set.highestSeen}, window ${set.highestWindow}, suspended ${set.suspendedFrom ?? 'no'}`,
    );
  }
  return { verdicts, marks };
}
