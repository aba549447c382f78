import type { Bus } from '../../domain/bus/bus.js';
import { REFUSES_READ } from '../../domain/bus/exceptions.js';
import { RefusedRead } from '../../domain/bus/read-error.js';
import { type LineCost, planReads } from '../../planner/plan.js';
import { variantsOf } from '../../planner/variants.js';
import { judgeProbe, probeRegisters } from '../../profiles/probe.js';
import type { ModbusProfile, RegisterMap } from '../../profiles/profile.js';
import type { Register } from '../../profiles/register.js';
import { type Block, decodeSample } from '../../profiles/sample.js';

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
    const { serial } = decodeSample(profile, [{ function: request.function, address, data }]);
    // A meter that wakes up shows zeros or ones: no meter has 0 or a negative number.
    return serial === null || /^(0+|-.*)$/.test(serial) ? null : serial;
  };
}

/**
 * Builds the function that reads all registers of a profile's probe, one by one where the meter refuses several at once. It resolves with the checks that fail, in words;
 * it rejects with `ReadError`.
 */
export function probeReader(
  bus: Bus,
  unit: number,
  profile: ModbusProfile,
  cost: LineCost,
  periodMs: number,
): () => Promise<readonly string[]> {
  const planned = (some: readonly Register[]) => planReads(some, profile.limits, cost);
  const registers = probeRegisters(profile);
  const requests = planned(registers);
  return async () => {
    const blocks: Block[] = [];
    const left = [...requests];
    for (let request = left.shift(); request; request = left.shift()) {
      const { registers: own } = request;
      const held = registers.filter((register) => own.includes(register));
      // Here, not at the start: the search takes milliseconds, and most meters answer a probe once or never.
      const variants = [request, ...variantsOf(request, profile, cost, { cover: held })];
      try {
        const { address, data } = await bus.read(unit, request.function, variants, { periodMs });
        blocks.push({ function: request.function, address, data });
      } catch (error) {
        const isTooLong = error instanceof RefusedRead && REFUSES_READ.includes(error.code) && held.length > 1;
        if (!isTooLong) throw error;
        bus.explained(unit);
        left.push(...held.flatMap((register) => planned([register])));
      }
    }
    return judgeProbe(profile, blocks).against;
  };
}
