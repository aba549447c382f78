import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Role, Source } from '@gridtokenx/protocol';
import { ConfigError } from '@gridtokenx/runtime/node';
import { build, command } from '@gridtokenx/testing-kit/processes';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseDocument } from 'yaml';
import { brokersOf, parseGatewayConfig } from '../src/wiring/config.js';

/** The README's sample is the valid case: what a user copies must run. */
const readme = readFileSync(fileURLToPath(new URL('../README.md', import.meta.url)), 'utf8');
const SAMPLE = /```yaml\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';

const lineOf = (text: string, part: string) => text.slice(0, text.indexOf(part)).split('\n').length;
const error = (text: string): string => {
  try {
    parseGatewayConfig(text, 'g.yaml');
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(ConfigError);
    return (thrown as Error).message;
  }
  return 'accepted';
};

describe('the configuration', () => {
  test('of the README is accepted, with its defaults', () => {
    const config = parseGatewayConfig(SAMPLE, 'g.yaml');
    expect(config.meters[0]).toMatchObject({ source: Source.solar, role: Role.point, serial: '12345678' });
    expect(config.meters[0]?.owner).toHaveLength(32);
    expect(config).toMatchObject({ boundary_lead_seconds: 5, request_timeout_ms: 1000, ack_threshold: 1 });
    expect(config.buses[0]).toMatchObject({ transport: 'serial', baud: 9600, parity: 'none', stop_bits: 1 });
  });

  test('may be JSON', () => {
    const json = JSON.stringify(parseDocument(SAMPLE).toJS(), null, 1);
    expect(parseGatewayConfig(json, 'g.json')).toEqual(parseGatewayConfig(SAMPLE, 'g.yaml'));
    const wrong = json.replace('"zone": 1', '"zone": -1');
    expect(error(wrong)).toMatch(new RegExp(`^g.yaml:${lineOf(wrong, '"zone"')}: meters.0.zone: `));
  });

  test.each<[string, (text: string) => string, string, string]>([
    ['an unknown key', (t) => t.replace('name: home-1', 'nmae: home-1'), 'nmae', 'nmae: unknown key'],
    [
      'an unknown key of a meter',
      (t) => t.replace('poll_seconds', 'poll_secs'),
      'poll_secs',
      'meters.0.poll_secs: unknown key',
    ],
    ['a missing key', (t) => t.replace('    zone: 1\n', ''), '- name: main', 'meters.0.zone: is missing'],
    ['a word for a number', (t) => t.replace('unit: 1', 'unit: one'), 'unit: one', 'meters.0.unit: '],
    ['a unit out of range', (t) => t.replace('unit: 1', 'unit: 248'), 'unit: 248', 'meters.0.unit: '],
    [
      'an unknown profile',
      (t) => t.replace('profile: eastron-sdm630 ', 'profile: sdm9 '),
      'profile: sdm9',
      'meters.0.profile: ',
    ],
    [
      'an unknown bus',
      (t) => t.replace('bus: rs485', 'bus: rs422'),
      'bus: rs422',
      'meters.0.bus: there is no bus "rs422"',
    ],
    [
      'a key that is none',
      (t) => t.replace(/key: "\w+"/, 'key: xyz'),
      'key: xyz',
      'oracles.0.key: expected a public key in base58',
    ],
    [
      'an owner that is none',
      (t) => t.replace(/owner: "\w+"/, 'owner: me'),
      'owner: me',
      'meters.0.owner: expected a public key',
    ],
    [
      'a bad network',
      (t) => t.replace('"0011223344556677"', '"00"'),
      'network_id',
      'network_id: expected 16 hexadecimal digits',
    ],
    [
      'an authority without TLS',
      (t) => t.replace('mqtts://', 'mqtt://'),
      'broker:',
      'broker.ca_file: means nothing without TLS: write the url with mqtts://',
    ],
    [
      'an authority of an oracle without TLS',
      (t) => t.replace('https://', 'http://'),
      '- { key:',
      'oracles.0.ca_file: means nothing without TLS: write the url with https://',
    ],
    [
      'a certificate without its key',
      (t) => t.replace('port: 18810 }', 'port: 18810, tls: { cert_file: page.pem } }'),
      'http:',
      'http.tls.key_file: is missing',
    ],
    [
      'a wrong scheme',
      (t) => t.replace('mqtts://', 'http://'),
      'broker:',
      'broker.url: expected a URL such as mqtt://',
    ],
    [
      'a threshold nobody reaches',
      (t) => t.replace('ack_threshold: 1', 'ack_threshold: 2'),
      'ack_threshold',
      'ack_threshold: 2 of 1',
    ],
    ['broken YAML', (t) => t.replace('meters:', 'meters: ['), '', 'syntax: '],
    [
      'an unknown transport',
      (t) => t.replace('transport: serial', 'transport: can'),
      'transport: can',
      'buses.0.transport: ',
    ],
  ])('%s is refused with file, line and key', (_name, change, part, expected) => {
    const text = change(SAMPLE);
    expect(text).not.toBe(SAMPLE);
    const message = error(text);
    expect(message).not.toContain('\n');
    const line = part === '' ? '\\d+' : String(lineOf(text, part));
    expect(message).toMatch(new RegExp(`^g\\.yaml:${line}: ${expected.replace(/[.?*+[\]()]/g, '\\$&')}`));
  });

  test('names one broker, or a list of them, and never both', () => {
    const [line = ''] = /^broker: .*$/m.exec(SAMPLE) ?? [];
    const entry = line.replace('broker: ', '');
    const list = (...entries: string[]) =>
      SAMPLE.replace(line, `brokers:\n${entries.map((one) => `  - ${one}`).join('\n')}`);
    const second = entry.replace('broker.example', 'second.example').replace('gridtokenx-dev', 'second');
    expect(brokersOf(parseGatewayConfig(SAMPLE, 'g.yaml'))).toHaveLength(1);
    expect(brokersOf(parseGatewayConfig(list(entry, second), 'g.yaml')).map(({ name }) => name)).toEqual([
      'gridtokenx-dev',
      'second',
    ]);
    expect(error(SAMPLE.replace(`${line}\n`, ''))).toMatch(/^g\.yaml:1: broker: is missing; add it/);
    expect(error(`${list(entry)}\n${line}`)).toMatch(/^g\.yaml:\d+: brokers: expected either broker or brokers/);
    expect(error(list(entry, second.replace('mqtts:', 'mqtt:')))).toMatch(
      new RegExp(`^g\\.yaml:${lineOf(SAMPLE, 'broker:') + 2}: brokers\\.1\\.ca_file: means nothing without TLS`),
    );
  });

  test('the same unit on one bus, or one name twice, is refused', () => {
    const [meter = ''] = /^ {2}- name: main[\s\S]*$/m.exec(SAMPLE) ?? [];
    expect(error(`${SAMPLE}${meter}`)).toContain('meters.1.name: the name "main" is used twice');
    expect(error(`${SAMPLE}${meter.replace('main', 'second')}`)).toContain(
      'meters.1.unit: unit 1 on "rs485" is used twice',
    );
    expect(error(`${SAMPLE}${meter.replace('main', 'second').replace('unit: 1', 'unit: 2')}`)).toBe('accepted');
  });

  test('a point that is derived from two meters, as in the README; what does not fit is refused', () => {
    const [, more = ''] = /```yaml\n# two meters\n([\s\S]*?)```/.exec(readme) ?? [];
    const [meter = ''] = /^ {2}- name: main[\s\S]*$/m.exec(SAMPLE) ?? [];
    const second = (name: string, role: string, unit: number) =>
      meter.replace('main', name).replace('role: point', `role: ${role}`).replace('unit: 1', `unit: ${unit}`);
    const meters = SAMPLE.replace(meter, '') + second('pv', 'production', 1) + second('house', 'consumption', 2);
    const good = meters + more;
    expect(parseGatewayConfig(good, 'g.yaml').points).toEqual([
      { name: 'home', production: 'pv', consumption: 'house' },
    ]);
    const line = lineOf(good, 'points:') + 1;
    const at = (key: string) => `g.yaml:${line}: points.0.${key}: `;
    const cases: [string, string][] = [
      [good.replace('production: pv', 'production: roof'), `${at('production')}there is no meter "roof"`],
      [
        good.replace('production: pv', 'production: house'),
        `${at('production')}meter "house" has the role consumption: expected one with role: production`,
      ],
      [good.replace('{ name: home', '{ name: pv'), `${at('name')}the name "pv" is used twice`],
      [good.replace(', consumption: house }', ' }'), `${at('consumption')}is missing`],
      [good.replace('{ name: home', '{ unit: 3, name: home'), `${at('unit')}unknown key`],
      [
        meters.replace('zone: 1', 'zone: 2') + more,
        `${at('consumption')}meters "pv" and "house" differ in zone: a point has one`,
      ],
    ];
    for (const [text, expected] of cases) expect(error(text).split('; ')[0]).toBe(expected);
    expect(error(good.replace('{ name: home', '{ unit: 3, name: home'))).toMatch(/; correct its spelling/);
    const twice = good + more.replace('points:\n', '').replace('name: home', 'name: second');
    expect(error(twice).split('; ')[0]).toBe(
      `g.yaml:${line + 1}: points.1.production: meter "pv" belongs to the point "home" already`,
    );
  });

  test('an empty file is refused', () => {
    expect(error('')).toMatch(/^g\.yaml:1: /);
  });
});

describe('the command line', () => {
  beforeAll(build);

  test('says one line and exits with 2 when the configuration is wrong or missing', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'gridtokenx-config-'));
    try {
      const path = join(dir, 'gateway.yaml');
      writeFileSync(path, SAMPLE.replace('zone: 1', 'zone: 99999'));
      for (const name of ['init', 'run', 'status']) {
        const { code, output } = await command('edge/dist/main.js', [name, '--config', path]);
        expect([code, output.trim().split('\n').length]).toEqual([2, 1]);
        expect(output).toContain(`gateway.yaml:${lineOf(SAMPLE, 'zone: 1')}: meters.0.zone: `);
      }
      const { code, output } = await command('edge/dist/main.js', ['run', '--config', join(dir, 'none.yaml')]);
      expect([code, output.trim().split('\n').length]).toEqual([2, 1]);
      writeFileSync(path, SAMPLE.replace('/var/lib/gridtokenx', join(dir, 'data')));
      const run = await command('edge/dist/main.js', ['run', '--config', path]);
      expect([run.code, run.output]).toEqual([2, expect.stringContaining('run "init" first')]);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
