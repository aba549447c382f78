import { asMeterId, asWh, Role, Source } from '@gridtokenx/protocol';
import { escape as escaped } from '@influxdata/influxdb-client';
import { MAX_SERIES_MS } from '../../domain/live/series-write.js';
import type { SeriesRow } from '../../domain/ports.js';

export const MEASUREMENT = 'reading';
/**
 * Names the fields of `reading`, all integers. Hashes, signatures, seq and wallets are never tags, because every tag
 * value adds a series.
 */
export const FIELDS = [
  'import_wh',
  'export_wh',
  'power_w',
  'voltage',
  'frequency',
  'seq',
  'quality',
  'sig_ok',
] as const;

/** Zones do not state their feeders yet. */
const FEEDER = 'unassigned';
const LARGEST = 2n ** 64n - 1n;
/** The server's times are nanoseconds in 64 bits. */
export const LAST_MS = MAX_SERIES_MS;

const roles = Object.entries(Role);
const sources = Object.entries(Source);

/** Reports a point that cannot be written as a line. */
export class Unwritable extends Error {
  override readonly name = 'Unwritable';
}

/**
 * Returns a point in line protocol, with its time in milliseconds and its tags in the server's sort order. Omits fields
 * that the meter does not measure. The server's integers are signed. So a register or seq of 2^63 or more, which no
 * meter reaches, is written as its two's complement; `pointOf` restores it. Throws `Unwritable` for a point that no
 * line can hold.
 */
export function lineOf(point: SeriesRow): string {
  const { meterId, role, source, zone, timeMs } = point;
  if (meterId === '') throw new Unwritable('no meter');
  if (!Number.isSafeInteger(timeMs) || Math.abs(timeMs) > LAST_MS) throw new Unwritable(`time ${timeMs} out of range`);
  const tags = `feeder=${FEEDER},meter=${escaped.tag(meterId)},role=${nameOf(roles, role)},source=${nameOf(sources, source)},zone=${zone}`;
  const fields = [integer('import_wh', point.importWh), integer('export_wh', point.exportWh)];
  if (point.powerW !== null) fields.push(integer('power_w', point.powerW));
  if (point.voltageDv !== null) fields.push(integer('voltage', point.voltageDv));
  if (point.frequencyChz !== null) fields.push(integer('frequency', point.frequencyChz));
  fields.push(
    integer('seq', point.seq),
    integer('quality', point.quality),
    integer('sig_ok', point.isVerified ? 1 : 0),
  );
  return `${MEASUREMENT},${tags} ${fields.join(',')} ${timeMs}`;
}

/** Builds a point from a row of an answer, whose columns are texts. Throws when a column is missing. */
export function pointOf(row: (column: string) => string | undefined): SeriesRow {
  const must = (column: string): string => {
    const text = row(column);
    if (text === undefined || text === '') throw new Error(`the answer has no ${column}`);
    return text;
  };
  const maybe = (column: string): number | null => {
    const text = row(column);
    return text === undefined || text === '' ? null : Number(text);
  };
  return {
    timeMs: Date.parse(must('_time')),
    meterId: asMeterId(must('meter')),
    zone: Number(must('zone')),
    role: numberOf(roles, must('role')) as SeriesRow['role'],
    source: numberOf(sources, must('source')),
    importWh: asWh(BigInt.asUintN(64, BigInt(must('import_wh')))),
    exportWh: asWh(BigInt.asUintN(64, BigInt(must('export_wh')))),
    powerW: maybe('power_w'),
    voltageDv: maybe('voltage'),
    frequencyChz: maybe('frequency'),
    quality: Number(must('quality')),
    seq: BigInt.asUintN(64, BigInt(must('seq'))),
    isVerified: must('sig_ok') === '1',
  };
}

function integer(name: (typeof FIELDS)[number], value: bigint | number): string {
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new Unwritable(`${name} ${value} is no integer`);
    return `${name}=${value}i`;
  }
  if (value < 0n || value > LARGEST) throw new Unwritable(`${name} ${value} does not fit 64 bits`);
  return `${name}=${BigInt.asIntN(64, value)}i`;
}

/** Returns the name of a number, or the number itself where it has no name yet. */
function nameOf(names: readonly (readonly [string, number])[], value: number): string {
  return names.find(([, number]) => number === value)?.[0] ?? String(value);
}

function numberOf(names: readonly (readonly [string, number])[], name: string): number {
  return names.find(([known]) => known === name)?.[1] ?? Number(name);
}
