import { sha256 } from './bytes.js';
import { Kind, type Statement } from './payload.js';
import { isAttestable, Quality } from './quality.js';
import type { Window } from './units.js';

/**
 * Computes the connection point of a site with a production and a consumption meter, but none at its boundary [wire §5].
 * Gateway and oracle use this code. A firmware does not, so it has no second implementation. Whole watt-hours, no rounding.
 *
 * Signs. Both meters count as every meter of the wire format does: *import* is energy towards what the meter feeds,
 * *export* is energy away from it:
 *
 *     production  = rise of the production meter's export  - rise of its import  (what inverters draw at night)
 *     consumption = rise of the consumption meter's import - rise of its export  (what flows back out of the house)
 *     surplus     = production - consumption, over one span
 *
 * A positive surplus is export through the connection point, a negative surplus is import. A span has one surplus with one
 * sign. With max(0, surplus) over spans whose ends the two meters do not share, a reader counts energy that never was.
 */

/** Both registers of a meter, cumulative Wh. The registers of a point are sums: the encoder checks that they fit u64. */
export interface RegisterPair {
  readonly importWh: bigint;
  readonly exportWh: bigint;
}

/** The fields of one meter's statement that the derivation uses. */
export type PointInput = RegisterPair & Pick<Statement, 'window' | 'quality' | 'timeUncertaintyMs'>;

/**
 * State of a derived point: its own registers at the end of `window`, and the meters' registers from which the next span
 * counts.
 */
export interface PointState extends RegisterPair {
  readonly window: Window;
  readonly production: RegisterPair;
  readonly consumption: RegisterPair;
}

/** A closed span. */
export interface ClosedSpan {
  readonly state: PointState;
  /** Production - consumption, Wh; 0 for a new base. */
  readonly surplusWh: bigint;
  /** True when a register of one of the meters fell: the span's energy is unknown, and the next span begins here. */
  readonly isNewBase: boolean;
}

/** Fields of a derived point's statement, without its meter and seq. */
export type PointStatement = Omit<Statement, 'networkId' | 'meterId' | 'seq' | keyof RegisterPair> & RegisterPair;

const registersOf = ({ importWh, exportWh }: RegisterPair): RegisterPair => ({ importWh, exportWh });

/** Returns production - consumption between two register pairs, Wh; null where a register fell. */
export function surplusWh(
  from: { readonly production: RegisterPair; readonly consumption: RegisterPair },
  to: { readonly production: RegisterPair; readonly consumption: RegisterPair },
): bigint | null {
  const produced = to.production.exportWh - from.production.exportWh;
  const drawn = to.production.importWh - from.production.importWh;
  const consumed = to.consumption.importWh - from.consumption.importWh;
  const returned = to.consumption.exportWh - from.consumption.exportWh;
  if (produced < 0n || drawn < 0n || consumed < 0n || returned < 0n) return null;
  return produced - drawn - (consumed - returned);
}

/** Returns a point whose first span begins at the end of a window for which both meters have a good statement. */
export function openPoint(enrolled: RegisterPair, production: PointInput, consumption: PointInput): PointState {
  return {
    window: sameWindow(production, consumption),
    ...registersOf(enrolled),
    production: registersOf(production),
    consumption: registersOf(consumption),
  };
}

/**
 * Closes the span from `base` to the window of both inputs, which must both be good (`isAttestable`). The point's registers
 * never fall. After a fall of a meter's register the point's registers stay unchanged, and the next span begins here: no energy
 * is invented. Throws `RangeError` for inputs of two windows, or of a window that is not later.
 */
export function closeSpan(base: PointState, production: PointInput, consumption: PointInput): ClosedSpan {
  const next = openPoint(base, production, consumption);
  if (next.window <= base.window) throw new RangeError(`window ${next.window} after ${base.window}: windows rise`);
  const surplus = surplusWh(base, next);
  if (surplus === null) return { state: next, surplusWh: 0n, isNewBase: true };
  const state =
    surplus > 0n ? { ...next, exportWh: base.exportWh + surplus } : { ...next, importWh: base.importWh - surplus };
  return { state, surplusWh: surplus, isNewBase: false };
}

/**
 * Returns the statement for the window of `state`. It has no readings of its own. Its quality joins that of both inputs, with
 * the bits of a derived figure and, for a new base, of a discontinuity. Its time uncertainty is the worse of the two.
 */
export function pointStatement(
  state: PointState,
  isNewBase: boolean,
  production: PointInput,
  consumption: PointInput,
): PointStatement {
  const [a, b] = [production.timeUncertaintyMs, consumption.timeUncertaintyMs];
  const marks = Quality.derived | Quality.gatewaySigned | (isNewBase ? Quality.discontinuity : 0);
  return {
    kind: Kind.statement,
    window: state.window,
    ...registersOf(state),
    readingCount: 0,
    quality: production.quality | consumption.quality | marks,
    timeUncertaintyMs: a === null || b === null ? null : Math.max(a, b),
    readingsRoot: sha256(),
  };
}

/**
 * Returns the windows that may close a span: both meters have a good statement for them. Both lists rise by window. A statement
 * without a counterpart closes no span; the next pair covers its energy.
 */
export function* goodPairs<P extends PointInput, C extends PointInput>(
  production: Iterable<P>,
  consumption: Iterable<C>,
): Generator<readonly [P, C]> {
  const left = goodOf(production);
  const right = goodOf(consumption);
  let p = left.next();
  let c = right.next();
  while (!p.done && !c.done) {
    if (p.value.window === c.value.window) yield [p.value, c.value];
    const step = p.value.window - c.value.window;
    if (step <= 0) p = left.next();
    if (step >= 0) c = right.next();
  }
}

function* goodOf<T extends PointInput>(inputs: Iterable<T>): Generator<T> {
  for (const input of inputs) if (isAttestable(input.quality)) yield input;
}

function sameWindow(production: PointInput, consumption: PointInput): Window {
  if (production.window === consumption.window) return production.window;
  throw new RangeError(`production of window ${production.window}, consumption of window ${consumption.window}`);
}
