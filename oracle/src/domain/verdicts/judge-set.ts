import { asWindow, Kind, latestWindow, toHex, type Window } from '@gridtokenx/protocol';
import type { PointWitness } from '../points/points.js';
import type { MeterRecord } from '../ports.js';
import type { Entry, Judgement, ScanContext } from './entry.js';
import { declaredGap, Gaps } from './gaps.js';
import { termsOf } from './rotation.js';
import { firstStart, StreamScan } from './scan.js';

/** A message of a set, with its hash. */
export type SetEntry = Omit<Entry, 'contradicted'> & { readonly hash: Uint8Array };

export interface SetResult {
  /** By the message's short hash in hex. */
  readonly judgements: ReadonlyMap<string, Judgement>;
  readonly suspendedFrom: bigint | null;
  readonly storedThrough: bigint;
  readonly highestSeen: bigint;
  readonly highestWindow: Window;
}

/**
 * Judges a complete set of messages of one stream (the meter's key in force, or `key`) from nothing: [wire §9] written
 * for clarity. The ledger reaches the same result step by step; a property test compares both.
 */
export function judgeSet(
  messages: Iterable<SetEntry>,
  meter: MeterRecord,
  nowMs: number,
  key: Uint8Array = meter.key,
  point?: PointWitness,
): SetResult {
  const byHash = new Map<string, SetEntry>();
  for (const message of messages) byHash.set(toHex(message.hash), message);
  const entries = [...byHash.entries()].sort(
    ([a, x], [b, y]) => compare(x.payload.seq, y.payload.seq) || (a < b ? -1 : 1),
  );
  const contradicted = contradictions(entries);
  let suspendedFrom: bigint | null = null;
  for (const [hash, entry] of entries) {
    if (contradicted.has(hash) && (suspendedFrom === null || entry.payload.seq < suspendedFrom)) {
      suspendedFrom = entry.payload.seq;
    }
  }
  const gaps = new Gaps();
  for (const [, { payload }] of entries) {
    const gap = declaredGap(payload);
    if (gap && (suspendedFrom === null || payload.seq < suspendedFrom)) gaps.add(gap);
  }
  const terms = termsOf(meter, key);
  if (!terms) throw new RangeError('a key that the meter never had');
  const context: ScanContext = { meter, terms, gaps, suspendedFrom, nowMs, point };
  const scan = new StreamScan(firstStart(meter));
  const judgements = new Map<string, Judgement>();
  let highestSeen = 0n;
  let highestWindow = asWindow(0);
  for (const [hash, entry] of entries) {
    judgements.set(hash, scan.step({ ...entry, contradicted: contradicted.has(hash) }, context));
    highestSeen = entry.payload.seq;
    if (entry.payload.kind === Kind.statement) highestWindow = latestWindow(highestWindow, entry.payload.window);
  }
  return { judgements, suspendedFrom, storedThrough: scan.storedThrough(context), highestSeen, highestWindow };
}

/**
 * Returns hashes of messages that share a seq, and of statements that share a window: different bytes for the same
 * place.
 */
function contradictions(entries: readonly (readonly [string, SetEntry])[]): Set<string> {
  const places = new Map<string, string[]>();
  for (const [hash, { payload }] of entries) {
    const names = [`seq ${payload.seq}`];
    if (payload.kind === Kind.statement) names.push(`window ${payload.window}`);
    for (const name of names) places.set(name, [...(places.get(name) ?? []), hash]);
  }
  return new Set([...places.values()].filter((hashes) => hashes.length > 1).flat());
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
