import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { simulateMeter } from '@gridtokenx/simulators';
import { build, command, writeJson } from '@gridtokenx/testing-kit/processes';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { enrol } from '../src/cli/commands.js';
import { refuseUnwritable, refuseUnwritableFolder } from '../src/cli/output.js';
import { TcpSite } from './support/tcp-site.js';

const GATEWAY = 'edge/dist/main.js';
let site: TcpSite;
beforeAll(build);
beforeEach(() => {
  site = new TcpSite();
  vi.spyOn(console, 'log').mockImplementation(() => {});
});
afterEach(async () => {
  vi.restoreAllMocks();
  await site.end();
});

describe('enrol', () => {
  test('says what it reads and what it read', async () => {
    const port = await site.serve([simulateMeter({ profile: 'eastron-sdm120', unit: 1 })]);
    const file = writeJson(site.path('g.json'), site.values(port, site.clock()));
    await command(GATEWAY, ['init', '--config', file]);
    const out = site.path('enrolment.json');
    const { code, output } = await command(GATEWAY, ['enrol', '--config', file, '--out', out]);
    const said = output.trim().split('\n');
    expect([code, said[0], ...said.slice(-2)]).toEqual([
      0,
      'meter main: reading unit 1 on lan',
      'meter main: import 1234567 Wh, export 345678 Wh',
      `${out}: 1 enrolment for the utility`,
    ]);
    expect(JSON.parse(readFileSync(out, 'utf8'))).toMatchObject([{ name: 'main', import_wh: '1234567' }]);
  });

  test('refuses an output that cannot be written before it reads or signs anything', async () => {
    const config = site.config(1);
    await command(GATEWAY, ['init', '--config', writeJson(site.path('g.json'), site.values(1))]);
    const before = readdirSync(site.path('data'));
    for (const [out, why] of [
      [site.path('none', 'enrolment.json'), /is not there; correct the path$/],
      [site.path('data'), /is a folder; name a file$/],
    ] as const)
      await expect(enrol(config, out)).rejects.toThrow(why);
    expect(readdirSync(site.path('data'))).toEqual(before);
  });
});

describe('an output', () => {
  test('stays as it is when it is checked', () => {
    const [old, fresh] = [site.path('old'), site.path('fresh')];
    writeFileSync(old, 'content');
    refuseUnwritable(old);
    refuseUnwritable(fresh);
    refuseUnwritable('/dev/null');
    expect([readFileSync(old, 'utf8'), existsSync(fresh)]).toEqual(['content', false]);
  });

  test('in a folder that takes no file is refused in one line, with its reason', () => {
    mkdirSync(site.path('data'));
    refuseUnwritableFolder('data_dir', site.path('data'));
    expect(readdirSync(site.path('data'))).toEqual([]);
    expect(() => refuseUnwritableFolder('data_dir', '/proc')).toThrow(/^data_dir \/proc cannot be written: [^\n]+$/);
    writeFileSync(site.path('file'), '');
    expect(() => refuseUnwritableFolder('data_dir', site.path('file'))).toThrow(/a part of the path is a file/);
  });
});
