import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');

/** Returns the tests that the page names: a file in back-ticks, a colon, a title in quotes. */
export function namedTests(page: string): { file: string; title: string }[] {
  return [...page.matchAll(/`([^`]+\.test\.ts)`: "([^"]+)"/g)].map(([, file = '', title = '']) => ({ file, title }));
}

/** Returns named tests that do not exist: the file is missing, or has no test with this title. */
function missing(tests: readonly { file: string; title: string }[]): string[] {
  return tests.flatMap(({ file, title }) => {
    const path = join(root, file);
    const text = existsSync(path) ? readFileSync(path, 'utf8').replaceAll("\\'", "'") : '';
    return text.includes(title) ? [] : [`${file}: "${title}"`];
  });
}

const page = readFileSync(join(root, 'docs/threat-model.md'), 'utf8');

test('every row of the threat model names a test that is there', () => {
  const tests = namedTests(page);
  expect(tests.length).toBeGreaterThanOrEqual(25);
  expect(missing(tests)).toEqual([]);
});

test('control: a title that no test has is found', () => {
  const changed = page.replace(/: "[^"]+"/, ': "a test that nobody wrote"');
  expect(missing(namedTests(changed))).toHaveLength(1);
});
