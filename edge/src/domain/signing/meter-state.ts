import {
  asWindow,
  fromHex,
  MAX_U32,
  PAYLOAD_BYTES,
  type PointState,
  type RegisterPair,
  toHex,
  type Window,
} from '@gridtokenx/protocol';
import { DiscontinuityReason } from './discontinuity.js';

/** Registers that a person accepted although they do not go on from the last good ones. */
export interface AcceptedRegisters {
  /** Reading clock, ms. */
  readonly timeMs: number;
  readonly reason: string;
  /** The meter's own registers then, Wh. */
  readonly raw: RegisterPair;
  /** The signed registers from which the meter counts on, Wh. */
  readonly signed: RegisterPair;
}

export const MAX_ACCEPTED = 16;

/**
 * Holds what one meter's key needs after a restart besides its messages. The file is replaced as a whole, durably,
 * before the effect.
 */
export interface MeterState {
  /** Every seq up to this one may have been used. */
  readonly reservedThrough: bigint;
  readonly boots: number;
  /** Newest window that will get no statement any more, except `statement` itself. */
  readonly closedThrough: Window;
  /** Payload of the newest statement, stored before it was signed: after a crash the same bytes are signed again. */
  readonly statement: Uint8Array | null;
  /** Registers before they fell, while the meter is in discontinuity; null otherwise. */
  readonly discontinuity: RegisterPair | null;
  /** Detail of the event that began the discontinuity; null without one. */
  readonly discontinuityReason: DiscontinuityReason | null;
  /** Detail of the event that began a doubt which has not ended; null without one. */
  readonly doubt: DiscontinuityReason | null;
  /** Wh that each signed register counts more than the meter's own, since a person accepted other registers. */
  readonly offsets: RegisterPair;
  /** Registers that persons accepted, oldest first; at most the newest 16. */
  readonly accepted: readonly AcceptedRegisters[];
  /** Seqs signed on a restored image before that was detected: never published. */
  readonly discarded: readonly { readonly first: bigint; readonly last: bigint }[];
  /** Hash of the configuration at the last event 1 or 12, hex; null in states that older software wrote. */
  readonly configHash: string | null;
  /** The serial number that the meter itself showed first; null: none yet. */
  readonly serial: string | null;
  /** State of a derived point at its newest statement; null for a meter, and before the first statement. */
  readonly point: PointState | null;
}

export const FRESH_STATE: MeterState = {
  reservedThrough: 0n,
  boots: 0,
  closedThrough: asWindow(0),
  statement: null,
  discontinuity: null,
  discontinuityReason: null,
  doubt: null,
  offsets: { importWh: 0n, exportWh: 0n },
  accepted: [],
  discarded: [],
  configHash: null,
  serial: null,
  point: null,
};

/** Encodes the text of a state file [gateway §3.1]. */
export function encodeState(state: MeterState): string {
  return `${JSON.stringify({
    version: 1,
    reserved_through: state.reservedThrough.toString(),
    boots: state.boots,
    closed_through: state.closedThrough,
    statement: state.statement && toHex(state.statement),
    discontinuity: state.discontinuity && pairText(state.discontinuity),
    discontinuity_reason: state.discontinuityReason,
    doubt: state.doubt,
    offsets: pairText(state.offsets),
    accepted: state.accepted.map(({ timeMs, reason, raw, signed }) => ({
      time_ms: timeMs,
      reason,
      raw: pairText(raw),
      signed: pairText(signed),
    })),
    discarded: state.discarded.map(({ first, last }) => [first.toString(), last.toString()]),
    config_hash: state.configHash,
    serial: state.serial,
    point: state.point && {
      window: state.point.window,
      registers: pairText(state.point),
      production: pairText(state.point.production),
      consumption: pairText(state.point.consumption),
    },
  })}\n`;
}

const pairText = ({ importWh, exportWh }: RegisterPair) => [importWh.toString(), exportWh.toString()];

const isDiscontinuityReason = (value: unknown): value is DiscontinuityReason =>
  (Object.values(DiscontinuityReason) as unknown[]).includes(value);

const STATEMENT = new RegExp(`^[0-9a-f]{${2 * PAYLOAD_BYTES}}$`);

/**
 * Decodes a state file. Throws `RangeError`: without the state a seq could be used twice, so nothing is signed then.
 */
