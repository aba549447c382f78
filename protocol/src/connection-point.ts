import { sha256 } from './bytes.js';
import { Kind, type Statement } from './payload.js';
import { isAttestable, Quality } from './quality.js';
import type { Window } from './units.js';

/**
 * The connection point of a site that has a production and a consumption meter instead of one at its boundary (wire
 * format: Two meters instead of one). Gateway and oracle compute it with this code; a firmware does not, so there is no
 * second implementation of it [wire §5]. Whole watt-hours, no rounding anywhere.
 *
 * Signs. Both meters count as every meter of the wire format does: *import* is energy towards what the meter feeds,
 * *export* is energy away from it. So
 *
 *     production  = rise of the production meter's export  - rise of its import  (what inverters draw at night)
 *     consumption = rise of the consumption meter's import - rise of its export  (what flows back out of the house)
 *     surplus     = production - consumption, over one span
 *
 * A positive surplus was exported through the connection point, a negative one imported. A span has one surplus with one
 * sign: whoever takes max(0, surplus) over spans whose ends the two meters do not share counts energy that never was.
 */

/** Both registers of a meter, Wh; cumulative. */
export interface RegisterPair {
  readonly importWh: bigint;
  readonly exportWh: bigint;
}

/** What a statement of one of the two meters brings into the derivation. */
export type PointInput = RegisterPair & Pick<Statement, 'window' | 'quality' | 'timeUncertaintyMs'>;

/** Where a derived point stands: its own registers at the end of `window`, and those that the next span is counted from. */
export interface PointState extends RegisterPair {
  readonly window: Window;
  readonly production: RegisterPair;
  readonly consumption: RegisterPair;
}

/** A span that was closed. */
export interface ClosedSpan {
  readonly state: PointState;
  /** Production - consumption, Wh; 0 for a new base. */
  readonly surplusWh: bigint;
  /** A register of one of the meters fell: nothing is known of the span, and the next one begins here. */
  readonly isNewBase: boolean;
}

/** What the statement of a derived point says, beside whose it is and its seq. */
export type PointStatement = Omit<Statement, 'networkId' | 'meterId' | 'seq'>;

const registersOf = ({ importWh, exportWh }: RegisterPair): RegisterPair => ({ importWh, exportWh });

/** Production - consumption between two pairs of registers, Wh; null where a register fell: it was no rise. */
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

/** A point whose first span begins at the end of a window for which both meters have a good statement. */
export function openPoint(enrolled: RegisterPair, production: PointInput, consumption: PointInput): PointState {
  return {
    window: sameWindow(production, consumption),
    ...registersOf(enrolled),
    production: registersOf(production),
    consumption: registersOf(consumption),
  };
}

/**
 * Closes the span from `base` to the window of both inputs, of which each must be good (`isAttestable`). RegisterPair of
 * the point never fall. After a register of a meter fell the point's own stay as they are and the next span is counted
 * from here: nothing is invented. Throws `RangeError` for inputs of two windows, or of one that is not later.
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
 * The statement for the window that `state` stands at. It has no readings of its own. Its quality is that of both inputs
 * together, with the bits of a derived figure and, for a new base, of a discontinuity; its time is the worse of the two.
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
 * The windows at which a span may be closed: those for which both meters have a good statement. Both lists rise by
 * window; what has no counterpart is passed over, and its energy comes with the next pair.
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
