import type { ReadVariant } from '../domain/bus/bus.js';
import type { RegisterMap } from '../profiles/profile.js';
import type { FunctionCode, Register } from '../profiles/register.js';
import type { LineCost } from './plan.js';
import { variantsOf } from './variants.js';
import { polledRegisters } from './wanted.js';

const MAX_LENGTHS = 125;

/** A read of one length, made only to learn whether the meter answers that length. */
export type LengthRead = ReadVariant & { readonly fn: FunctionCode };

/** Returns the shortest limit by which each value can still be read in one request with its scale factor. */
export function leastLength(registers: readonly Register[]): number {
  return Math.max(1, ...registers.map((register) => spanOf(withFactor(register, registers))));
}

/** Returns a value with the scale factor that it needs. */
export function withFactor(register: Register, all: readonly Register[]): Register[] {
  const factor = all.find(({ key }) => key === register.scaleFactor);
  return factor ? [register, factor] : [register];
}

function spanOf(held: readonly Register[]): number {
  const first = Math.min(...held.map(({ address }) => address));
  return Math.max(...held.map(({ address, length }) => address + length)) - first;
}

/** Returns a read whose length lies nearest to the middle of the open ones; null when the map allows none of them. */
export function middleLength(
  map: RegisterMap,
  { above, below }: { readonly above: number; readonly below: number },
  cost: LineCost,
): LengthRead | null {
  const limited = { ...map, limits: { ...map.limits, maxRegisters: Math.min(map.limits.maxRegisters, below - 1) } };
  const middle = (above + below) / 2;
  let best: LengthRead | null = null;
  for (const register of below - above > 1 ? polledRegisters(map) : []) {
    const { function: fn } = register;
    const request = { function: fn, address: 0, count: 0, registers: [register], billing: false, costUs: 0 };
    for (const { address, count } of variantsOf(request, limited, cost, { most: MAX_LENGTHS })) {
      if (count <= above) continue;
      if (!best || Math.abs(count - middle) < Math.abs(best.count - middle)) best = { fn, address, count };
    }
  }
  return best;
}
