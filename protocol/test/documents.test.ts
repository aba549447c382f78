import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { allReasons, type CborValue, decodeCbor, fromHex, Purpose } from '../src/index.js';

const page = readFileSync(new URL('../../docs/wire-keys.md', import.meta.url), 'utf8');
// biome-ignore lint/suspicious/noExplicitAny: vectors are data
const load = (name: string): any => JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), 'utf8'));

/** Rows of the first table under a heading that starts with `title`. */
function rows(title: string): { heading: string; cells: string[][] } {
  const section = page.split(/^## /m).find((text) => text.startsWith(title));
  if (!section) throw new Error(`no section ${title}`);
  const lines = section.split('\n').filter((line) => line.startsWith('|'));
  const cells = lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  return { heading: section.split('\n')[0] ?? '', cells };
}

/** The content map of a control message, read without opening it. */
function contentOf(hex: string): Map<number, CborValue> {
  const frame = decodeCbor(fromHex(hex).subarray(1)) as CborValue[];
  return decodeCbor(frame[2] as Uint8Array) as Map<number, CborValue>;
}

describe('docs/wire-keys.md', () => {
  const control: [string, string, string][] = [
    ['Sign-in token', Purpose.signIn, load('tokens.json').cases[0].message],
    ['Ack', Purpose.ack, load('acks.json').cases[1].message],
    ['Command,', Purpose.command, load('commands.json').commands[1].message],
    ['Command answer', Purpose.command, load('commands.json').answers[1].message],
    ['Request to co-sign', Purpose.cosign, load('cosigns.json').cases[1].message],
    ['Time', Purpose.time, load('time.json').cases[0].message],
  ];
  it.each(control)('%s has the keys and types of the bytes', (title, purpose, message) => {
    const { heading, cells } = rows(title);
    expect(heading).toContain(`"${purpose}"`);
    const content = contentOf(message);
    expect(cells.map(([key]) => Number(key))).toEqual([...content.keys()]);
    for (const [key, , type] of cells) {
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

  it('lists the reasons as they are', () => {
    const { cells } = rows('Reasons');
    expect(cells).toEqual(allReasons().map((r) => [String(r.number), r.name, r.class]));
  });
});
