// Slow: kills real processes. Budget: 120 s.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from '@gridtokenx/testing-kit/processes';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { benchMeters500 } from '../src/meters-500.js';
import { benchTwoBrokers } from '../src/two-brokers.js';

beforeAll(build);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-fleet-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the bench of the fleet', () => {
  it('measures a small fleet, and finds nothing lost after broker and gateway were killed', async () => {
    const times = { warmUp: 1, measured: 4, outage: 8, drain: 30 };
    const rows = await benchMeters500(folder, { meters: 5, rounds: 1, times, hasPeer: false });
    const value = (name: string) => rows.find((row) => row.name.endsWith(name))?.value;
    expect(value('CPU')).toBeGreaterThan(0);
    expect(value('seqs lost and undeclared')).toBe(0);
    expect(value('seqs with two contents')).toBe(0);
    expect(value('seconds missing of a meter, the agent killed')).toBeGreaterThan(0);
  }, 120_000);

  it('goes on through the second broker, and loses nothing', async () => {
    const rows = await benchTwoBrokers(folder, { meters: 3, before: 1, dead: 20 });
    expect(rows.slice(1, 3).map(({ value }) => value)).toEqual([0, 0]);
    expect(rows[0]?.value).toBeLessThan(60);
  }, 120_000);
});
