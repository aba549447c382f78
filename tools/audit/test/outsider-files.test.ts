import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, command } from '@gridtokenx/testing-kit/processes';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

let folder = '';
const at = (name: string) => join(folder, name);
beforeAll(build);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'audit-'));
  execFileSync('mkfifo', ['-m', '600', at('pipe')]);
  mkdirSync(at('folder'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Returns the last line of the command, which contacts no node before its files are valid. */
async function lineOf(...options: string[]): Promise<string> {
  const { code, output } = await command('tools/audit/dist/main.js', ['--rpc', 'http://127.0.0.1:9', ...options]);
  expect(code).toBe(2);
  return output.trim().replace(/^npm run audit: /, '');
}

test('an earlier result is a regular file of bounded size that holds one', async () => {
  expect(await lineOf('--previous', at('pipe'))).toBe(`--previous ${at('pipe')} is no regular file`);
  expect(await lineOf('--previous', '/dev/zero')).toBe('--previous /dev/zero is no regular file');
  writeFileSync(at('other'), 'no result');
  expect(await lineOf('--previous', at('other'))).toBe(`--previous ${at('other')} is no earlier result`);
  writeFileSync(at('other'), 'null');
  expect(await lineOf('--previous', at('other'))).toBe(`--previous ${at('other')} is no earlier result`);
  truncateSync(at('other'), 2 ** 29);
  expect(await lineOf('--previous', at('other'))).toBe(`--previous ${at('other')} is too large for an earlier result`);
});

test('a place that cannot take the result is refused before the check', async () => {
  expect(await lineOf('--out', at('pipe'))).toBe(`--out ${at('pipe')} is no regular file`);
  expect(await lineOf('--out', at('folder'))).toBe(`--out ${at('folder')} is no regular file`);
  expect(await lineOf('--out', at('none/result'))).toBe(`--out ${at('none/result')}: there is no such folder`);
  // The control: with a valid path the node is missing.
  expect(await lineOf('--out', at('result'))).toMatch(/^no node answers/);
});

test('an output that takes nothing ends with 2 and one line', () => {
  const full = openSync('/dev/full', 'w');
  const script = fileURLToPath(new URL('../dist/main.js', import.meta.url));
  const ended = spawnSync(process.execPath, [script, '--help'], { stdio: ['ignore', full, 'pipe'], encoding: 'utf8' });
  closeSync(full);
  expect(ended.status).toBe(2);
  expect(ended.stderr).toMatch(/^npm run audit: the standard output cannot be written \(ENOSPC.*\)\n$/);
});
