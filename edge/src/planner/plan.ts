import type { ReadLimits } from '../profiles/profile.js';
import { BILLING_KEYS, type FunctionCode, type Register } from '../profiles/register.js';

/**
 * Cost of a read on the line. All values are measured or known: character time from the speed, turnaround per slave.
 */
export interface LineCost {
  /** Time of one character (start, 8 data bits, parity, stop bits); on TCP the time of a byte. Microseconds. */
  readonly charTimeUs: number;
  /** Time from the request's last character to the reply's first, as measured of this slave. Microseconds. */
  readonly turnaroundUs: number;
  /** Rest that the slave needs between requests. Microseconds. */
  readonly pauseUs: number;
  /** `rtu` also where RTU frames travel over TCP. */
  readonly transport: 'rtu' | 'tcp';
}

/** One request, and the registers that it reads. */
export interface ReadRequest {
  readonly function: FunctionCode;
  readonly address: number;
  readonly count: number;
  /** Registers that lie whole in it, by address. */
  readonly registers: readonly Register[];
  /** True when energy registers are in it. */
  readonly billing: boolean;
  readonly costUs: number;
}

/** Characters beside the data. Request: unit, function, address, count, CRC; reply: unit, function, byte count, CRC. */
const RTU_REQUEST = 8;
const RTU_REPLY = 5;
/** The MBAP header (7) in place of unit and CRC. */
const TCP_REQUEST = 12;
const TCP_REPLY = 9;
/** Silence between frames: 3.5 characters, never less than 1.75 ms (Modbus over serial line 1.02, 2.5.1.1). */
const SILENCE_CHARS = 3.5;
const SILENCE_LEAST_US = 1_750;

/**
 * Computes the line time of a read of `count` registers, from the silence before it to its reply's last character.
 * Microseconds.
 */
export function readCostUs(count: number, cost: LineCost): number {
  const rtu = cost.transport === 'rtu';
  const chars = (rtu ? RTU_REQUEST + RTU_REPLY : TCP_REQUEST + TCP_REPLY) + 2 * count;
  const silence = rtu ? Math.max(SILENCE_CHARS * cost.charTimeUs, SILENCE_LEAST_US) : 0;
  return chars * cost.charTimeUs + cost.turnaroundUs + cost.pauseUs + silence;
}

/**
 * Computes the line time of one character at a speed: start bit, 8 data bits, parity if any, stop bits. Microseconds.
 */
export function charTimeUs(baud: number, parity: 'none' | 'even' | 'odd', stopBits: 1 | 2): number {
  return ((1 + 8 + (parity === 'none' ? 0 : 1) + stopBits) * 1_000_000) / baud;
}

/** Reports that no request within the limits can hold a wanted register. A parsed profile never causes it. */
export class PlanError extends Error {
  override readonly name = 'PlanError';
}

/**
 * Finds the cheapest set of reads that covers `wanted`, billing requests first. A read crosses a gap where the limits
 * allow it and the line time falls. No read splits a value. One request reads the energy registers with their scale
 * factors where the limits allow that, at any price [gateway §6.10]. Throws `PlanError`.
 *
 * Requests that overlap can be shrunk until they do not, so the best plan cuts the registers, sorted by address, into
 * runs. A table over the runs' ends finds it.
 */
export function planReads(wanted: readonly Register[], limits: ReadLimits, cost: LineCost): ReadRequest[] {
  const together = billingGroup(wanted, limits);
  const requests = ([3, 4] as const).flatMap((code) => {
    const sorted = distinct(wanted.filter((register) => register.function === code)).sort(byPlace);
    return planFunction(sorted, limits, cost, together, wanted);
  });
  return requests.sort((a, b) => Number(b.billing) - Number(a.billing));
}

function planFunction(
  sorted: readonly Register[],
  limits: ReadLimits,
  cost: LineCost,
  together: ReadonlySet<Register>,
  defined: readonly Register[],
): ReadRequest[] {
  interface Best {
    readonly costUs: number;
    readonly requests: number;
    readonly from: number;
  }
  const best: (Best | null)[] = [{ costUs: 0, requests: 0, from: 0 }];
  for (let end = 1; end <= sorted.length; end++) {
    let choice: Best | null = null;
    for (let from = end - 1; from >= 0; from--) {
      const before = best[from];
      const run = sorted.slice(from, end);
      if (!before || splits(run, together)) continue;
      const { address, count } = spanOf(run);
      if (count > limits.maxRegisters || !mayRead(run[0]?.function ?? 3, address, count, limits, defined)) continue;
      const costUs = before.costUs + readCostUs(count, cost);
      const requests = before.requests + 1;
      // At equal cost, fewer requests win: each request can fail.
      if (!choice || costUs < choice.costUs || (costUs === choice.costUs && requests < choice.requests)) {
        choice = { costUs, requests, from };
      }
    }
    best.push(choice);
  }
  const requests: ReadRequest[] = [];
  for (let end = sorted.length; end > 0; ) {
    const from = best[end]?.from;
    if (from === undefined) throw new PlanError(`no read within the limits holds ${sorted[end - 1]?.key}`);
    requests.unshift(requestOf(sorted.slice(from, end), cost));
    end = from;
  }
  return requests;
}

