import { Role } from '@gridtokenx/protocol';
import { describe, expect, test } from 'vitest';
import { scanCommandOf } from '../../src/cli/options.js';
import { foundText, progressTo } from '../../src/cli/progress.js';
import { chooseMeters, configText } from '../../src/domain/commissioning/config-text.js';
import { parseTarget, TargetError } from '../../src/domain/commissioning/target.js';
import type { Fit } from '../../src/domain/scan/identify.js';
import { networkPlan } from '../../src/domain/scan/plan.js';
import { type Found, newState } from '../../src/domain/scan/state.js';
import { parseGatewayConfig } from '../../src/wiring/config.js';

const OWNER = '9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin';
const BASE = {
  network_id: '0011223344556677',
  data_dir: 'data',
  name: 'home-1',
  broker: { url: 'mqtt://127.0.0.1:18803', name: 'dev' },
  oracles: [{ key: OWNER }],
  buses: [{ name: 'old' }],
};
const SITE = { owner: OWNER, zone: 1, exportLimitW: 10_000, importLimitW: 20_000 };
const sdm630: Fit = {
  profile: 'eastron-sdm630',
  manufacturer: 'Eastron',
  model: 'SDM630',
  strength: 2,
  serial: '4711',
  importWh: '1234560',
  exportWh: '0',
  exportOnly: false,
  unfit: null,
};
const found = (unit: number, baud: number, ...fits: Fit[]): Found => ({
  setting: { transport: 'serial', baud, parity: 'even', stopBits: 1 },
  unit,
  afterMs: 1_000,
  fits,
  silent: [],
});
const options = (list: readonly Found[], more: Partial<Parameters<typeof configText>[0]> = {}) => ({
  target: { kind: 'serial' as const, path: '/dev/ttyUSB0' },
  found: list,
  answers: new Map(),
  site: SITE,
  base: BASE,
  answersToAll: false,
  refusal: () => null,
  ...more,
});

describe('the configuration that a scan writes', () => {
  test('runs, when everything is known', () => {
    const config = parseGatewayConfig(configText(options([found(7, 9_600, sdm630)])), 'f');
    expect(config.buses).toMatchObject([{ path: '/dev/ttyUSB0', baud: 9_600, parity: 'even', stop_bits: 1 }]);
    expect(config.meters).toMatchObject([
      { unit: 7, profile: 'eastron-sdm630', model: 'SDM630', serial: '4711', bus: 'line', zone: 1 },
    ]);
  });

  test('is refused by name and line where the nameplate was not read, and runs when it was', () => {
    const list = [found(7, 9_600, { ...sdm630, serial: null })];
    const text = configText(options(list));
    const line = text.split('\n').findIndex((one) => one.includes('TO BE FILLED IN: the serial')) + 1;
    expect(() => parseGatewayConfig(text, 'f.yaml')).toThrow(
      `f.yaml:${line}: meters.0.serial: is to be filled in: the serial number on the nameplate`,
    );
    const answers = new Map([[7, { serial: '0815' }]]);
    expect(parseGatewayConfig(configText(options(list, { answers })), 'f').meters[0]?.serial).toBe('0815');
  });

  test('does not choose between profiles, nor trust a weak probe', () => {
    const sdm72 = { ...sdm630, profile: 'eastron-sdm72-v2', model: 'SDM72D-M-2' };
    const several = options([found(7, 9_600, sdm630, sdm72)]);
    expect(() => parseGatewayConfig(configText(several), 'f')).toThrow(
      /model: is to be filled in: .*SDM630, SDM72D-M-2/,
    );
    const answers = new Map([[7, { profile: 'eastron-sdm72-v2' }]]);
    expect(parseGatewayConfig(configText({ ...several, answers }), 'f').meters[0]).toMatchObject({
      model: 'SDM72D-M-2',
    });
    const weak = options([found(7, 9_600, { ...sdm630, strength: 0 })]);
    expect(() => parseGatewayConfig(configText(weak), 'f')).toThrow(/is to be filled in/);
  });

  test('holds the meters of one setting, and says why others are not in it', () => {
    const list = [
      found(1, 2_400, sdm630),
      found(2, 9_600, sdm630),
      found(3, 9_600, sdm630),
      found(4, 9_600),
      found(5, 9_600, { ...sdm630, unfit: 'no register for export is known' }),
    ];
    const { chosen, left } = chooseMeters(list, () => null);
    expect(chosen.map(({ found: one }) => one.unit)).toEqual([2, 3]);
    expect(left.join('\n')).toMatch(
      /unit 4 .*no profile fits[\s\S]*unit 5 .*no register for export[\s\S]*unit 1 .*set this meter to 9600 8E1/,
    );
    expect(parseGatewayConfig(configText(options(list)), 'f').meters).toHaveLength(2);
  });

  test('without another configuration names what only the utility knows', () => {
    const text = configText(options([found(7, 9_600, sdm630)], { base: null, site: {} }));
    expect(() => parseGatewayConfig(text, 'f')).toThrow(
      /^f:\d+: network_id: is to be filled in: 16 hexadecimal digits/,
    );
  });

  test('of a network address is a converter, unless the device has no units', () => {
    const one: Found = { ...found(1, 9_600, sdm630), setting: { transport: 'tcp' } };
    const target = { kind: 'network' as const, host: '10.0.0.5', port: 502 };
    const bus = (answersToAll: boolean) =>
      parseGatewayConfig(configText(options([one], { target, answersToAll })), 'f').buses[0];
    expect(bus(false)).toMatchObject({ transport: 'tcp', host: '10.0.0.5', port: 502, converter: true });
    expect(bus(true)).toMatchObject({ converter: false });
  });

  test('makes an inverter a production meter', () => {
    const inverter = { ...sdm630, profile: 'sunspec-inverter', model: 'X', exportOnly: true };
    const config = parseGatewayConfig(configText(options([found(7, 9_600, inverter)])), 'f');
    expect(config.meters[0]).toMatchObject({ profile: 'sunspec-inverter', role: Role.production });
  });

  test('is safe whatever a meter says of itself', () => {
    const nasty = { ...sdm630, serial: '1"\n- {x: *a}: !!js', model: 'M: #1' };
    const text = configText(options([found(7, 9_600, nasty)]));
    expect(parseGatewayConfig(text, 'f').meters[0]).toMatchObject({ serial: nasty.serial, model: nasty.model });
  });
});

