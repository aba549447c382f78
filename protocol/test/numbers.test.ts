import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  allReasons,
  type CborValue,
  CommandResult,
  decodeCbor,
  EventCode,
  formatTopic,
  fromHex,
  GapReason,
  Kind,
  Purpose,
  Quality,
  Role,
  Source,
  STREAMS,
  type Topic,
  ValueCode,
} from '../src/index.js';
import { constantOf, root, rustConstants, sectionOf, sourcesBelow, specPage, tableOf } from './pages.js';

const page = specPage('numbers');
// biome-ignore lint/suspicious/noExplicitAny: vectors and IDL files are data
const json = (path: string): any => JSON.parse(readFileSync(join(root, path), 'utf8'));

/** Reads a table whose first two columns are number and name. */
const listed = (section: string): Record<string, number> =>
  Object.fromEntries(tableOf(page, section).map(([number, name]) => [name, Number(number)]));

/** Reads the number that a section assigns next; null for "none". */
function nextFree(section: string): number | null {
  const said = /\*\*Next free: (\d+|none)\.\*\*/.exec(sectionOf(page, section))?.[1];
  if (said === undefined) throw new Error(`section ${section} does not say what is free`);
  return said === 'none' ? null : Number(said);
}

const REGISTRY = 'programs/common/src/layout/registry.rs';
const PAGES = 'programs/common/src/layout/oracle.rs';

describe('docs/specs/numbers.md', () => {
  it('lists the reasons, with names and classes', () => {
    const rows = tableOf(page, '2').map((row) => row.slice(0, 3));
    expect(rows).toEqual(allReasons().map((r) => [String(r.number), r.name, r.class]));
  });

  const lists: [string, string, Readonly<Record<string, number>>][] = [
    ['3', 'event codes', EventCode],
    ['4.1', 'gap reasons', GapReason],
    ['4.2', 'clock sources', constantOf('runtime/src', 'ClockSource')],
    ['4.3', 'discontinuity reasons', constantOf('edge/src', 'DiscontinuityReason')],
    ['4.4', 'self-tests', constantOf('edge/src', 'SelfTest')],
    ['6.1', 'kinds', Kind],
    ['6.2', 'sources', Source],
    ['6.3', 'roles of meters', Role],
    ['6.4', 'codes of more values', ValueCode],
    ['8.1', 'command results', CommandResult],
    ['12.1', 'statuses', rustConstants(REGISTRY, /^pub const STATUS_(\w+): u8 = (\d+);$/gm)],
    ['12.2', 'roles of users', rustConstants(REGISTRY, /^pub const ROLE_(\w+): u8 = (\d+);$/gm)],
    ['12.3', 'slot flags', rustConstants(PAGES, /^pub const (\w+): u16 = (\d+);$/gm)],
    ['12.4', 'verdicts of disputes', rustConstants(PAGES, /^pub const (OPEN|\w+_CONVICTED): u8 = (\d+);$/gm)],
    ['14', 'failures of a read', constantOf('edge/src', 'ReadFailure')],
  ];
  it.each(lists)('section %s lists the %s', (section, _what, code) => {
    expect(listed(section)).toEqual(code);
  });

  it('lists the quality bits', () => {
    const bits = Object.entries(Quality).map(([name, value]) => [name, Math.log2(value)]);
    expect(listed('5')).toEqual(Object.fromEntries(bits));
  });

  it('lists the errors of the programs, with their texts', () => {
    const rows = tableOf(page, '11');
    for (const program of ['registry', 'oracle', 'energy_token']) {
      const { errors } = json(`programs/idl/${program}.json`);
      // biome-ignore lint/suspicious/noExplicitAny: IDL files are data
      expect(rows).toEqual(errors.map((error: any) => [String(error.code), error.name, error.msg]));
    }
  });

  it('gives out next only what is not in use', () => {
    const inUse: [string, number[]][] = [
      ['2', allReasons().map(({ number }) => number)],
      ['5', Object.values(listed('5'))],
      ['11', tableOf(page, '11').map(([code]) => Number(code))],
      ...lists.map(([section, , code]): [string, number[]] => [section, Object.values(code)]),
    ];
    for (const [section, numbers] of inUse) {
      const next = nextFree(section);
      expect([section, new Set(numbers).size]).toEqual([section, numbers.length]);
      if (next !== null) expect(numbers.filter((number) => number >= next)).toEqual([]);
    }
    expect(nextFree('12.3')).toBe(2 * Math.max(...Object.values(listed('12.3'))));
  });
});

