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
  readonly discontinuity: { readonly importWh: bigint; readonly exportWh: bigint } | null;
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
  discarded: [],
  configHash: null,
  serial: null,
  point: null,
};

/** Encodes the text of a state file [gateway §3.1]. */
export function encodeState(state: MeterState): string {
  const { discontinuity } = state;
  return `${JSON.stringify({
    version: 1,
    reserved_through: state.reservedThrough.toString(),
    boots: state.boots,
    closed_through: state.closedThrough,
    statement: state.statement && toHex(state.statement),
    discontinuity: discontinuity && [discontinuity.importWh.toString(), discontinuity.exportWh.toString()],
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

const STATEMENT = new RegExp(`^[0-9a-f]{${2 * PAYLOAD_BYTES}}$`);

/**
 * Decodes a state file. Throws `RangeError`: without the state a seq could be used twice, so nothing is signed then.
 */
export function decodeState(text: string): MeterState {
  const fail = (what: string): never => {
    throw new RangeError(
      `the meter's state file is damaged (${what}): restore it from a backup of the whole directory`,
    );
  };
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return fail('not JSON');
  }
  if (value === null || typeof value !== 'object') return fail('no object');
  if (value.version !== 1) fail(`version ${String(value.version)}`);
  const big = (key: string, from: unknown): bigint =>
    typeof from === 'string' && /^\d{1,20}$/.test(from) ? BigInt(from) : fail(key);
  const whole = (key: string): number =>
    Number.isSafeInteger(value[key]) && (value[key] as number) >= 0 ? (value[key] as number) : fail(key);
  const window = (key: string, from: unknown): Window => {
    if (typeof from !== 'number' || !Number.isInteger(from) || from < 0 || from > MAX_U32) return fail(key);
    return asWindow(from);
  };
  const pair = (key: string, from: unknown): [bigint, bigint] =>
    Array.isArray(from) && from.length === 2 ? [big(key, from[0]), big(key, from[1])] : fail(key);
  const isStatement = typeof value.statement === 'string' && STATEMENT.test(value.statement);
  if (value.statement !== null && !isStatement) fail('statement');
  const statement = value.statement === null ? null : fromHex(String(value.statement));
  const fall = value.discontinuity === null ? null : pair('discontinuity', value.discontinuity);
  const configHash = value.config_hash ?? null;
  if (configHash !== null && !/^[0-9a-f]{32}$/.test(String(configHash))) fail('config_hash');
  const registers = (key: string, from: unknown): RegisterPair => {
    const [importWh, exportWh] = pair(key, from);
    return { importWh, exportWh };
  };
  const pointOf = (from: Record<string, unknown>): PointState => ({
    window: window('point', from.window),
    ...registers('point', from.registers),
    production: registers('point', from.production),
    consumption: registers('point', from.consumption),
  });
  const point = (value.point ?? null) as Record<string, unknown> | null;
  if (point !== null && typeof point !== 'object') fail('point');
  const discarded = Array.isArray(value.discarded) ? value.discarded : fail('discarded');
  return {
    reservedThrough: big('reserved_through', value.reserved_through),
    boots: whole('boots'),
    closedThrough: window('closed_through', value.closed_through),
    statement,
    discontinuity: fall && { importWh: fall[0], exportWh: fall[1] },
    discarded: discarded.map((range) => {
      const [first, last] = pair('discarded', range);
      return { first, last };
    }),
    configHash: configHash === null ? null : String(configHash),
    serial: typeof value.serial === 'string' ? value.serial : null,
    point: point && pointOf(point),
  };
}
