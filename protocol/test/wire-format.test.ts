import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  type CborValue,
  decodeCbor,
  fromHex,
  Purpose,
  parseGatewayStatus,
  parseOracleStatus,
  parseSimulatedClock,
  SIG_PREFIX,
  SIGN1_BYTES,
  toHex,
} from '../src/index.js';
import { LAYOUT, widthOf } from './golden/layout.js';
import { sectionOf, specPage, tableOf } from './pages.js';

const page = specPage('wire-format');
// biome-ignore lint/suspicious/noExplicitAny: vectors are data
const load = (name: string): any => JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), 'utf8'));

/** Reads the content of a control message without opening it. */
function contentOf(hex: string): Map<number, CborValue> {
  const frame = decodeCbor(fromHex(hex).subarray(1)) as CborValue[];
  return decodeCbor(frame[2] as Uint8Array) as Map<number, CborValue>;
}

describe('docs/specs/wire-format.md', () => {
  it.each([
    ['4.2', '1'],
    ['4.3', '2'],
    ['4.4', '3'],
    ['4.5', '4'],
    ['4.10', '5'],
  ] as const)('section %s has the bytes of payload kind %s', (section, kind) => {
    const rows = [...tableOf(page, '4.1'), ...tableOf(page, section)];
    const fields = rows.map(([at, size, name]) => ({ at: Number(at), size: Number(size), name }));
    expect(fields).toEqual(
      LAYOUT[kind].map((field) => ({ at: field.at, size: widthOf(field.type), name: field.name })),
    );
    for (const [i, { at, size }] of fields.entries()) expect(fields[i + 1]?.at ?? 96).toBe(at + size);
  });

  it('has the bytes of the envelope', () => {
    const { message } = load('messages.json').cases[0];
    const rows = tableOf(page, '3.1').map(([at, size, bytes]) => ({ at: Number(at), size: Number(size), bytes }));
    expect(rows.reduce((sum, { size }) => sum + size, 0)).toBe(SIGN1_BYTES);
    for (const { at, size, bytes } of rows) {
      const hex = (bytes ?? '').replaceAll(/[` ]/g, '').toLowerCase();
      if (hex !== '') expect(message.slice(2 * at, 2 * (at + size))).toBe(hex);
    }
    const prefix = tableOf(page, '3.2')[0]?.[2]?.replaceAll(/[` ]/g, '').toLowerCase();
    expect(prefix).toBe(toHex(SIG_PREFIX));
  });

  const control: [string, string, string, string][] = [
    ['7.2', 'Sign-in token', Purpose.signIn, load('tokens.json').cases[0].message],
    ['7.3', 'Ack', Purpose.ack, load('acks.json').cases[1].message],
    ['7.4', 'Command', Purpose.command, load('commands.json').commands[1].message],
    ['7.5', 'Command answer', Purpose.command, load('commands.json').answers[1].message],
    ['7.6', 'Co-sign request', Purpose.cosign, load('cosigns.json').cases[1].message],
    ['7.7', 'Time', Purpose.time, load('time.json').cases[0].message],
  ];
  it.each(control)('section %s: %s has the keys and types of the bytes', (section, title, purpose, message) => {
    expect(sectionOf(page, section).split('\n')[0]).toBe(`### ${section} ${title}, external_aad "${purpose}"`);
    const content = contentOf(message);
    const rows = tableOf(page, section);
    expect(rows.map(([key]) => Number(key))).toEqual([...content.keys()]);
    for (const [key, , type] of rows) {
      const value = content.get(Number(key));
      const bytes = /^(\d+) bytes$/.exec(type ?? '');
      if (bytes) expect((value as Uint8Array).length).toBe(Number(bytes[1]));
      else if (type?.startsWith('bytes')) expect(value).toBeInstanceOf(Uint8Array);
      else if (type?.startsWith('text')) expect(typeof value).toBe('string');
      else if (type === 'unsigned') expect(['number', 'bigint']).toContain(typeof value);
      else if (type === 'map') expect(value).toBeInstanceOf(Map);
      else expect(Array.isArray(value) && type === 'list').toBe(true);
    }
  });

  it('section 6.5 has the keys of a gateway status, and where its texts are cut', () => {
    const long = 'x'.repeat(400);
    const full = {
      online: true,
      session: long,
      sinceMs: 1,
      statedMs: 2,
      version: long,
      name: long,
      spoolDepth: 7,
      clockSynchronised: true,
      problems: Array.from({ length: 25 }, () => long),
    };
    const parsed = parseGatewayStatus(JSON.stringify({ ...full, problems: full.problems.slice(0, 5) }));
    const rows = tableOf(page, '6.5');
    expect(rows.map(([key]) => key?.replaceAll('`', ''))).toEqual(Object.keys(full));
    expect(Object.keys(parsed ?? {})).toEqual(Object.keys(full));
    const cut = Object.fromEntries(rows.map(([key, , , most]) => [key?.replaceAll('`', ''), most]));
    expect([cut.session, cut.version, cut.name].map(Number)).toEqual(
      [parsed?.session, parsed?.version, parsed?.name].map((text) => text?.length),
    );
    const many = parseGatewayStatus(JSON.stringify({ ...full, problems: Array.from({ length: 25 }, () => 'y') }));
    expect(cut.problems).toBe(`${many?.problems?.length} of ${parsed?.problems?.[0]?.length}`);
    for (const key of ['online', 'session']) {
      expect(rows.find(([name]) => name === `\`${key}\``)?.[1]).toContain('must be there');
      expect(parseGatewayStatus(JSON.stringify({ ...full, problems: [], [key]: undefined }))).toBeNull();
    }
  });

  it('a status without what may be missing has an empty version and nothing else; what has another type is left away', () => {
    const least = { online: false, session: 's', version: '' };
    const parse = (more: object) => parseGatewayStatus(JSON.stringify({ online: false, session: 's', ...more }));
    expect(parse({})).toEqual(least);
    expect(parse({ version: 1, name: 2, spoolDepth: '3', clockSynchronised: 4, problems: 5, more: 6 })).toEqual(least);
    for (const spoolDepth of [-1, 0.5, 2 ** 53]) expect(parse({ spoolDepth })).toEqual(least);
    expect(parse({ spoolDepth: 0, problems: ['a', 1, null] })).toEqual({ ...least, spoolDepth: 0, problems: ['a'] });
    for (const time of [-1, 0.5, 253_402_300_800_000, '1', null])
      expect(parse({ sinceMs: time, statedMs: time })).toEqual(least);
    expect(parse({ sinceMs: 0, statedMs: 253_402_300_799_999 })).toEqual({
      ...least,
      sinceMs: 0,
      statedMs: 253_402_300_799_999,
    });
    expect([parse({ online: 1 }), parse({ session: 1 })]).toEqual([null, null]);
    for (const text of ['', 'null', '1', '[', '"x"']) expect(parseGatewayStatus(text), text).toBeNull();
    const padded = (length: number) => JSON.stringify(least).padEnd(length);
    expect([parseGatewayStatus(padded(8_192)), parseGatewayStatus(padded(8_193))]).toEqual([least, null]);
  });

  it("section 6.6: an oracle's status has one key, and other texts are none", () => {
    expect([true, false].map((online) => parseOracleStatus(JSON.stringify({ online, more: 1 })))).toEqual([
      { online: true },
      { online: false },
    ]);
    for (const text of ['', 'null', '1', '[]', '{}', '{"online":1}', '{"online":true}'.padEnd(8_193)])
      expect(parseOracleStatus(text), text).toBeNull();
  });

  it('section 10.1 has the keys of the simulated clock, each of which is needed', () => {
    const keys = tableOf(page, '10.1').flatMap(([key]) =>
      [...(key ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name),
    );
    const segment = { simStartMs: 900_000, positionStartMs: 0, positionEndMs: null };
    const clock = { version: 1, speed: 60, anchorSimMs: 0, anchorRealMs: 0, reservedThroughMs: 1, segments: [segment] };
    const inSegments = Object.keys(segment).map((key) => `segments[].${key}`);
    expect(keys).toEqual([...Object.keys(clock), ...inSegments]);
    expect(parseSimulatedClock(JSON.stringify(clock))).toEqual(clock);
    for (const key of Object.keys(clock)) {
      expect(() => parseSimulatedClock(JSON.stringify({ ...clock, [key]: undefined })), key).toThrow(RangeError);
    }
    for (const key of Object.keys(segment)) {
      const segments = [{ ...segment, [key]: undefined }];
      expect(() => parseSimulatedClock(JSON.stringify({ ...clock, segments })), key).toThrow(RangeError);
    }
  });
});
