import { describe, expect, test } from 'vitest';
import { ProfileError, parseProfile } from '../src/profiles/parse.js';
import { parseDecimal } from '../src/profiles/rational.js';

const GOOD = `id: acme-one
protocol: modbus
manufacturer: Acme
models: ["One"]
confidence: { level: documents, against: "its manual" }
serial: { baud: 9600, parity: even, stop_bits: 1, source: "its manual" }
limits:
  max_registers: 40
  pause_ms: 20
  source: "its manual"
  readable:
    - { function: 3, first: 0, last: 9, source: "its manual" }
  forbidden:
    - { function: 3, first: 30, last: 39, source: "its manual" }
registers:
  import: { function: 3, address: 0, type: u32, unit: kWh, scale: "0.01", rollover: "100000000", source: "p. 1" }
  export: { function: 3, address: 2, type: u32, unit: kWh, scale: "0.01", not_available: ["ffffffff"], source: "p. 1" }
  power: { function: 3, address: 4, type: i16, unit: W, positive: export, source: "p. 2" }
  serial: { function: 3, address: 50, type: text, registers: 4, unit: none, source: "p. 3" }
probe:
  - { register: power, min: -100, max: 100 }
  - { register: serial, values: ["A1", 17] }
`;

/** Returns the parser's message for the valid file with one change. */
function faultOf(from: string | RegExp, to: string): string {
  const text = GOOD.replace(from, to);
  if (text === GOOD) throw new Error(`nothing to change: ${from}`);
  try {
    parseProfile(text, 'acme.yaml');
  } catch (error) {
    if (error instanceof ProfileError) return error.message;
    throw error;
  }
  return 'no fault';
}

