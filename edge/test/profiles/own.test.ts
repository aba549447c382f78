import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, command } from '@gridtokenx/testing-kit/processes';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { allProfiles, findProfile, loadProfileFile, loadProfiles } from '../../src/adapters/profiles/files.js';
import { parseGatewayConfig } from '../../src/wiring/config.js';

const GATEWAY = 'edge/dist/main.js';
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const SDM120 = readFileSync(here('../../profiles/eastron-sdm120.yaml'), 'utf8');
const [, SAMPLE = ''] = /```yaml\n([\s\S]*?)```/.exec(readFileSync(here('../../README.md'), 'utf8')) ?? [];
const OWN = SDM120.replace('id: eastron-sdm120', 'id: acme-one');
const BROKEN = OWN.replace('id: acme-one', 'id: acme-two').replace('unit: V,', 'unit: volt,');
/** The line of the fault in `BROKEN`, and its key. */
const FAULT = /acme-two\.yaml:17: registers\.voltage\.unit: expected one of/;

let dir: string;
let own: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'gridtokenx-own-'));
  own = join(dir, 'profiles');
  mkdirSync(own);
  writeFileSync(join(own, 'acme-one.yaml'), OWN);
});
afterEach(() => rmSync(dir, { recursive: true }));

const configured = (profile: string, change: object = {}) => {
  const sample = parse(SAMPLE) as { meters: object[] };
  const meters = sample.meters.map((meter) => ({ ...meter, profile }));
  return JSON.stringify({ ...sample, profiles_dir: own, data_dir: join(dir, 'data'), meters, ...change });
};
const fault = (text: string) => {
  try {
    parseGatewayConfig(text, 'g.yaml');
  } catch (error) {
    return (error as Error).message;
  }
  return 'accepted';
};

describe("a folder of the user's own profiles", () => {
  test('adds profiles to the shipped ones; a configuration may name either', () => {
    expect(fault(configured('acme-one'))).toBe('accepted');
    expect(fault(configured('abb-b2x'))).toBe('accepted');
    expect(findProfile('acme-one', own)).toMatchObject({ id: 'acme-one', manufacturer: 'Eastron' });
    expect(findProfile('abb-b2x', own).id).toBe('abb-b2x');
    const { profiles, faults } = allProfiles(own);
    expect(faults).toEqual([]);
    expect(profiles.map(({ id }) => id)).toEqual([...loadProfiles().keys(), 'acme-one']);
    expect(allProfiles().profiles).toHaveLength(loadProfiles().size);
  });

  test('is refused where it is missing, and a profile that neither side has', () => {
    rmSync(own, { recursive: true });
    expect(fault(configured('abb-b2x'))).toBe(`g.yaml:1: profiles_dir: ${own}: is not there; correct the path`);
    mkdirSync(own);
    expect(fault(configured('acme-one'))).toMatch(
      /^g\.yaml:1: meters\.0\.profile: there is no profile "acme-one": expected one of abb-b2x, .*; correct it/,
    );
  });

  test('never replaces a shipped profile: a clash is one line, and scan skips the file', () => {
    writeFileSync(join(own, 'eastron-sdm120.yaml'), SDM120.replace('SDM120', 'Other'));
    expect(fault(configured('acme-one'))).toBe(
      `g.yaml:1: profiles_dir: ${own}/eastron-sdm120.yaml:1: id: expected an id that no shipped profile has: rename the file and its id`,
    );
    const { profiles, faults } = allProfiles(own);
    expect(faults.map(({ message }) => message)).toEqual([expect.stringContaining('eastron-sdm120.yaml:1: id: ')]);
    expect(profiles.find(({ id }) => id === 'eastron-sdm120')?.models).toEqual(['SDM120']);
  });

  test('holds files with faults, which are named and skipped', () => {
    writeFileSync(join(own, 'acme-two.yaml'), BROKEN);
    writeFileSync(join(own, 'acme-three.yaml'), OWN);
    writeFileSync(join(own, 'acme-four.yaml'), Buffer.from([0xff, 0xfe, 0x41]));
    mkdirSync(join(own, 'acme-five.yaml'));
    symlinkSync('/dev/zero', join(own, 'acme-six.yaml'));
    writeFileSync(join(own, 'acme-seven.yaml'), '#'.repeat(2_000_000));
    const { profiles, faults } = allProfiles(own);
    expect(profiles.map(({ id }) => id)).toContain('acme-one');
    expect(faults.map(({ message }) => message.replaceAll(`${own}/`, ''))).toEqual([
      'acme-five.yaml: is a folder; name a file',
      'acme-four.yaml:1: file: expected a text in UTF-8: save it as UTF-8',
      'acme-seven.yaml: is longer than 131072 bytes; is it the right file?',
      'acme-six.yaml: is no regular file; name a file',
      'acme-three.yaml:1: id: expected "acme-three", the name of the file',
      expect.stringMatching(FAULT),
    ]);
  });

  test('a missing file is one line', () => {
    expect(() => loadProfileFile(join(own, 'none.yaml'))).toThrow(`${own}/none.yaml: is not there; correct the path`);
  });
});

