import type { ReadVariant } from '../../domain/bus/bus.js';
import { type LineCost, planReads, type ReadRequest } from '../../planner/plan.js';
import { variantsOf } from '../../planner/variants.js';
import { billingRegisters, furtherRegisters, polledRegisters } from '../../planner/wanted.js';
import type { RegisterMap } from '../../profiles/profile.js';

/** A request of a poll. */
export interface Planned {
  readonly request: ReadRequest;
  /** The request, and reads of other lengths that can replace it. */
  readonly variants: readonly ReadVariant[];
}

/**
 * Lengths beside the request's own that hold all of it: with two of them polls need no others, unless answers are late.
 */
const WHOLE_VARIANTS = 3;

/**
 * Plans the requests of a poll, with the variants of each. Variants that hold all of a request come first, so that
 * rotating lengths cost no value. For energy, variants that hold only energy follow.
 */
export function planOf(profile: RegisterMap, cost: LineCost): Planned[] {
  const billing = billingRegisters(profile).filter(({ key }) => key !== 'total');
  const plan = planReads(polledRegisters(profile), profile.limits, cost).map((request) => {
    const whole = variantsOf(request, profile, cost, request.billing ? { most: WHOLE_VARIANTS } : {});
    const cover = billing.filter((register) => request.registers.includes(register));
    const energy = request.billing ? variantsOf(request, profile, cost, { cover }) : [];
    const others = [...whole, ...energy.filter(({ count }) => !whole.some((other) => other.count === count))];
    return { request, variants: [request, ...others].map(({ address, count }) => ({ address, count })) };
  });
  return spread(plan);
}

/** Plans the requests of the values beside a poll, with the variants of each; empty where the profile names none. */
export function furtherPlan(profile: RegisterMap, cost: LineCost): Planned[] {
  return planReads(furtherRegisters(profile), profile.limits, cost).map((request) => {
    const others = variantsOf(request, profile, cost);
    return { request, variants: [request, ...others].map(({ address, count }) => ({ address, count })) };
  });
}

/**
 * Separates import and export when each has only one length, and it is the same. In sequence the second would wait for
 * a whole quarantine (no shape twice in a row). After a read of another length it waits for a time-out.
 */
function spread(plan: readonly Planned[]): Planned[] {
  const [first, second] = plan;
  const shapeOf = (request: ReadRequest, count: number) => `${request.function} ${count}`;
  const shapes = ({ request, variants }: Planned) => variants.map(({ count }) => shapeOf(request, count));
  if (!first || !second?.request.billing) return [...plan];
  const all = new Set([...shapes(first), ...shapes(second)]);
  if (all.size > 1) return [...plan];
  const between = plan.findIndex((one) => !one.request.billing && shapes(one).some((shape) => !all.has(shape)));
  if (between < 0) return [...plan];
  return [first, plan[between] as Planned, ...plan.filter((one, i) => i > 0 && i !== between && one !== first)];
}
