import { Kind, type Payload, Quality, Reason, windowEndAtMs, windowOf, windowStartAtMs } from '@gridtokenx/protocol';
import { declaredGap, Gaps } from '#oracle/domain/verdicts/gaps.js';
import { firstStart, StreamScan } from '#oracle/domain/verdicts/scan.js';
import type { Home } from '../disk/world.js';
import { START_MS } from './world.js';

/** One message after its commit, with the true time of that. */
export interface Seen {
  readonly payload: Payload;
  readonly signed: Uint8Array;
  readonly trueMs: number;
}

/** A statement with one of these bits is shown and never attested. */
const NEVER_ATTESTED = Quality.stale | Quality.unsynchronised | Quality.discontinuity;
/** A known time is wrong by this much at most. */
const KNOWN_MS = 60_000;
/** 6 kW: the register of exported energy rises by a watt-hour in this time. */
const MS_PER_WH = 600;
/** The last cut of a trial may leave a gap that nothing declares any more. */
const ACCEPTED: ReadonlySet<number> = new Set([0, Reason.rootNotReproducible, Reason.predecessorPending]);

export const isGood = (payload: Payload) => payload.kind === Kind.statement && (payload.quality & NEVER_ATTESTED) === 0;

/** Judges one message by what its gateway may know; returns a fault in words, or null. */
export function judgeOne({ payload, trueMs }: Seen, baselineWh: bigint): string | null {
  const name = `seq ${payload.seq}`;
  if (payload.kind === Kind.reading && payload.timeUncertaintyMs !== null) {
    const wrongMs = Number(payload.timeMs) - trueMs;
    if (Math.abs(wrongMs) > payload.timeUncertaintyMs + 1)
      return `${name}: the time is wrong by ${wrongMs} ms and states ${payload.timeUncertaintyMs} ms`;
  }
  if (payload.kind === Kind.event && (payload.quality & Quality.unsynchronised) === 0) {
    if (Math.abs(Number(payload.timeMs) - trueMs) > KNOWN_MS) return `${name}: an event is wrong and says it is known`;
  }
  if (payload.kind !== Kind.statement) return null;
  const readAtMs = START_MS + Number(payload.exportWh - baselineWh) * MS_PER_WH;
  const isIn =
    readAtMs > windowStartAtMs(payload.window) - KNOWN_MS - MS_PER_WH &&
    readAtMs < windowEndAtMs(payload.window) + KNOWN_MS;
  if (!isIn)
    return `${name}: window ${payload.window} has registers of window ${windowOf(readAtMs)} (quality ${payload.quality})`;
  return trueMs < windowEndAtMs(payload.window) - KNOWN_MS ? `${name}: window ${payload.window} is not over` : null;
}

/** Judges all messages as the oracle does; returns the faults in words. */
export function judgeAll(seen: readonly Seen[], { record }: Home): string[] {
  const faults: string[] = [];
  const gaps = new Gaps(seen.flatMap(({ payload }) => declaredGap(payload) ?? []));
  const scan = new StreamScan(firstStart(record));
  const terms = { epoch: record.keyEpoch, lastWindow: null };
  let [seq, window] = [0n, 0];
  for (const { payload, signed, trueMs } of seen) {
    if (payload.seq <= seq) faults.push(`seq ${payload.seq} after ${seq}`);
    seq = payload.seq;
    if (payload.kind === Kind.statement) {
      if (payload.window <= window) faults.push(`seq ${seq}: window ${payload.window} after ${window}`);
      window = payload.window;
    }
    const entry = { payload, signed, arrivedAtMs: trueMs, registryIsNewer: true, contradicted: false };
    const context = { meter: record, terms, gaps, suspendedFrom: null, nowMs: trueMs };
    const { code } = scan.step(entry, context).verdict;
    if (!ACCEPTED.has(code)) faults.push(`seq ${seq} (kind ${payload.kind}) has verdict ${code}`);
  }
  return faults;
}