describe('the commands', () => {
  beforeAll(build);
  const run = async (...args: string[]) => {
    const { code, output } = await command(GATEWAY, args);
    return { code, lines: output.trim().split('\n') };
  };

  test.each(['init', 'enrol', 'run', 'doctor'])('%s ends with 2 and one line for a broken profile', async (name) => {
    writeFileSync(join(own, 'acme-two.yaml'), BROKEN);
    const config = join(dir, 'gateway.json');
    writeFileSync(config, configured('acme-two'));
    const { code, lines } = await run(name, '--config', config, ...(name === 'enrol' ? ['--out', join(dir, 'o')] : []));
    expect([code, lines]).toEqual([2, [expect.stringMatching(FAULT)]]);
    expect(readdirSync(dir).sort()).toEqual(['gateway.json', 'profiles']);
  });

  test('init makes the keys beside a broken profile that no meter uses', async () => {
    writeFileSync(join(own, 'acme-two.yaml'), BROKEN);
    const config = join(dir, 'gateway.json');
    writeFileSync(config, configured('acme-one'));
    const { code, lines } = await run('init', '--config', config);
    expect([code, JSON.parse(lines.join(''))]).toMatchObject([0, { meters: [{ name: 'main' }] }]);
  });

  test('scan names a broken profile and goes on with the others', async () => {
    writeFileSync(join(own, 'acme-two.yaml'), BROKEN);
    const out = join(dir, 'out.yaml');
    const { code, lines } = await run('scan', '127.0.0.1:9', '--profiles-dir', own, '--out', out);
    expect(lines).toContainEqual(expect.stringMatching(/^skipped a profile: .*acme-two\.yaml:17: /));
    expect([code, lines.at(-1)]).toEqual([2, expect.stringMatching(/^127\.0\.0\.1:9: /)]);
  });

  test('scan refuses an unknown profile and an output that cannot be written before it begins', async () => {
    const unknown = await run('scan', '127.0.0.1:9', '--profile', '1=foo', '--out', join(dir, 'out.yaml'));
    expect(unknown).toEqual({
      code: 2,
      lines: [expect.stringMatching(/^--profile 1=foo: there is no such profile: expected one of abb-b2x, /)],
    });
    for (const [out, why] of [
      [join(dir, 'none', 'out.yaml'), 'is not there; correct the path'],
      [join(own, 'acme-one.yaml', 'out.yaml'), 'a part of the path is a file; correct the path'],
    ]) {
      const { code, lines } = await run('scan', '127.0.0.1:9', '--out', String(out));
      expect([code, lines]).toEqual([2, [`${out}: ${why}`]]);
    }
  });
});
