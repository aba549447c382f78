import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { OperatorError } from '../../../src/core/index.js';
import {
  ConfigError,
  type Fault,
  loadConfig,
  loadConfigBy,
  parseConfig,
  parseLocated,
  parsePlain,
} from '../../../src/node/index.js';

const schema = z.strictObject({
  name: z.string(),
  http: z.strictObject({ host: z.string(), port: z.int().min(1).max(65_535) }),
  buses: z.array(z.strictObject({ name: z.string(), baud: z.int().default(9_600) })).min(1),
});
const GOOD = 'name: a\nhttp:\n  host: 127.0.0.1\n  port: 80\nbuses:\n  - name: one\n  - name: two\n';

function fault(text: string, cross?: (value: z.output<typeof schema>) => Fault[]): string {
  try {
    parseConfig(text, 'c.yaml', schema, cross);
    return 'accepted';
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
}
/** An anchor in nine levels of nine aliases each: 387 million values. */
const BOMB = Array.from({ length: 9 }, (_, i) => {
  const inner =
    i === 0
      ? '[lol]'
      : `[${Array(9)
          .fill(`*a${i - 1}`)
          .join(',')}]`;
  return `a${i}: &a${i} ${inner}`;
}).join('\n');

test('takes YAML and JSON, with defaults', () => {
  const value = parseConfig(GOOD, 'c.yaml', schema);
  expect(value.buses).toEqual([
    { name: 'one', baud: 9_600 },
    { name: 'two', baud: 9_600 },
  ]);
  expect(parseConfig(JSON.stringify(value), 'c.json', schema)).toEqual(value);
});

describe('one answer to every typo, in one line', () => {
  test.each([
    [
      'an unknown key',
      GOOD.replace('host', 'hots'),
      'c.yaml:3: http.hots: unknown key; correct its spelling, or take it out',
    ],
    ['a wrong type', GOOD.replace('80', 'many'), 'c.yaml:4: http.port: expected number, received string; correct it'],
    [
      'a value out of range',
      GOOD.replace('80', '99999'),
      'c.yaml:4: http.port: expected number to be <=65535; correct it',
    ],
    ['a missing key', GOOD.replace('  port: 80\n', ''), 'c.yaml:2: http.port: is missing; add it'],
    [
      'a key without a value',
      GOOD.replace(': 80', ':'),
      'c.yaml:4: http.port: expected number, received null; correct it',
    ],
    ['a key that is there twice', `${GOOD}name: b\n`, 'c.yaml:8: name: is there twice; keep one of them'],
    [
      'a tab',
      GOOD.replace('  host', '\thost'),
      'c.yaml:3: syntax: a tab cannot indent a line in YAML; indent with spaces',
    ],
    ['an empty file', '', 'c.yaml:1: file: is empty; write the configuration into it'],
    ['comments only', '# nothing\n', 'c.yaml:1: file: is empty; write the configuration into it'],
    ['a list', '- a\n', 'c.yaml:1: file: expected object, received array; correct it'],
    [
      'a fault in a list',
      GOOD.replace('name: two', 'name: 2'),
      'c.yaml:7: buses.1.name: expected string, received number; correct it',
    ],
    [
      'a value to fill in',
      GOOD.replace('80', '"TO BE FILLED IN: the port"'),
      'c.yaml:4: http.port: is to be filled in: the port',
    ],
    [
      'brackets without end',
      '['.repeat(100_000),
      'c.yaml:1: syntax: is nested too deeply; this is no file of ours: name the right one',
    ],
    [
      'an alias bomb',
      BOMB,
      'c.yaml:1: syntax: its aliases grow without bound, hold themselves, or name no anchor; write the values out in place of the aliases',
    ],
    [
      'an alias to nothing',
      'name: *nobody\n',
      'c.yaml:1: syntax: its aliases grow without bound, hold themselves, or name no anchor; write the values out in place of the aliases',
    ],
    [
      'an alias that holds itself',
      'a: &a { b: [*a] }\n',
      'c.yaml:1: syntax: its aliases grow without bound, hold themselves, or name no anchor; write the values out in place of the aliases',
    ],
  ])('%s', (_name, text, expected) => {
    expect(fault(text)).toBe(expected);
  });

  test.each([
    [
      'an open bracket',
      GOOD.replace('127.0.0.1', '[1'),
      /^c\.yaml:\d: syntax: [^\n]+; correct the line, or the one before it$/,
    ],
    ['two documents', `${GOOD}---\nname: b\n`, /^c\.yaml:\d+: syntax: [^\n]+$/],
    ['JSON that ends too soon', '{ "name": "a",', /^c\.yaml:1: syntax: [^\n]+$/],
    ['bytes that are no text', '\u0000\u0001\u0002', /^c\.yaml:1: [^\n]+$/],
    [
      'more than four million characters',
      `# ${'x'.repeat(4_194_304)}`,
      /^c\.yaml:1: file: is longer than 4194304 characters$/,
    ],
  ])('%s', (_name, text, expected) => {
    expect(fault(text)).toMatch(expected);
  });

  test('the first in the file, and a misspelt key before all others', () => {
    expect(fault(GOOD.replace('name: a', 'name: 1').replace('80', 'x'))).toMatch(/^c\.yaml:1: name: /);
    expect(
      fault(GOOD.replace('name: a', 'name: 1').replace('baud', 'x').replace('- name: two', '- nmae: two')),
    ).toMatch(/^c\.yaml:7: buses\.1\.nmae: unknown key/);
  });
});

describe('what one key alone cannot show', () => {
  const cross = (value: z.output<typeof schema>): Fault[] => [
    { path: ['buses', 1, 'name'], message: `"${value.buses[1]?.name}" is too much`, advice: 'have one bus' },
    { path: ['http'], message: 'is not wanted' },
  ];
  test('is told in file order, and only where the schema has no fault', () => {
    expect(fault(GOOD, cross)).toBe('c.yaml:2: http: is not wanted; correct it');
    expect(fault(GOOD, (value) => cross(value).slice(0, 1))).toBe(
      'c.yaml:7: buses.1.name: "two" is too much; have one bus',
    );
    expect(fault(GOOD.replace('80', '0'), cross)).toMatch(/^c\.yaml:4: http\.port: expected number to be >=1;/);
    expect(fault(GOOD, () => [])).toBe('accepted');
  });
});

describe('files', () => {
  test('are read, and named when they cannot be', () => {
    const folder = mkdtempSync(join(tmpdir(), 'config-'));
    const file = join(folder, 'c.yaml');
    try {
      expect(() => loadConfig(file, schema)).toThrow(`${file}: cannot be read (ENOENT); correct its path`);
      expect(() => loadConfig(folder, schema)).toThrow(`${folder}: cannot be read (EISDIR); name a file`);
      writeFileSync(file, GOOD);
      expect(loadConfig(file, schema).name).toBe('a');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('that nobody may read are named, and the cause is kept', () => {
    const cause = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
    const read = () => {
      throw cause;
    };
    expect(() => loadConfigBy(read, 'c.yaml', schema)).toThrow(
      expect.objectContaining({ message: 'c.yaml: cannot be read (EACCES); let this user read it', cause }),
    );
  });
});

test('the error keeps its parts, for programs', () => {
  const thrown = () => parseConfig(GOOD.replace('host', 'hots'), 'c.yaml', schema);
  expect(thrown).toThrow(OperatorError);
  expect(thrown).toThrow(expect.objectContaining({ code: 'unknown-key', file: 'c.yaml', line: 3, key: 'http.hots' }));
});

test('a document without a schema, for those who only edit it', () => {
  expect(parsePlain(GOOD)).toMatchObject({ ok: true, value: { name: 'a' } });
  expect(parsePlain('- a\n')).toMatchObject({ ok: false, fault: { line: 1, key: 'file' } });
  expect(parseLocated(GOOD, z.unknown())).toMatchObject({ ok: true });
});