describe('parseProfile', () => {
  test('reads a good file', () => {
    const profile = parseProfile(GOOD, 'acme.yaml');
    expect(profile).toMatchObject({
      id: 'acme-one',
      protocol: 'modbus',
      variant: null,
      bills: { import: true, export: true },
      serial: { baud: 9_600, parity: 'even', stopBits: 1, unit: 1, assumed: false },
      limits: { maxRegisters: 40, align: 1, pauseMs: 20, timeoutMinMs: 200, quarantineMs: 2_000 },
      probe: [
        { register: 'power', min: -100, max: 100 },
        { register: 'serial', values: ['A1', '17'] },
      ],
    });
    if (profile.protocol !== 'modbus') throw new Error('no modbus profile');
    const [first, second, power] = profile.registers;
    expect(first).toMatchObject({ key: 'import', length: 2, rollover: 100_000_000n, notAvailable: [] });
    // 0.01 kWh is 10 Wh, as a fraction.
    expect(Number(first?.scale.num) / Number(first?.scale.den)).toBe(10);
    expect(second?.notAvailable).toEqual([0xffff_ffffn]);
    expect(power?.positive).toBe('export');
    expect(profile.registers[3]?.length).toBe(4);
  });

  test('what it gives cannot be changed', () => {
    const profile = parseProfile(GOOD, 'acme.yaml');
    if (profile.protocol !== 'modbus') throw new Error('no modbus profile');
    const first = profile.registers[0];
    if (!first) throw new Error('no register');
    expect(() => Object.assign(profile, { id: 'other' })).toThrow(TypeError);
    expect(() => Object.assign(first, { address: 7 })).toThrow(TypeError);
    expect(() => Object.assign(profile.limits, { maxRegisters: 125 })).toThrow(TypeError);
  });

  test('the error says file, line and key apart too', () => {
    try {
      parseProfile(GOOD.replace('pause_ms: 20', 'pause_ms: soon'), 'acme.yaml');
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ name: 'ProfileError', file: 'acme.yaml', line: 9, key: 'limits.pause_ms' });
    }
  });

  test.each<[string, string | RegExp, string, RegExp]>([
    ['unknown key', 'manufacturer: Acme', 'manufakturer: Acme', /^acme\.yaml:3: manufakturer: unknown key$/],
    ['unknown key of a register', 'type: i16', 'typo: i16', /^acme\.yaml:18: registers\.power\.typo: unknown key$/],
    ['missing key', 'manufacturer: Acme\n', '', /^acme\.yaml:1: manufacturer: is missing$/],
    ['unknown protocol', 'protocol: modbus', 'protocol: mbus', /^acme\.yaml:2: protocol: expected modbus or sunspec$/],
    ['no YAML', 'models: ["One"]', 'models: ["One"', /^acme\.yaml:\d+: syntax: /],
    ['one key twice', 'protocol: modbus', 'id: acme-two', /^acme\.yaml:2: id: is there twice/],
    ['id that is no file name', 'id: acme-one', 'id: ../one', /^acme\.yaml:1: id: expected small letters/],
    ['function that writes', 'function: 3, address: 4', 'function: 6, address: 4', /:18: registers\.power\.function: /],
    ['address beyond 65535', 'address: 4,', 'address: 65536,', /^acme\.yaml:18: registers\.power\.address: /],
    ['negative address', 'address: 4,', 'address: -1,', /^acme\.yaml:18: registers\.power\.address: /],
    [
      'a value over the end',
      'address: 2, type: u32',
      'address: 65535, type: u32',
      /:17: .*address: reaches beyond 65535$/,
    ],
    ['unknown type', 'type: i16', 'type: i24', /^acme\.yaml:18: registers\.power\.type: /],
    [
      'scale as a number',
      'scale: "0.01", rollover',
      'scale: 0.01, rollover',
      /:16: registers\.import\.scale: expected a decimal in/,
    ],
    [
      'scale that is no decimal',
      'scale: "0.01", rollover',
      'scale: "1e-2", rollover',
      /:16: registers\.import\.scale: expected a dec/,
    ],
    [
      'scale of 0',
      'scale: "0.01", rollover',
      'scale: "0", rollover',
      /:16: registers\.import\.scale: expected more than 0$/,
    ],
    ['unit of another quantity', 'unit: W', 'unit: kWh', /:18: registers\.power\.unit: power cannot be in kWh$/],
    [
      'energy as a text',
      'type: u32, unit: kWh, scale: "0.01", rollover: "100000000"',
      'type: text, registers: 2, unit: kWh',
      /:16: registers\.import\.type: kWh cannot be a text$/,
    ],
    [
      'text without a length',
      'type: text, registers: 4',
      'type: text',
      /:19: registers\.serial.*: is missing for a text$/,
    ],
    [
      'number with a length',
      'type: i16',
      'type: i16, registers: 2',
      /:18: registers\.power\.registers: means nothing for i16/,
    ],
    [
      'scale factor outside of SunSpec',
      'type: i16',
      'type: sunssf',
      /:18: registers\.power\.type: scale factors are for SunSpec/,
    ],
    [
      'pattern of another length',
      '"ffffffff"',
      '"ffff"',
      /:17: registers\.export\.not_available\.0: expected 8 hexadecimal digits$/,
    ],
    [
      'roll-over wider than its type',
      '"100000000"',
      '"4294967297"',
      /:16: registers\.import\.rollover: expected 2 to 4294967296 for u32$/,
    ],
    [
      'roll-over of a float',
      'type: u32, unit: kWh, scale: "0.01", roll',
      'type: f32, unit: kWh, roll',
      /:16: registers\.import\.rollover: a counter in f32/,
    ],
    [
      'roll-over of a power',
      'type: i16, unit: W',
      'type: i16, unit: W, rollover: "5"',
      /:18: registers\.power\.rollover: only energy rolls over$/,
    ],
    [
      'registers over each other',
      'address: 2, type',
      'address: 1, type',
      /:17: registers\.export\.address: lies over "import" at 0$/,
    ],
    [
      'longer than a request',
      'max_registers: 40',
      'max_registers: 3',
      /:19: registers\.serial\.address: 4 registers do not fit a read of 3$/,
    ],
    ['more than Modbus allows', 'max_registers: 40', 'max_registers: 126', /:8: limits\.max_registers: /],
    ['unaligned', 'pause_ms: 20', 'align: 2', /:18: registers\.power\.address: .* multiple of 2 \(limits\.align\)$/],
    [
      'in a forbidden range',
      'address: 50',
      'address: 36',
      /:19: registers\.serial\.address: lies in the forbidden range 30 to 39$/,
    ],
    [
      'range turned round',
      'first: 0, last: 9',
      'first: 9, last: 0',
      /:12: limits\.readable\.0\.last: expected at least 9$/,
    ],
    [
      'readable and forbidden',
      'first: 0, last: 9',
      'first: 0, last: 30',
      /:12: limits\.readable\.0\.last: reaches into the forbidden/,
    ],
    ['register without a source', ', source: "p. 2"', '', /:18: registers\.power\.source: is missing$/],
    [
      'probe of no register',
      'register: power, min',
      'register: voltage, min',
      /:21: probe\.0\.register: there is no register "voltage"$/,
    ],
    ['probe turned round', 'min: -100, max: 100', 'min: 100, max: -100', /:21: probe\.0\.max: expected more than min$/],
    [
      'probe of a text by size',
      'register: serial, values: ["A1", 17]',
      'register: serial, min: 1, max: 2',
      /:22: .* a text has no min and max$/,
    ],
    ['no probe', /probe:[\s\S]*$/, 'probe: []\n', /:20: probe: /],
    ['no energy', / {2}import: .*\n {2}export: .*\n/, '', /:15: registers: expected import, export or total$/],
    [
      'neither source nor assumed',
      ', source: "its manual" }\nlimits',
      ' }\nlimits',
      /:6: serial: expected either a source or assumed: true$/,
    ],
    [
      'source and assumed',
      'stop_bits: 1,',
      'stop_bits: 1, assumed: true,',
      /:6: serial: expected either a source or assumed: true$/,
    ],
    ['unknown confidence', 'level: documents', 'level: sure', /:5: confidence\.level: /],
    ['unknown register', '  power: {', '  powr: {', /^acme\.yaml:18: registers\.powr: /],
  ])('%s', (_name, from, to, expected) => {
    expect(faultOf(from, to)).toMatch(expected);
  });

  test.each([
    ['nothing', ''],
    ['a list', '- 1\n- 2\n'],
    ['a number', '42\n'],
    [
      'aliases that grow without bound',
      `a: &a [1,1,1,1,1,1,1,1,1]\n${[...'bcdefghij'].map((key, i) => `${key}: &${key} [${Array(9).fill(`*${'abcdefghij'[i]}`).join(',')}]`).join('\n')}\n`,
    ],
    ['a tag for code', 'id: !!js/function "function () {}"\n'],
    ['a key to the prototype', `${GOOD}__proto__: { admin: true }\n`],
    ['binary', '\u0000\u0001\u0002'],
  ])('%s is refused with a place', (_name, text) => {
    let message = 'no fault';
    try {
      parseProfile(text, 'acme.yaml');
    } catch (error) {
      expect(error).toBeInstanceOf(ProfileError);
      message = (error as Error).message;
    }
    expect(message).toMatch(/^acme\.yaml:\d+: [^:]+: ./);
    expect(message).not.toContain('\n');
  });
});

describe('parseDecimal', () => {
  test('is exact', () => {
    expect(parseDecimal('0.1')).toEqual({ num: 1n, den: 10n });
    expect(parseDecimal('-12.050')).toEqual({ num: -12_050n, den: 1_000n });
    expect(parseDecimal('1000')).toEqual({ num: 1_000n, den: 1n });
  });
  test.each(['', '.', '1.', '.5', '+1', '1e3', '0x10', ' 1', '1,5', 'Infinity', '1'.repeat(13)])(
    'refuses "%s"',
    (text) => {
      expect(() => parseDecimal(text)).toThrow(RangeError);
    },
  );
});
