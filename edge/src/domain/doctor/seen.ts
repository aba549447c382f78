import { leastLength } from '../../planner/lengths.js';
import { type LineCost, planReads, type ReadRequest } from '../../planner/plan.js';
import { polledRegisters } from '../../planner/wanted.js';
import { probeRegisters } from '../../profiles/probe.js';
import type { ModbusProfile } from '../../profiles/profile.js';
import type { Block } from '../../profiles/sample.js';
import type { ReadLength } from '../bus/read-length.js';
import type { Setting } from '../scan/settings.js';
import type { ExaminedMeter, Reading } from './observation.js';

/** State of the examination of one meter. */
export interface Seen {
  readonly meter: ExaminedMeter;
  asked: number;
  answered: number;
  damaged: number;
  silent: number;
  slowestMs: number;
  readonly exceptions: number[];
  readonly readings: Reading[];
  readonly replies: Map<string, { atMs: number; text: string }[]>;
  plan: readonly ReadRequest[];
  /** Lengths that it answered and refused: a read that is too long is no fault. */
  readonly lengths: ReadLength;
  /** Index of the next read of the plan. */
  next: number;
  /** The newest answer to each read of the plan. */
  readonly blocks: Map<number, Block>;
  elsewhere: Setting | null;
}

/** Returns the longest read that the meter may answer, in registers. */
export function longest({ meter: { profile }, lengths: { limit } }: Seen): number {
  const { maxRegisters } = profile.limits;
  return limit === null ? maxRegisters : Math.min(maxRegisters, Math.max(leastLength(wantedOf(profile)), limit));
}

/** Plans shorter reads, and forgets the question, after the meter refused `count` registers. */
export function shorten(one: Seen, count: number): void {
  one.lengths.refused(count);
  one.asked--;
  const { profile } = one.meter;
  one.plan = planReads(wantedOf(profile), { ...profile.limits, maxRegisters: longest(one) }, COST);
  one.next = 0;
  one.blocks.clear();
}

const FEWEST_SAME = 5;

/** Returns how long all replies of a meter were the same, ms; null when one differed, or too few came. */
export function sameFor({ replies }: Seen): number | null {
  const lists = [...replies.values()].filter((list) => list.length > 1);
  const count = lists.reduce((sum, list) => sum + list.length, 0);
  if (count < FEWEST_SAME || lists.some((list) => list.some(({ text }) => text !== list[0]?.text))) return null;
  const times = lists.flat().map(({ atMs }) => atMs);
  return Math.max(...times) - Math.min(...times);
}

/** Returns the registers that a poll and the probe need. */
export const wantedOf = (profile: ModbusProfile) => [
  ...new Set([...polledRegisters(profile), ...probeRegisters(profile)]),
];

/** Costs that matter only in relation to one another: they decide what one request reads. */
export const COST: LineCost = { charTimeUs: 1_042, turnaroundUs: 50_000, pauseUs: 0, transport: 'rtu' };
