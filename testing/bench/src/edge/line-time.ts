import { loadProfiles } from '#edge/adapters/profiles/files.js';
import { charTimeUs, type LineCost, planReads, readCostUs } from '#edge/planner/plan.js';
import { polledRegisters } from '#edge/planner/wanted.js';
import type { ModbusProfile, RegisterMap } from '#edge/profiles/profile.js';
import type { Register } from '#edge/profiles/register.js';

/** Reads of one poll, and the time for which they occupy the line. */
export interface LineTime {
  readonly reads: number;
  readonly us: number;
}

export interface ProfileLineTime {
  readonly profile: ModbusProfile;
  /** One read for each block without a gap, like a driver without a plan. */
  readonly blocks: LineTime;
  readonly planned: LineTime;
}

/** 9,600 baud 8N1, and a slave that begins its answer after 50 ms. */
export const REFERENCE_LINE: LineCost = {
  charTimeUs: charTimeUs(9_600, 'none', 1),
  turnaroundUs: 50_000,
  pauseUs: 0,
  transport: 'rtu',
};

/**
 * Returns the line time of one poll (energy, power, voltage, frequency) by each shipped Modbus profile. Microseconds.
 */
export function profileLineTimes(line: LineCost = REFERENCE_LINE): ProfileLineTime[] {
  return [...loadProfiles().values()]
    .filter((profile) => profile.protocol === 'modbus')
    .map((profile) => {
      const cost = { ...line, pauseUs: profile.limits.pauseMs * 1_000 };
      const planned = planReads(polledRegisters(profile), profile.limits, cost);
      return {
        profile,
        blocks: gapFreeBlocks(profile, cost),
        planned: { reads: planned.length, us: planned.reduce((sum, { costUs }) => sum + costUs, 0) },
      };
    });
}

/** Returns the share of the line time that planning saves over all of them, 0 to 1. */
export function savedPart(times: readonly ProfileLineTime[]): number {
  const sum = (what: 'blocks' | 'planned') => times.reduce((all, time) => all + time[what].us, 0);
  return 1 - sum('planned') / sum('blocks');
}

/** Groups adjacent registers into blocks, up to the size of a request. */
function gapFreeBlocks(map: RegisterMap, cost: LineCost): LineTime {
  const sorted = polledRegisters(map).sort((a, b) => a.function - b.function || a.address - b.address);
  const blocks: { code: number; first: number; end: number }[] = [];
  for (const register of sorted) {
    const last = blocks.at(-1);
    const end = register.address + register.length;
    if (last && touches(last, register) && end - last.first <= map.limits.maxRegisters) last.end = end;
    else blocks.push({ code: register.function, first: register.address, end });
  }
  return { reads: blocks.length, us: blocks.reduce((sum, { first, end }) => sum + readCostUs(end - first, cost), 0) };
}

function touches(block: { code: number; end: number }, register: Register): boolean {
  return block.code === register.function && block.end === register.address;
}

/**
 * Returns the table of `docs/meters.md`: the confidence in each profile, its billing registers, and its line time. Rows
 * of Markdown.
 */
export function meterTable(times: readonly ProfileLineTime[] = profileLineTimes()): string[] {
  const ms = (us: number) => String(Math.round(us / 1_000));
  // Drops the sign of a rounded zero.
  const percent = (part: number) => `${(Math.round(1_000 * part) / 10 + 0).toFixed(1)} %`;
  const rows = times.map(({ profile, blocks, planned }) => [
    `\`${profile.id}\``,
    profile.models.join(', '),
    profile.confidence.level,
    billed(profile),
    String(blocks.reads),
    ms(blocks.us),
    String(planned.reads),
    ms(planned.us),
    percent(1 - planned.us / blocks.us),
  ]);
  const sum = (what: 'blocks' | 'planned', of: keyof LineTime) => times.reduce((all, time) => all + time[what][of], 0);
  const total = [
    'all',
    '',
    '',
    '',
    String(sum('blocks', 'reads')),
    ms(sum('blocks', 'us')),
    String(sum('planned', 'reads')),
    ms(sum('planned', 'us')),
    percent(savedPart(times)),
  ];
  const head = ['profile', 'models', 'sure by', 'bills', 'blocks', 'ms', 'planned reads', 'ms', 'saved'];
  return [head, head.map(() => '---'), ...rows, total].map((cells) => `| ${cells.join(' | ')} |`);
}

function billed({ bills, registers }: ModbusProfile): string {
  if (bills.import && bills.export) return 'import, export';
  if (bills.import || bills.export) return bills.import ? 'import' : 'export';
  return registers.some((register) => register.key === 'total') ? 'nothing (a sum only)' : 'nothing';
}
