import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  charTimeUs,
  type LineCost,
  mayRead,
  PlanError,
  planReads,
  type ReadRequest,
  readCostUs,
} from '../src/planner/plan.js';
import { variantsOf } from '../src/planner/variants.js';
import type { ReadLimits } from '../src/profiles/profile.js';
import { BILLING_KEYS, type Register, type RegisterKey } from '../src/profiles/register.js';
import { limitsOf, registerAt } from './support/registers.js';

/** 9,600 baud 8N1 and 50 ms turnaround. */
const COST: LineCost = {
  charTimeUs: charTimeUs(9_600, 'none', 1),
  turnaroundUs: 50_000,
  pauseUs: 0,
  transport: 'rtu',
};

const total = (requests: readonly { costUs: number }[]) => requests.reduce((sum, { costUs }) => sum + costUs, 0);
const isBilling = ({ key }: Register) => (BILLING_KEYS as readonly string[]).includes(key);
const span = (run: readonly Register[]) => {
  const address = Math.min(...run.map((one) => one.address));
  return { address, count: Math.max(...run.map((one) => one.address + one.length)) - address };
};
const allowed = (run: readonly Register[], limits: ReadLimits, all: readonly Register[]) => {
  const { address, count } = span(run);
  return count <= limits.maxRegisters && mayRead(run[0]?.function ?? 3, address, count, limits, all);
};

/** Yields every partition of things into groups, whatever their order. */
function* partitions<T>(items: readonly T[]): Generator<T[][]> {
  const [first, ...rest] = items;
  if (first === undefined) {
    yield [];
    return;
  }
  for (const groups of partitions(rest)) {
    yield [[first], ...groups];
    for (const [i, group] of groups.entries()) yield groups.toSpliced(i, 1, [first, ...group]);
  }
}

/** Finds the lowest cost by trying everything, independent of the planner; null where nothing is allowed. */
function exhaustive(wanted: readonly Register[], limits: ReadLimits, cost: LineCost): number | null {
  const billing = wanted.filter(isBilling);
  const together =
    new Set(billing.map((one) => one.function)).size === 1 && allowed(billing, limits, wanted) ? billing : [];
  let least: number | null = null;
  for (const groups of partitions(wanted)) {
    const fits = groups.every(
      (group) => new Set(group.map((one) => one.function)).size === 1 && allowed(group, limits, wanted),
    );
    const whole = groups.filter((group) => group.some((one) => together.includes(one))).length <= 1;
    if (!fits || !whole) continue;
    const sum = groups.reduce((all, group) => all + readCostUs(span(group).count, cost), 0);
    if (least === null || sum < least) least = sum;
  }
  return least;
}

/** Plans as most gateways do: joins each register to the run before it whenever that alone is cheaper. */
function greedy(wanted: readonly Register[], limits: ReadLimits, cost: LineCost): number {
  const runs: Register[][] = [];
  for (const one of wanted.toSorted((a, b) => a.function - b.function || a.address - b.address)) {
    const last = runs.at(-1);
    const joined = last && last[0]?.function === one.function ? [...last, one] : null;
    const apart = last ? readCostUs(span(last).count, cost) + readCostUs(one.length, cost) : 0;
    if (joined && allowed(joined, limits, wanted) && readCostUs(span(joined).count, cost) <= apart) last?.push(one);
    else runs.push([one]);
  }
  return runs.reduce((sum, run) => sum + readCostUs(span(run).count, cost), 0);
}

const KEYS: readonly RegisterKey[] = ['import', 'export', 'power', 'voltage', 'frequency', 'serial', 'firmware'];

/** Small maps: up to 7 registers that do not overlap, gaps of every size, tight limits, holes and unproved gaps. */
const maps = fc
  .record({
    registers: fc.array(
      fc.record({
        gap: fc.oneof(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 60 })),
        type: fc.constantFrom('u16', 'u32', 'u64' as const),
        code: fc.constantFrom(3, 3, 3, 4 as const),
      }),
      { minLength: 1, maxLength: KEYS.length },
    ),
    order: fc.shuffledSubarray([...KEYS], { minLength: KEYS.length }),
    maxRegisters: fc.integer({ min: 4, max: 70 }),
    hole: fc.option(fc.integer({ min: 0, max: 120 })),
    proved: fc.boolean(),
    transport: fc.constantFrom('rtu', 'tcp' as const),
    turnaroundUs: fc.constantFrom(0, 5_000, 50_000),
  })
  .map(({ registers, order, maxRegisters, hole, proved, transport, turnaroundUs }) => {
    let next = 0;
    const wanted = registers.map(({ gap, type, code }, i) => {
      const one = registerAt(order[i] ?? 'import', next + gap, { type, function: code as 3 | 4 });
      next = one.address + one.length;
      return one;
    });
    const inTheWay = wanted.some((one) => hole !== null && one.address <= hole && hole < one.address + one.length);
    const limits = limitsOf({
      maxRegisters,
      ...(proved ? {} : { readable: [] }),
      forbidden: hole === null || inTheWay ? [] : [{ function: 3, first: hole, last: hole }],
    });
    return { wanted, limits, cost: { ...COST, transport, turnaroundUs } as LineCost };
  });