export function decodeState(text: string): MeterState {
  const fields = new StateFields(parseObject(text));
  const { value } = fields;
  if (value.version !== 1) fail(`version ${String(value.version)}`);
  const isStatement = typeof value.statement === 'string' && STATEMENT.test(value.statement);
  if (value.statement !== null && !isStatement) fail('statement');
  const configHash = value.config_hash ?? null;
  if (configHash !== null && !/^[0-9a-f]{32}$/.test(String(configHash))) fail('config_hash');
  const point = (value.point ?? null) as Record<string, unknown> | null;
  if (point !== null && typeof point !== 'object') fail('point');
  const discarded = Array.isArray(value.discarded) ? value.discarded : fail('discarded');
  return {
    reservedThrough: fields.big('reserved_through', value.reserved_through),
    boots: fields.whole('boots'),
    closedThrough: fields.window('closed_through', value.closed_through),
    statement: value.statement === null ? null : fromHex(String(value.statement)),
    ...registersOf(fields),
    discarded: discarded.map((range) => {
      const [first, last] = fields.pair('discarded', range);
      return { first, last };
    }),
    configHash: configHash === null ? null : String(configHash),
    serial: typeof value.serial === 'string' ? value.serial : null,
    point: point && {
      window: fields.window('point', point.window),
      ...fields.registers('point', point.registers),
      production: fields.registers('point', point.production),
      consumption: fields.registers('point', point.consumption),
    },
  };
}

/** Decodes the keys about registers. Files of earlier versions have only `discontinuity`. */
function registersOf(
  fields: StateFields,
): Pick<MeterState, 'discontinuity' | 'discontinuityReason' | 'doubt' | 'offsets' | 'accepted'> {
  const { value } = fields;
  const { discontinuity, offsets = ['0', '0'], accepted = [] } = value;
  if (!Array.isArray(accepted)) return fail('accepted');
  return {
    discontinuity: discontinuity === null ? null : fields.registers('discontinuity', discontinuity),
    discontinuityReason: fields.detail('discontinuity_reason'),
    doubt: fields.detail('doubt'),
    offsets: fields.offsets('offsets', offsets),
    accepted: accepted.map((from: Record<string, unknown> | null): AcceptedRegisters => {
      if (from === null || typeof from !== 'object' || typeof from.reason !== 'string') return fail('accepted');
      if (!Number.isSafeInteger(from.time_ms)) return fail('accepted');
      const [raw, signed] = [fields.registers('accepted', from.raw), fields.registers('accepted', from.signed)];
      return { timeMs: from.time_ms as number, reason: from.reason, raw, signed };
    }),
  };
}

function fail(what: string): never {
  throw new RangeError(`the meter's state file is damaged (${what}): restore it from a backup of the whole directory`);
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return fail('not JSON');
  }
  return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : fail('no object');
}

/** Reads the values of a state file by type; each method throws `RangeError` for another type. */
class StateFields {
  readonly value: Record<string, unknown>;

  constructor(value: Record<string, unknown>) {
    this.value = value;
  }

  big(key: string, from: unknown): bigint {
    return typeof from === 'string' && /^\d{1,20}$/.test(from) ? BigInt(from) : fail(key);
  }

  whole(key: string): number {
    const from = this.value[key];
    return Number.isSafeInteger(from) && (from as number) >= 0 ? (from as number) : fail(key);
  }

  window(key: string, from: unknown): Window {
    const isWindow = typeof from === 'number' && Number.isInteger(from) && from >= 0 && from <= MAX_U32;
    return isWindow ? asWindow(from) : fail(key);
  }

  pair(key: string, from: unknown): [bigint, bigint] {
    return Array.isArray(from) && from.length === 2 ? [this.big(key, from[0]), this.big(key, from[1])] : fail(key);
  }

  registers(key: string, from: unknown): RegisterPair {
    const [importWh, exportWh] = this.pair(key, from);
    return { importWh, exportWh };
  }

  /** A pair of numbers that may lie below 0. */
  offsets(key: string, from: unknown): RegisterPair {
    const isPair = Array.isArray(from) && from.length === 2 && from.every((one) => /^-?\d{1,20}$/.test(String(one)));
    return isPair ? { importWh: BigInt(from[0]), exportWh: BigInt(from[1]) } : fail(key);
  }

  detail(key: string): DiscontinuityReason | null {
    const from = this.value[key] ?? null;
    return from === null || isDiscontinuityReason(from) ? from : fail(key);
  }
}