describe('the names that docs/specs/numbers.md gives out', () => {
  it('are those of the purposes', () => {
    const rows = tableOf(page, '7').map(([purpose, name]) => [name, purpose]);
    expect(Object.fromEntries(rows)).toEqual(Purpose);
  });

  it('are those of the topics', () => {
    const [gateway, oracle, meter] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2), new Uint8Array(16)];
    const topics: Topic[] = [
      ...STREAMS.map((stream): Topic => ({ kind: 'stream', gateway, meter, stream })),
      { kind: 'gateway-status', gateway },
      { kind: 'ack', gateway, oracle },
      { kind: 'command', gateway },
      { kind: 'command-ack', gateway },
      { kind: 'oracle-status', oracle },
      { kind: 'live', zone: 7, meter },
    ];
    const filled = tableOf(page, '9').map(([text, kind]) => {
      const named = { '{gateway}': formatKey(gateway), '{oracle}': formatKey(oracle), '{meter}': '0'.repeat(32) };
      const topic = Object.entries(named).reduce((t, [name, value]) => t.replace(name, value), text ?? '');
      return [topic.replace('{zone}', '7'), kind];
    });
    expect(filled).toEqual(topics.map((topic) => [formatTopic(topic), topic.kind]));
    const source = readFileSync(join(root, 'protocol/src/topics.ts'), 'utf8');
    const inCode = [...source.matchAll(/readonly kind: '([a-z-]+)'/g)].map(([, kind]) => kind);
    expect(new Set(topics.map(({ kind }) => kind))).toEqual(new Set(inCode));
  });

  it('are those of the keys of control messages', () => {
    const messages: [string, string][] = [
      ['sign-in token', json('protocol/vectors/tokens.json').cases[0].message],
      ['ack', json('protocol/vectors/acks.json').cases[1].message],
      ['command', json('protocol/vectors/commands.json').commands[1].message],
      ['command answer', json('protocol/vectors/commands.json').answers[1].message],
      ['co-sign request', json('protocol/vectors/cosigns.json').cases[1].message],
      ['time', json('protocol/vectors/time.json').cases[0].message],
    ];
    const rows = tableOf(page, '8');
    expect(rows.map(([name, keys]) => [name, keys])).toEqual(
      messages.map(([name, message]) => [name, [...contentOf(message).keys()].join(', ')]),
    );
    for (const [name, keys, next] of rows) {
      const all = (keys ?? '').split(', ').map(Number);
      expect(
        all.filter((key) => key >= Number(next)),
        name,
      ).toEqual([]);
    }
  });

  it("are those of the broker's roles and refused sign-ins", () => {
    const broker = sourcesBelow('broker/src', '.ts').join('\n');
    const roles = /export type KeyRole = ([^;]*);/.exec(broker)?.[1] ?? '';
    expect(tableOf(page, '10.1').map(([role]) => role)).toEqual(wordsIn(roles));
    const codes = constantOf('broker/src', 'ReturnCode');
    const refusals = [...broker.matchAll(/refuse\((?:ReturnCode\.)?(\w+), '(\w+)'/g)];
    const inCode = refusals.map(([, code = '', reason]) => [reason, String(codes[code] ?? code)]);
    const rows = tableOf(page, '10.2').map((row) => row.slice(0, 2));
    expect(rows.sort()).toEqual(inCode.sort());
  });

  it("are those of a co-signer's refusals", () => {
    const oracle = sourcesBelow('oracle/src', '.ts').join('\n');
    const type = /export type RefusalCode =([^;]*);/.exec(oracle.replaceAll(/\/\*\*.*?\*\//g, ''))?.[1] ?? '';
    expect(tableOf(page, '13').map(([refusal]) => refusal)).toEqual(wordsIn(type));
  });

  it('are those of the exit codes', () => {
    const edge = sourcesBelow('edge/src', '.ts').join('\n');
    const givenUp = [...edge.matchAll(/^const GIVEN_UP = (\d+);$/gm)].map(([, code]) => Number(code));
    const codes = [...Object.values(constantOf('runtime/src', 'ExitCode')), ...givenUp];
    const rows = tableOf(page, '15').map(([code]) => Number(code));
    expect(rows).toEqual(codes.sort((a, b) => a - b));
  });
});

/** Finds words in single quotes. */
const wordsIn = (type: string): string[] => [...type.matchAll(/'([^']+)'/g)].map(([, word]) => word ?? '');

/** Writes a public key as topics show it. */
const formatKey = (key: Uint8Array): string => formatTopic({ kind: 'command', gateway: key }).split('/')[2] ?? '';

/** Reads the content of a control message without opening it. */
function contentOf(hex: string): Map<number, CborValue> {
  const frame = decodeCbor(fromHex(hex).subarray(1)) as CborValue[];
  return decodeCbor(frame[2] as Uint8Array) as Map<number, CborValue>;
}
