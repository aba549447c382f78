// Slow: kills real processes. Budget: 180 s.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { auditChain } from '@gridtokenx/audit/main';
import type { Report } from '@gridtokenx/devnet/start/report';
import { checkReport } from '@gridtokenx/devnet/verify-report';
import { defaultProfilesPath, loadProfiles } from '@gridtokenx/simulators';
import type { Forked } from '@gridtokenx/testing-kit/processes';
import { readableByOthers } from '@gridtokenx/testing-kit/readable-by-others';
import { afterAll, describe, expect, it } from 'vitest';
import { processesOf, startAll } from '../support/start-process.js';

const folder = mkdtempSync(join(tmpdir(), 'gtx-e2e-'));
const data = join(folder, 'data');
const reportPath = join(folder, 'r.json');
const profiles = loadProfiles(defaultProfilesPath);
// Below the ephemeral ports, and different for two simultaneous runs.
const BASE = 20_000 + (process.pid % 20) * 500;
const started: Forked[] = [];

afterAll(async () => {
  for (const run of started) await run.kill('SIGTERM');
  rmSync(folder, { recursive: true, force: true });
});

function start(more: string[]): Forked {
  const common = ['--data', data, '--ports', String(BASE), '--speed', '120', '--report', reportPath];
  const run = startAll([...common, ...more]);
  started.push(run);
  return run;
}

const readReport = () => JSON.parse(readFileSync(reportPath, 'utf8')) as Report;

// Runs the whole path with real parts, and kills every process once. The steps build on each other.
describe('npm start, from the register to the token', { timeout: 400_000 }, () => {
  it('ends exact although each process is killed once on the way', async () => {
    const run = start(['--windows', '5', '--exit']);
    await run.line(/Ctrl-C stops cleanly/);
    const names = Object.keys(processesOf(data)).sort();
    expect(names).toEqual(['broker', 'chain', 'gateway-1', 'gateway-2', 'gateway-3', 'meters', 'oracle']);
    // Kills two processes at each settled line, so that the kills hit different points of the path.
    for (const name of names) {
      const pid = processesOf(data)[name];
      expect(pid, name).toBeTypeOf('number');
      const back = run.line(new RegExp(`^${name} is back`));
      process.kill(pid ?? 0, 'SIGKILL');
      await back;
    }
    expect((await run.exited).code, run.output()).toBe(0);
    expect(checkReport(readReport(), profiles, { lively: false })).toEqual([]);
    expect(run.output()).toMatch(/home 2: window \d\d:\d\d closed, \d+\.\d{3} kWh exported.*transaction/);
  });

  it('goes on at the next start, keeps running after the report, and satisfies anyone over RPC', async () => {
    const run = start(['--windows', '6']);
    await run.line(/Report written/);
    const report = readReport();
    expect(checkReport(report, profiles, { lively: false })).toEqual([]);
    expect(report.windows).toBe(6);
    const audit = await auditChain(report.rpc);
    expect(audit.findings).toEqual([]);
    expect(audit.ok).toBe(true);
    // Ledger, time series, spools, snapshot, keys, logs: all are private.
    expect(readableByOthers(data)).toEqual([]);
    expect(run.output()).toMatch(/for trials only: any program on this machine/);
    const page = await fetch(`http://127.0.0.1:${BASE}/`);
    expect(await page.text()).toContain('GridTokenX');
    const second = startAll(['--data', data, '--ports', String(BASE), '--windows', '6']);
    expect((await second.exited).code).toBe(2);
    expect(second.output()).toMatch(/taken|in use/);
    expect((await run.kill('SIGINT')).code, run.output()).toBe(0);
  });
});
