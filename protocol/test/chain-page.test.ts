import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root, sectionOf, specPage, tableOf } from './pages.js';

const page = specPage('chain');

type IdlType =
  | string
  | { readonly array: readonly [IdlType, number] }
  | { readonly vec: IdlType }
  | { readonly defined: { readonly name: string } };
interface Field {
  readonly name: string;
  readonly type: IdlType;
}
interface Named {
  readonly name: string;
}
interface Idl {
  readonly accounts: readonly Named[];
  readonly events: readonly Named[];
  readonly instructions: readonly (Named & {
    readonly discriminator: readonly number[];
    readonly accounts: readonly (Named & { signer?: boolean; writable?: boolean; optional?: boolean })[];
    readonly args: readonly Field[];
  })[];
  readonly types: readonly (Named & { readonly type: { readonly fields: readonly Field[] } })[];
}

const idls = ['registry', 'oracle', 'energy_token'].map(
  (name) => JSON.parse(readFileSync(join(root, `programs/idl/${name}.json`), 'utf8')) as Idl,
);
const types = new Map(idls.flatMap((idl) => idl.types.map(({ name, type }) => [name, type.fields] as const)));
const SIZES: Readonly<Record<string, number>> = { u8: 1, bool: 1, u16: 2, u32: 4, u64: 8, pubkey: 32 };

/** Counts the bytes of a type; null where they vary. */
function sizeOf(type: IdlType): number | null {
  if (typeof type === 'string') return SIZES[type] ?? null;
  if ('array' in type) return (sizeOf(type.array[0]) ?? 0) * type.array[1];
  if ('vec' in type) return null;
  return sum((types.get(type.defined.name) ?? []).map((field) => sizeOf(field.type) ?? 0));
}

function nameOf(type: IdlType): string {
  if (type === 'pubkey') return 'key';
  if (type === 'bytes') return 'u32 length, then bytes';
  if (typeof type === 'string') return type;
  if ('vec' in type) return `u32 count, then ${nameOf(type.vec)} each`;
  if ('defined' in type) return type.defined.name;
  const [of, count] = type.array;
  return of === 'u8' ? `${count} bytes` : `${count} × ${nameOf(of)}`;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);

/** Makes rows [at, size, name, type] of fields from `start` on; a size that varies is null. */
function rowsOf(fields: readonly Field[], start: number): (string | number | null)[][] {
  let at = start;
  return fields.map(({ name, type }) => {
    const size = sizeOf(type);
    const row = [at, size, name, nameOf(type)];
    at += size ?? 0;
    return row;
  });
}

/** Reads the same rows from a table of the page. */
function shownRows(section: string): (string | number | null)[][] {
  return tableOf(page, section).map(([at, size, name = '', type = '']) => [
    Number(at),
    /^\d+$/.test(size ?? '') ? Number(size) : null,
    name,
    type,
  ]);
}

/** Maps the titles of a chapter's sections to their numbers. */
function titled(chapter: string): Map<string, string> {
  const found = page.matchAll(new RegExp(`^### (${chapter}\\.\\d+) (.*)$`, 'gm'));
  return new Map([...found].map(([, number = '', title = '']) => [title, number]));
}

describe('docs/specs/chain.md', () => {
  const accounts = idls.flatMap((idl) => idl.accounts.map(({ name }) => name));
  const structs = ['MeterSlot', 'LedgerSlot'];

  it.each([...accounts, ...structs])('has the bytes of %s', (name) => {
    const section = titled('3').get(name);
    if (!section) throw new Error(`no section for ${name}`);
    const isAccount = accounts.includes(name);
    const head = isAccount ? [[0, 8, 'discriminator', '8 bytes']] : [];
    const rows = [...head, ...rowsOf(types.get(name) ?? [], isAccount ? 8 : 0)];
    expect(shownRows(section)).toEqual(rows);
    const bytes = sum(rows.map(([, size]) => Number(size))).toLocaleString('en');
    expect(sectionOf(page, section)).toContain(`\n${bytes} bytes.\n`);
  });

  it('has a section for each account and struct, and no other', () => {
    expect([...titled('3').keys()].sort()).toEqual(['Addresses', ...accounts, ...structs].sort());
  });

  it.each([
    ['4', 0],
    ['5', 1],
    ['6', 2],
  ] as const)('chapter %s has the instructions of its program', (chapter, program) => {
    const { instructions } = idls[program] as Idl;
    const sections = titled(chapter);
    expect([...sections.keys()]).toEqual(instructions.map(({ name }) => name));
    for (const { name, discriminator, accounts: wanted, args } of instructions) {
      const section = sections.get(name) ?? '';
      const line = sectionOf(page, section)
        .split('\n')
        .find((text) => text.startsWith('Discriminator'));
      const shown = wanted.map((account) => {
        const flags = (['signer', 'writable', 'optional'] as const).filter((flag) => account[flag]);
        return `\`${account.name}\`${flags.length > 0 ? ` (${flags.join(', ')})` : ''}`;
      });
      const hex = Buffer.from(discriminator).toString('hex');
      expect(line).toBe(`Discriminator \`${hex}\`. Accounts: ${shown.join(', ')}.`);
      if (args.length > 0) expect(shownRows(section)).toEqual(rowsOf(args, 8));
    }
  });

  it('has the events and their fields', () => {
    const events = idls.flatMap((idl) => idl.events.map(({ name }) => name));
    const fieldsOf = (name: string) =>
      (types.get(name) ?? []).map((field) => `${field.name} ${nameOf(field.type)}`).join(', ');
    expect(tableOf(page, '8')).toEqual(events.map((name) => [name, fieldsOf(name)]));
  });
});