describe('planReads', () => {
  test('costs what the cheapest of all partitions costs', () => {
    fc.assert(
      fc.property(maps, ({ wanted, limits, cost }) => {
        expect(total(planReads(wanted, limits, cost))).toBeCloseTo(exhaustive(wanted, limits, cost) ?? Number.NaN, 6);
      }),
      { numRuns: 400 },
    );
  });

  test('control: a greedy planner does not pass that test', () => {
    const found = fc.check(
      fc.property(
        maps,
        ({ wanted, limits, cost }) =>
          Math.abs(greedy(wanted, limits, cost) - (exhaustive(wanted, limits, cost) ?? 0)) < 1e-6,
      ),
      { numRuns: 400 },
    );
    expect(found.failed).toBe(true);
  });

  test('reads every wanted register once, whole, within the limits', () => {
    fc.assert(
      fc.property(maps, ({ wanted, limits, cost }) => {
        const requests = planReads(wanted, limits, cost);
        const keys = (list: readonly Register[]) => list.map((one) => one.key).toSorted();
        expect(keys(requests.flatMap((one) => one.registers))).toEqual(keys(wanted));
        for (const { function: code, address, count, registers } of requests) {
          expect(count).toBeLessThanOrEqual(limits.maxRegisters);
          expect(mayRead(code, address, count, limits, wanted)).toBe(true);
          for (const one of registers) {
            expect(one.function).toBe(code);
            expect(one.address).toBeGreaterThanOrEqual(address);
            expect(one.address + one.length).toBeLessThanOrEqual(address + count);
          }
        }
      }),
    );
  });

  test('import and export come in one request even where two would be cheaper', () => {
    const wanted = [registerAt('import', 0, { type: 'u32' }), registerAt('export', 100, { type: 'u32' })];
    const requests = planReads(wanted, limitsOf(), COST);
    expect(requests).toMatchObject([{ address: 0, count: 102, billing: true }]);
    expect(total(requests)).toBeGreaterThan(2 * readCostUs(2, COST));
  });

  test('import and export are read apart where the gap between them is not proved', () => {
    const wanted = [registerAt('import', 0, { type: 'u32' }), registerAt('export', 4, { type: 'u32' })];
    const requests = planReads(wanted, limitsOf({ readable: [] }), COST);
    expect(requests.map(({ address, count }) => [address, count])).toEqual([
      [0, 2],
      [4, 2],
    ]);
  });

  test('the billing request comes first', () => {
    const wanted = [registerAt('power', 0), registerAt('import', 500), registerAt('export', 501)];
    expect(planReads(wanted, limitsOf(), COST).map((one) => one.billing)).toEqual([true, false]);
  });

  test('a gap is crossed up to the register at which two requests cost the same', () => {
    const pair = (gap: number) => [registerAt('power', 0), registerAt('voltage', 1 + gap)];
    // A second request costs 13 characters, 3.5 of silence and the turnaround; a register of the gap, 2 characters.
    const most = Math.floor((13 + 3.5 + COST.turnaroundUs / COST.charTimeUs) / 2);
    expect(planReads(pair(most), limitsOf(), COST)).toHaveLength(1);
    expect(planReads(pair(most + 1), limitsOf(), COST)).toHaveLength(2);
  });

  test('a hole that raises exceptions is never read', () => {
    const forbidden = [{ function: 3 as const, first: 1, last: 1 }];
    const wanted = [registerAt('power', 0), registerAt('voltage', 2)];
    expect(planReads(wanted, limitsOf({ forbidden }), COST)).toHaveLength(2);
  });

  test('both ends of a request are aligned where the meter wants it', () => {
    const wanted = [registerAt('power', 2, { type: 'f32' }), registerAt('voltage', 6, { type: 'f32' })];
    expect(planReads(wanted, limitsOf({ align: 2 }), COST)).toMatchObject([{ address: 2, count: 6 }]);
    expect(() => planReads([registerAt('power', 3)], limitsOf({ align: 2 }), COST)).toThrow(PlanError);
  });

  test('a value longer than a request has no plan', () => {
    expect(() => planReads([registerAt('import', 0, { type: 'u64' })], limitsOf({ maxRegisters: 3 }), COST)).toThrow(
      'no read within the limits holds import',
    );
  });

  test('nothing wanted needs no request', () => {
    expect(planReads([], limitsOf(), COST)).toEqual([]);
  });
});

