import type { RegisterMap } from '../profiles/profile.js';
import type { Register } from '../profiles/register.js';
import { type LineCost, mayRead, type ReadRequest, readCostUs } from './plan.js';

/** Bound of the variants of a request: a unit rests once 4 shapes are outstanding. */
const MAX_VARIANTS = 8;

export interface VariantOptions {
  /**
   * Registers that each variant must hold; default: all of the request. The billing registers alone allow shorter
   * variants.
   */
  readonly cover?: readonly Register[];
  /** Largest number of variants. */
  readonly most?: number;
}

/**
 * Finds reads of other lengths that can replace a request, cheapest first: no two of one length, none of the request's
 * own. Unit, function and byte count alone identify a reply, so the read after a time-out needs another byte count
 * [gateway §6.2]. Empty where the meter proves no room around the registers.
 */
export function variantsOf(
  request: ReadRequest,
  map: RegisterMap,
  cost: LineCost,
  { cover = request.registers, most = MAX_VARIANTS }: VariantOptions = {},
): ReadRequest[] {
  const { limits, registers } = map;
  const code = request.function;
  const start = Math.min(...cover.map((register) => register.address));
  const end = Math.max(...cover.map((register) => register.address + register.length));
  if (cover.length === 0) return [];
  const found: ReadRequest[] = [];
  for (let count = end - start; count <= limits.maxRegisters && found.length < most; count += 1) {
    if (count === request.count) continue;
    const address = placeOf(count);
    if (address !== null) found.push(readOf(address, count));
  }
  return found;

  /**
   * Returns the address at which a read of this length may begin, as near to the registers' start as possible; null =
   * nowhere.
   */
  function placeOf(count: number): number | null {
    for (let address = start; address >= end - count && address >= 0; address--) {
      if (mayRead(code, address, count, limits, registers)) return address;
    }
    return null;
  }

  function readOf(address: number, count: number): ReadRequest {
    const held = registers.filter(
      (register) =>
        register.function === code &&
        register.address >= address &&
        register.address + register.length <= address + count,
    );
    const all = [...new Set([...cover, ...held])].sort((a, b) => a.address - b.address);
    return { ...request, address, count, registers: all, costUs: readCostUs(count, cost) };
  }
}
