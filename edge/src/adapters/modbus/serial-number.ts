import type { Bus } from '../../domain/bus/bus.js';
import { type LineCost, planReads } from '../../planner/plan.js';
import { variantsOf } from '../../planner/variants.js';
import type { RegisterMap } from '../../profiles/profile.js';
import { decodeSample } from '../../profiles/sample.js';

/**
 * Builds the function that reads a meter's serial number by its profile; undefined where the profile has no register
 * for it. The function rejects with `ReadError`, and resolves with null where the meter shows none.
 */
export function serialReader(
  bus: Bus,
  unit: number,
  profile: RegisterMap,
  cost: LineCost,
  periodMs: number,
): (() => Promise<string | null>) | undefined {
  const registers = profile.registers.filter(({ key }) => key === 'serial');
  const [request] = planReads(registers, profile.limits, cost);
  if (!request) return undefined;
  const variants = [request, ...variantsOf(request, profile, cost, { cover: registers })];
  return async () => {
    const { address, data } = await bus.read(unit, request.function, variants, { periodMs });
    return decodeSample(profile, [{ function: request.function, address, data }]).serial;
  };
}
