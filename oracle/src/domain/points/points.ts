import {
  addWindows,
  asMeterId,
  closeSpan,
  equalBytes,
  fromHex,
  type MeterId,
  openPoint,
  type PointInput,
  type PointState,
  pointId,
  pointStatement,
  Quality,
  Reason,
  Role,
  type Statement,
  type Window,
} from '@gridtokenx/protocol';
import type { MeterRecord } from '../ports.js';
import type { WindowRegisters } from '../verdicts/limits.js';
import { refusedFor, type Verdict } from '../verdicts/verdict.js';

/**
 * The ledger's knowledge of one meter's statement for a window. *open*: the statement may still arrive or be accepted.
 * *never*: the statement is refused or not good, or the meter has moved to a later window without it.
 */
export type Witnessed = { readonly input: PointInput; readonly isComplete: boolean } | 'open' | 'never';

/**
 * The two meters of a derived point, as their verified chains show them. `isComplete`: every earlier message is stored
 * or declared.
 */
export interface PointWitness {
  production(window: Window): Witnessed;
  consumption(window: Window): Witnessed;
  /**
   * Yields windows from `from` to `through`, both included, for which both meters have a good statement, in rising
   * order.
   */
  pairs(from: Window, through: Window): Iterable<readonly [PointInput, PointInput]>;
  /** Valid for one scan, during which the chains of the meters do not change. */
  readonly folds: Folds;
}

/**
 * Returns the verdict on a statement of a derived point from the statements of its two meters; null when it is right
 * [wire §9.9]. `basis` is the last accepted statement below, or the enrolment.
 *
 * Since `basis` the point must have moved by exactly the surplus of its meters. Its export must not exceed that of
 * closing every possible span. For two consecutive windows this means equality. A gateway may have closed fewer spans
 * than the ledger could. A late statement joins the next span, and a restored image forgets some. Then both registers
 * rose by less, which is never more export than the true amount.
 *
 * *predecessor pending*, not settled, while a statement that it derives from may still arrive; *derivation mismatch*
 * when none can. The verdict depends on the stored messages and not on their order of arrival.
 */
export function judgePoint(
  witness: PointWitness | undefined,
  basis: WindowRegisters,
  statement: Statement,
): Verdict | null {
  const pending = refusedFor(Reason.predecessorPending);
  const mismatch = refusedFor(Reason.derivationMismatch);
  // Derived from meters that the registry does not show: nothing can be recomputed.
  if (!witness) return (statement.quality & Quality.derived) === 0 ? null : pending;
  const production = witness.production(statement.window);
  const consumption = witness.consumption(statement.window);
  if (production === 'never' || consumption === 'never') return mismatch;
  if (production === 'open' || consumption === 'open') return pending;
  const { state, isNewBase } = witness.folds.to(basis, statement.window, witness);
  const {
    window: _,
    importWh,
    exportWh,
    ...said
  } = pointStatement({ ...state, window: statement.window }, isNewBase, production.input, consumption.input);
  const isSaid =
    statement.quality === said.quality &&
    statement.timeUncertaintyMs === said.timeUncertaintyMs &&
    statement.readingCount === said.readingCount &&
    equalBytes(statement.readingsRoot, said.readingsRoot);
  const isNet = statement.exportWh - statement.importWh === exportWh - importWh;
  if (isSaid && isNet && statement.exportWh <= exportWh) return null;
  return production.isComplete && consumption.isComplete ? mismatch : pending;
}

/**
 * Folds the point with every possible span closed, from a basis to a window; the first pair begins the span from the
 * basis. Statements that are not accepted leave the basis unchanged, so the next fold continues from the last fold.
 * However many statements a gateway sends, a scan visits each window once.
 */
export class Folds {
  #basis: WindowRegisters | null = null;
  #last: { state: PointState; isNewBase: boolean } | null = null;

  /** Folds to a window. Calls must rise by window while the basis is the same. */
  to(basis: WindowRegisters, window: Window, { pairs }: Pick<PointWitness, 'pairs'>) {
    const isSame =
      this.#basis?.window === basis.window &&
      this.#basis.importWh === basis.importWh &&
      this.#basis.exportWh === basis.exportWh;
    let last = isSame && this.#last && this.#last.state.window <= window ? this.#last : null;
    for (const [production, consumption] of pairs(last ? addWindows(last.state.window, 1) : basis.window, window)) {
      last = last
        ? closeSpan(last.state, production, consumption)
        : { state: openPoint(basis, production, consumption), isNewBase: false };
    }
    if (!last) throw new RangeError(`no pair for window ${window}, which both meters have stated`);
    this.#basis = basis;
    this.#last = last;
    return last;
  }
}

/** The meters that a point is derived from. */
export interface Parents {
  readonly production: MeterId;
  readonly consumption: MeterId;
}

/**
 * Knows which registered points are derived, and from which meters. A point's id is the hash of its meters, so a
 * registration cannot name others. The index searches the meters of one owner in one zone.
 */
export class SiteIndex {
  readonly #ids = new Map<string, MeterId>();
  #parents = new Map<MeterId, Parents>();
  #points = new Map<MeterId, MeterId[]>();

  /** Takes a new state of the registry. */
  update(meters: readonly MeterRecord[]): void {
    const sites = new Map<string, { production: MeterId[]; consumption: MeterId[] }>();
    for (const { role, owner, zone, meterId } of meters) {
      if (role === Role.point) continue;
      const site = sites.get(`${owner}/${zone}`) ?? { production: [], consumption: [] };
      sites.set(`${owner}/${zone}`, site);
      (role === Role.production ? site.production : site.consumption).push(meterId);
    }
    this.#parents = new Map();
    this.#points = new Map();
    if (sites.size === 0) return;
    const byId = new Map<MeterId, Parents>();
    for (const site of sites.values())
      for (const production of site.production)
        for (const consumption of site.consumption)
          byId.set(this.#pointOf(production, consumption), { production, consumption });
    for (const { role, meterId } of meters) {
      const parents = role === Role.point ? byId.get(meterId) : undefined;
      if (!parents) continue;
      this.#parents.set(meterId, parents);
      for (const parent of [parents.production, parents.consumption])
        this.#points.set(parent, [...this.pointsOf(parent), meterId]);
    }
  }

  /** The derived points. */
  get derived(): ReadonlyMap<MeterId, Parents> {
    return this.#parents;
  }

  /** Points that are derived from a meter. */
  pointsOf(meterId: MeterId): readonly MeterId[] {
    return this.#points.get(meterId) ?? [];
  }

  #pointOf(production: MeterId, consumption: MeterId): MeterId {
    const name = `${production}/${consumption}`;
    let id = this.#ids.get(name);
    if (id === undefined) {
      id = asMeterId(pointId(fromHex(production), fromHex(consumption)));
      this.#ids.set(name, id);
    }
    return id;
  }
}
