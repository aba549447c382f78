import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHAIN_CONDITIONS } from '@gridtokenx/devnet/chain/health';
import { projectRoot } from '@gridtokenx/devnet/root';
import { START_CONDITIONS } from '@gridtokenx/devnet/start/health';
import { Health } from '@gridtokenx/runtime';
import { describe, expect, it } from 'vitest';
import { BROKER_CONDITIONS } from '#broker/health.js';
import { GATEWAY_CONDITIONS } from '#edge/wiring/health.js';
import { ORACLE_CONDITIONS } from '#oracle/wiring/health.js';
import { gatewayStages } from '../support/health/gateway.js';
import { oracleStages } from '../support/health/oracle.js';
import { brokerStages, chainStages, startStages } from '../support/health/others.js';
import type { Stage } from '../support/health/stage.js';

/** Fewer rows mean that the table lost some. */
const MIN_ROWS = 20;

const conditions: Readonly<Record<string, readonly string[]>> = {
  oracle: ORACLE_CONDITIONS,
  gateway: GATEWAY_CONDITIONS,
  broker: BROKER_CONDITIONS,
  chain: CHAIN_CONDITIONS,
  start: START_CONDITIONS,
};
const stages: Readonly<Record<string, Readonly<Record<string, Stage>>>> = {
  oracle: oracleStages,
  gateway: gatewayStages,
  broker: brokerStages,
  chain: chainStages,
  start: startStages,
};

/** Rows of the table: service and condition. */
const rows = readFileSync(join(projectRoot, 'docs/health.md'), 'utf8')
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .filter((cells) => cells.length === 6 && !/^(service|---)$/.test(cells[1] ?? ''))
  .map((cells): [string, string] => [cells[1] ?? '', cells[2] ?? '']);

describe('what health must know', () => {
  it('the table has every condition of every service, and no other', () => {
    const known = Object.entries(conditions).flatMap(([service, names]) => names.map((name) => `${service}: ${name}`));
    expect(rows.map(([service, name]) => `${service}: ${name}`)).toEqual(known);
    expect(rows.length).toBeGreaterThanOrEqual(MIN_ROWS);
  });

  it.each(rows)('%s: %s', async (service, name) => {
    const stage = stages[service]?.[name];
    if (!stage) throw new Error(`docs/health.md names "${service}: ${name}", and nothing stages it`);
    const staged = await stage();
    try {
      const wrong = () => staged.report().conditions.flatMap((one) => (one.problem === null ? [] : [one.name]));
      // The control: nothing is wrong before.
      expect(staged.report()).toMatchObject({ ok: true, problems: [] });
      expect(staged.report().conditions.map((one) => one.name)).toEqual(conditions[service]);
      await staged.spoil();
      expect(wrong()).toEqual([name, ...(staged.also ?? [])]);
      const report = staged.report();
      // One home can cause this condition, so the oracle stays ready for all others.
      expect(report.ok).toBe(name === 'copied keys');
      expect(report.problems.join('\n')).toMatch(staged.words);
    } finally {
      await staged.end?.();
    }
  });
});

describe('the registry of conditions', () => {
  it('says since when, for as long as it lasts without a break', () => {
    let [now, problem] = [10, null as string | null];
    const health = new Health({ disk: () => problem }, () => now);
    expect(health.report()).toEqual({
      ok: true,
      problems: [],
      conditions: [{ name: 'disk', problem: null, since_ms: null }],
    });
    [now, problem] = [20, 'full'];
    expect(health.report().conditions).toEqual([{ name: 'disk', problem: 'full', since_ms: 20 }]);
    now = 30;
    expect(health.report().conditions[0]?.since_ms).toBe(20);
    problem = null;
    expect(health.report().ok).toBe(true);
    [now, problem] = [40, 'full'];
    expect(health.report().conditions[0]?.since_ms).toBe(40);
  });

  it('a check that throws is a problem, and no list is without end', () => {
    const health = new Health(
      {
        thrown: () => {
          throw new Error('EIO');
        },
        many: () => Array.from({ length: 1_000 }, (_, n) => `${n} ${'x'.repeat(10_000)}`),
      },
      () => 0,
    );
    const { problems } = health.report();
    expect(problems[0]).toBe('it cannot be told: EIO');
    expect(problems.length).toBe(7);
    expect(problems.at(-1)).toBe('and 995 more');
    expect(JSON.stringify(health.report()).length).toBeLessThan(5_000);
  });
});
