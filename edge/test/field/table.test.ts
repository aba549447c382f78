import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const folder = fileURLToPath(new URL('.', import.meta.url));
const page = readFileSync(fileURLToPath(new URL('../../../docs/field-cases.md', import.meta.url)), 'utf8');
const rows = page.split('\n').filter((line) => /^\| \[\d\d\]/.test(line));

test('the page of field cases has a row for each folder, and each folder a case', () => {
  const folders = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const linked = rows.map((row) => /edge\/test\/field\/([^/]+)\/case\.test\.ts/.exec(row)?.[1]);
  expect(linked).toEqual(folders.map(({ name }) => name).sort());
  for (const { name } of folders) expect(readdirSync(`${folder}/${name}`)).toContain('case.test.ts');
});

test('each row states source, device, signature and words, and its number is that of its folder', () => {
  expect(rows.length).toBeGreaterThanOrEqual(20);
  for (const row of rows) {
    const cells = row.split('|').map((cell) => cell.trim());
    expect(cells).toHaveLength(7);
    expect(cells.slice(1, 6).every((cell) => cell !== '')).toBe(true);
    const [, number, inFolder] = /^\[(\d\d)\]\(.*\/(\d\d)-/.exec(cells[1] ?? '') ?? [];
    expect(inFolder).toBe(number);
  }
});
