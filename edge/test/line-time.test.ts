import { readFileSync } from 'node:fs';
import { meterTable, profileLineTimes, REFERENCE_LINE, savedPart } from '@gridtokenx/bench/edge/line-time';
import { describe, expect, test } from 'vitest';
import { charTimeUs, readCostUs } from '../src/planner/plan.js';

const document = readFileSync(new URL('../../docs/meters.md', import.meta.url), 'utf8');

describe('line time of the shipped profiles', () => {
  const times = profileLineTimes();

  test('the plans need at least 15 % less than one read for each gap-free block', () => {
    expect(times.length).toBeGreaterThanOrEqual(19);
    expect(savedPart(times)).toBeGreaterThanOrEqual(0.15);
  });

  test('so they do with parity', () => {
    const even = profileLineTimes({ ...REFERENCE_LINE, charTimeUs: charTimeUs(9_600, 'even', 1) });
    expect(savedPart(even)).toBeGreaterThanOrEqual(0.15);
  });

  test('a slave that answers at once, on a slow line, leaves little to save: the figure is not a constant', () => {
    const slow = profileLineTimes({ ...REFERENCE_LINE, charTimeUs: charTimeUs(1_200, 'none', 1), turnaroundUs: 0 });
    expect(savedPart(slow)).toBeLessThan(0.15);
  });

  test('a block is what lies without a gap: the SDM630 has three of them', () => {
    const sdm = times.find(({ profile }) => profile.id === 'eastron-sdm630');
    // Voltage (2 registers), power (2), frequency with both energies (6).
    expect(sdm?.blocks.reads).toBe(3);
    const us = [2, 2, 6].reduce((sum, count) => sum + readCostUs(count, REFERENCE_LINE), 0);
    expect(sdm?.blocks.us).toBeCloseTo(us, 6);
    expect(sdm?.planned.us).toBeLessThan(us);
  });

  test('the document shows these figures', () => {
    // Other tables of the page state no time.
    const [, section = ''] = document.split('## Line time');
    const rows = section.split('\n').filter((line) => line.startsWith('| '));
    expect(rows).toEqual(meterTable(times));
  });
});
