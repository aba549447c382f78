import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from '@gridtokenx/testing-kit/processes';
import { beforeAll, describe, expect, it } from 'vitest';
import { benchMeters500 } from '../src/meters-500.js';

beforeAll(build);

describe('the bench of the fleet', () => {
  it('measures a small fleet, and finds nothing lost after broker and gateway were killed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gtx-fleet-'));
    try {
      const times = { warmUp: 1, measured: 4, outage: 8, drain: 30 };
      const rows = await benchMeters500(folder, { meters: 5, rounds: 1, times, hasPeer: false });
      const value = (name: string) => rows.find((row) => row.name.endsWith(name))?.value;
      expect(value('CPU')).toBeGreaterThan(0);
      expect(value('seqs lost and undeclared')).toBe(0);
      expect(value('seqs with two contents')).toBe(0);
      expect(value('seconds missing of a meter, the agent killed')).toBeGreaterThan(0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }, 120_000);
});