describe('the command line of a scan', () => {
  const given = { out: 'o', serial: [], model: [], profile: [] };
  test('takes what a person says of a unit, and refuses what is no unit', () => {
    const command = scanCommandOf('/dev/x', { ...given, serial: ['7=12=3', '8=4'], profile: ['7=p'] });
    expect(command.answers.get(7)).toEqual({ serial: '12=3', profile: 'p' });
    for (const bad of ['0=1', '248=1', '7=', 'x=1', '7', '=5'])
      expect(() => scanCommandOf('/dev/x', { ...given, serial: [bad] })).toThrow(/expected UNIT=VALUE/);
  });

  test('holds what was given, and no key of what was not', () => {
    expect(scanCommandOf('/dev/x', given)).toStrictEqual({
      ...{ port: '/dev/x', out: 'o', way: 'tcp', answers: new Map(), site: {} },
      ...{ yes: false, force: false, again: false },
    });
    const site = { owner: 'o', zone: 0, exportLimitW: 0, importLimitW: 0 };
    const more = { base: 'b', expect: 0, yes: true, force: true, again: true };
    expect(scanCommandOf('/dev/x', { ...given, ...site, ...more, raw: true })).toStrictEqual({
      ...{ port: '/dev/x', out: 'o', way: 'rtu-over-tcp', answers: new Map(), site, ...more },
    });
  });

  test('takes serial ports and network addresses', () => {
    expect(parseTarget('/dev/ttyUSB0')).toEqual({ kind: 'serial', path: '/dev/ttyUSB0' });
    expect(parseTarget('192.168.1.20:502')).toEqual({ kind: 'network', host: '192.168.1.20', port: 502 });
    expect(parseTarget('[::1]:502')).toEqual({ kind: 'network', host: '::1', port: 502 });
    for (const bad of ['', 'ttyUSB0', 'host', 'host:0', 'host:70000', '::1:502', 'a b:502'])
      expect(() => parseTarget(bad)).toThrow(TargetError);
  });
});

describe('progress', () => {
  const stages = networkPlan('tcp');
  const shown = (isTTY: boolean) => {
    const texts: string[] = [];
    const progress = progressTo({ isTTY, write: (text) => texts.push(text) }, stages);
    for (let unit = 1; unit <= 3; unit++) progress.at({ transport: 'tcp' }, unit, newState());
    progress.line('found');
    progress.end();
    return texts.join('');
  };
  test('is one line that moves on a terminal, and a plain line for each step elsewhere', () => {
    expect(shown(false)).toBe('asking at Modbus TCP: units 1 to 10\nfound\n');
    expect(shown(true)).toMatch(
      /^\r[^\r]*unit 1[^\r]*\r[^\r]*unit 2[^\r]*\r[^\r]*unit 3: 0 found, \d+ (s|min) left *\r *\rfound\n$/,
    );
  });

  test('says what was found, with all profiles that fit', () => {
    expect(foundText(found(7, 9_600, sdm630))).toMatch(
      /unit 7 at 9600 8E1: Eastron SDM630, profile eastron-sdm630; import 1234.560 kWh.*4711/,
    );
    expect(foundText(found(7, 9_600, sdm630, { ...sdm630, profile: 'b' }))).toMatch(
      /2 profiles fit \(eastron-sdm630, b\)/,
    );
    expect(foundText(found(7, 9_600))).toMatch(/no profile fits/);
  });
});