describe('readCostUs', () => {
  test('at 9,600 baud 8N1: 8 characters out, 5 and the data back, silence, turnaround', () => {
    expect(readCostUs(2, COST)).toBeCloseTo(((8 + 5 + 4 + 3.5) * 1e7) / 9_600 + 50_000, 6);
  });
  test('parity makes characters of 11 bits', () => {
    expect(charTimeUs(9_600, 'even', 1)).toBeCloseTo(11e6 / 9_600, 9);
    expect(charTimeUs(9_600, 'none', 1)).toBeCloseTo(10e6 / 9_600, 9);
  });
  test('silence is never below 1.75 ms; on TCP there is none, and 8 more bytes of headers', () => {
    const fast = { ...COST, charTimeUs: charTimeUs(115_200, 'none', 1), turnaroundUs: 0 };
    expect(readCostUs(1, fast)).toBeCloseTo(15 * fast.charTimeUs + 1_750, 6);
    expect(readCostUs(1, { ...fast, transport: 'tcp' })).toBeCloseTo(23 * fast.charTimeUs, 6);
  });
});

describe('variants', () => {
  const registers = [registerAt('import', 10, { type: 'f32' }), registerAt('export', 12, { type: 'f32' })];
  const plan = (limits: ReadLimits): ReadRequest => {
    const [request] = planReads(registers, limits, COST);
    if (!request) throw new Error('no plan');
    return request;
  };

  test('other lengths with the same registers, cheapest first, none of them the one of the request', () => {
    fc.assert(
      fc.property(maps, ({ wanted, limits, cost }) => {
        for (const request of planReads(wanted, limits, cost)) {
          const found = variantsOf(request, { registers: wanted, limits }, cost);
          const counts = found.map((one) => one.count);
          expect(new Set([...counts, request.count]).size).toBe(counts.length + 1);
          expect(counts).toEqual(counts.toSorted((a, b) => a - b));
          for (const one of found) {
            expect(one.count).toBeLessThanOrEqual(limits.maxRegisters);
            expect(mayRead(one.function, one.address, one.count, limits, wanted)).toBe(true);
            expect(one.registers).toEqual(expect.arrayContaining([...request.registers]));
            const { address, count } = span(request.registers);
            expect(one.address).toBeLessThanOrEqual(address);
            expect(one.address + one.count).toBeGreaterThanOrEqual(address + count);
          }
        }
      }),
    );
  });

  test('at most eight, or as many as are asked for', () => {
    const limits = limitsOf();
    expect(variantsOf(plan(limits), { registers, limits }, COST).map((one) => one.count)).toEqual([
      5, 6, 7, 8, 9, 10, 11, 12,
    ]);
    expect(variantsOf(plan(limits), { registers, limits }, COST, { most: 2 })).toHaveLength(2);
  });

  test('even lengths only where the meter is aligned', () => {
    const limits = limitsOf({ align: 2 });
    expect(variantsOf(plan(limits), { registers, limits }, COST).every((one) => one.count % 2 === 0)).toBe(true);
  });

  test('downwards where there is no room above', () => {
    const limits = limitsOf({ readable: [{ function: 3, first: 8, last: 13 }] });
    expect(variantsOf(plan(limits), { registers, limits }, COST).map(({ address, count }) => [address, count])).toEqual(
      [
        [9, 5],
        [8, 6],
      ],
    );
  });

  test('none where nothing around the registers is proved', () => {
    const limits = limitsOf({ readable: [] });
    expect(variantsOf(plan(limits), { registers, limits }, COST)).toEqual([]);
  });

  test('shorter ones for a part of what is in the request', () => {
    const limits = limitsOf();
    const all = [...registers, registerAt('power', 14)];
    const [request] = planReads(all, limits, COST);
    if (!request) throw new Error('no plan');
    const [first] = variantsOf(request, { registers: all, limits }, COST, { cover: registers });
    expect(first).toMatchObject({ address: 10, count: 4 });
  });
});
