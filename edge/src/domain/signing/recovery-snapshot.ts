import { asMeterId, fromHex, Kind, MerkleBuilder, type MeterId, toHex } from '@gridtokenx/protocol';
import { type SeqRun, SeqRuns } from '../seq-runs.js';
import { contentOf, headOf, readSigned } from '../signed-message.js';
import { OpenSpan } from './open-span.js';
import type { FoundStatement, MeterScan } from './recovery.js';

/** Encodes the scan of all meters. 64-bit numbers are text, bytes hex [gateway §4.5]. */
export function encodeSnapshot(meters: ReadonlyMap<MeterId, MeterScan>): string {
  return JSON.stringify(Array.from(meters, ([id, meter]) => ({ id, ...encodeMeter(meter) })));
}

function encodeMeter(meter: MeterScan) {
  const { open, lastGood } = meter;
  return {
    highest: `${meter.highestSeq}`,
    newest: meter.newest && toHex(meter.newest),
    prev_seq: `${meter.prevSeq}`,
    key_from: meter.keyFrom,
    last: meter.last && toHex(meter.last.payload),
    floor: meter.floor,
    inputs: meter.inputs.map(({ payload }) => toHex(payload)),
    through: open.through,
    merkle: open.merkle.subtrees.map(({ hash, size }) => [toHex(hash), size]),
    readings: open.readings.map((reading) => ({
      ...{ ...reading, importWh: `${reading.importWh}`, exportWh: `${reading.exportWh}` },
    })),
    good: lastGood && { ...lastGood, importWh: `${lastGood.importWh}`, exportWh: `${lastGood.exportWh}` },
    enrolment: meter.enrolment && toHex(meter.enrolment.message.bytes),
    declared: meter.declared.map(({ event, first, last }) => [event, first, last]),
    refused: [...meter.refused].map(({ first, last }) => [first, last]),
    boots: meter.trace.boots,
    broken: meter.trace.broken && {
      reason: meter.trace.broken.reason,
      registers: [`${meter.trace.broken.lastGood.importWh}`, `${meter.trace.broken.lastGood.exportWh}`],
    },
    doubt: meter.trace.doubt,
    restored: [...meter.trace.restored].map(({ first, last }) => [first, last]),
  };
}

/** The shape that `encodeMeter` gives; its bytes are this gateway's own, and their CRC was checked. */
type Encoded = ReturnType<typeof encodeMeter> & { readonly id: string };

/** Decodes a snapshot; null for a text that is none. */
export function decodeSnapshot(text: string): Map<MeterId, MeterScan> | null {
  try {
    const all = JSON.parse(text) as Encoded[];
    return new Map(all.map((one) => [asMeterId(one.id), decodeMeter(one)]));
  } catch {
    return null;
  }
}

function decodeMeter(from: Encoded): MeterScan {
  const subtrees = (from.merkle as [string, number][]).map(([hash, size]) => ({ hash: fromHex(hash), size }));
  const readings = from.readings.map((reading) => ({
    ...{ ...reading, importWh: BigInt(reading.importWh), exportWh: BigInt(reading.exportWh) },
  }));
  return {
    highestSeq: BigInt(from.highest),
    newest: from.newest === null ? null : fromHex(from.newest),
    prevSeq: BigInt(from.prev_seq),
    // Snapshots of earlier versions know the first key only.
    keyFrom: from.key_from ?? 1,
    last: from.last === null ? null : statementIn(from.last),
    floor: from.floor,
    inputs: from.inputs.map(statementIn),
    open: new OpenSpan({ through: from.through, merkle: new MerkleBuilder(subtrees), readings }),
    lastGood: from.good && {
      ...{ ...from.good, importWh: BigInt(from.good.importWh), exportWh: BigInt(from.good.exportWh) },
    },
    enrolment: from.enrolment === null ? null : enrolmentIn(from.enrolment),
    declared: from.declared.map(([event = 0, first = 0, last = 0]) => ({ event, first, last })),
    refused: SeqRuns.of(from.refused.map(runOf)),
    trace: {
      boots: from.boots,
      broken: brokenIn(from),
      doubt: from.doubt,
      restored: SeqRuns.of(from.restored.map(runOf)),
    },
  };
}

function brokenIn({ broken }: Encoded): MeterScan['trace']['broken'] {
  if (!broken) return null;
  const [importWh = '0', exportWh = '0'] = broken.registers;
  return { reason: broken.reason, lastGood: { importWh: BigInt(importWh), exportWh: BigInt(exportWh) } };
}

const runOf = ([first = 0, last = 0]: readonly number[]): SeqRun => ({ first, last });

/** Throws `RangeError` for bytes of another kind. */
function statementIn(hex: string): FoundStatement {
  const payload = fromHex(hex);
  const statement = contentOf({ ...headOf(payload), payload, bytes: payload });
  if (statement?.kind !== Kind.statement) throw new RangeError('no statement');
  return { payload, statement };
}

function enrolmentIn(hex: string): MeterScan['enrolment'] {
  const message = readSigned(fromHex(hex));
  const payload = message && contentOf(message);
  if (!message || payload?.kind !== Kind.enrolment) throw new RangeError('no enrolment');
  return { message, payload };
}
