import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { keyPaths, profileJsonSchema } from '../../src/profiles/json-schema.js';
import { KEY_TEXTS } from '../../src/profiles/key-texts.js';
import { parseProfile } from '../../src/profiles/parse.js';

const folder = fileURLToPath(new URL('../../profiles/', import.meta.url));
const document = readFileSync(fileURLToPath(new URL('../../../docs/profiles.md', import.meta.url)), 'utf8');
const schema = JSON.parse(readFileSync(`${folder}profile.schema.json`, 'utf8'));
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

describe('the schema for editors', () => {
  test('is the one that the code makes: else run "node tools/profile-schema.mjs" and "npm run format"', () => {
    expect(schema).toEqual(JSON.parse(JSON.stringify(profileJsonSchema())));
  });

  test('explains each key, in it and in the document, with the same words', () => {
    const paths = keyPaths(profileJsonSchema()).sort();
    expect(paths).toEqual(Object.keys(KEY_TEXTS).sort());
    const rows = [...document.matchAll(/^\| `([^`]+)` \|.*\| (.+) \|$/gm)].map(([, path, text]) => [path, text]);
    expect(Object.fromEntries(rows)).toEqual(KEY_TEXTS);
    expect(rows).toHaveLength(paths.length);
    expect(JSON.stringify(schema)).toContain(KEY_TEXTS['registers.*.rollover']);
  });

  // Zod reads the schema as an editor does, apart from the code that made it.
  const editor = z.fromJSONSchema(schema);
  test.each(files)('accepts %s', (name) => {
    const { error } = editor.safeParse(parse(readFileSync(`${folder}${name}`, 'utf8')));
    expect(error?.issues).toBeUndefined();
  });

  test.each<[string, (text: string) => string]>([
    ['an unknown key', (text) => `${text}\ncolour: red\n`],
    ['an unknown register', (text) => text.replace('  voltage:', '  volt:')],
    ['an unknown unit', (text) => text.replace('unit: Hz', 'unit: hertz')],
    ['a missing key', (text) => text.replace('manufacturer: Eastron\n', '')],
    ['a number that is too large', (text) => text.replace('max_registers: 80', 'max_registers: 126')],
    ['another protocol', (text) => text.replace('protocol: modbus', 'protocol: dlms')],
  ])('refuses %s, as the gateway does', (_name, change) => {
    const good = readFileSync(`${folder}eastron-sdm120.yaml`, 'utf8');
    const text = change(good);
    expect(text).not.toBe(good);
    expect(editor.safeParse(parse(text)).success).toBe(false);
    expect(() => parseProfile(text, 'f.yaml')).toThrow(/^f\.yaml:\d+: /);
  });
});