/**
 * Returns the registers that one request must hold: all energy registers and their scale factors. Empty where the
 * limits do not allow it (two functions, too far apart, an unproved gap between). Then each value is still read with
 * its own factor if possible; `decodeSample` checks that by the instants of its blocks.
 */
function billingGroup(wanted: readonly Register[], limits: ReadLimits): ReadonlySet<Register> {
  const billing = distinct(wanted.filter(isBilling));
  const factors = wanted.filter((register) => billing.some((value) => value.scaleFactor === register.key));
  const group = [...billing, ...distinct(factors)];
  const code = group[0]?.function;
  if (code === undefined || group.some((register) => register.function !== code)) return new Set();
  const { address, count } = spanOf(group);
  const fits = count <= limits.maxRegisters && mayRead(code, address, count, limits, wanted);
  return fits ? new Set(group) : new Set();
}

const isBilling = (register: Register) => (BILLING_KEYS as readonly string[]).includes(register.key);
const byPlace = (a: Register, b: Register) => a.address - b.address || a.length - b.length;

function distinct(registers: readonly Register[]): Register[] {
  return [...new Set(registers)];
}

/** Returns true when a run holds a part of the group that belongs together. */
function splits(run: readonly Register[], together: ReadonlySet<Register>): boolean {
  const held = run.filter((register) => together.has(register)).length;
  return held !== 0 && held !== together.size;
}

function spanOf(run: readonly Register[]): { address: number; count: number } {
  const address = Math.min(...run.map((register) => register.address));
  const end = Math.max(...run.map((register) => register.address + register.length));
  return { address, count: end - address };
}

function requestOf(run: readonly Register[], cost: LineCost): ReadRequest {
  const { address, count } = spanOf(run);
  const code = run[0]?.function ?? 3;
  const costUs = readCostUs(count, cost);
  return { function: code, address, count, registers: run, billing: run.some(isBilling), costUs };
}

/**
 * Returns true when one read may cover `count` registers from `address`. The read is aligned and touches no forbidden
 * register. Each register belongs to a register of the profile or to a range that is proved readable. Neither end is
 * inside a value.
 */
export function mayRead(
  code: FunctionCode,
  address: number,
  count: number,
  limits: ReadLimits,
  defined: readonly Register[],
): boolean {
  const end = address + count;
  if (address < 0 || end > 65_536 || address % limits.align !== 0 || count % limits.align !== 0) return false;
  const meets = (first: number, last: number) => first < end && address <= last;
  if (limits.forbidden.some((range) => range.function === code && meets(range.first, range.last))) return false;
  if (cutsValue(code, address, limits, defined) || cutsValue(code, end, limits, defined)) return false;
  const known = [
    ...limits.readable.filter((range) => range.function === code).map(({ first, last }) => ({ first, end: last + 1 })),
    ...defined
      .filter((register) => register.function === code)
      .map((register) => ({ first: register.address, end: register.address + register.length })),
  ].sort((a, b) => a.first - b.first);
  let proved = address;
  for (const range of known) {
    if (range.first > proved) break;
    proved = Math.max(proved, range.end);
  }
  return proved >= end;
}

/** Returns true when a read that begins or ends at `border` splits a value of the profile or of a readable range. */
function cutsValue(code: FunctionCode, border: number, limits: ReadLimits, defined: readonly Register[]): boolean {
  const inside = (first: number, end: number) => first < border && border < end;
  const named = defined.filter((register) => register.function === code);
  if (named.some(({ address, length }) => inside(address, address + length))) return true;
  if (named.some(({ address, length }) => border === address || border === address + length)) return false;
  const around = limits.readable.filter((range) => range.function === code && inside(range.first, range.last + 1));
  return around.length > 0 && around.every(({ first, step = 1 }) => (border - first) % step !== 0);
}
