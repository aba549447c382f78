import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OperatorError } from '@gridtokenx/runtime/core';
import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { build } from '@gridtokenx/testing-kit/processes';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { readBuildTime } from '../../src/adapters/clock/build-time.js';
import { nodeDisk } from '../../src/adapters/disk/node-disk.js';

const BUILT = fileURLToPath(new URL('../../dist/', import.meta.url));
let dir: string;
beforeAll(build);
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'gridtokenx-build-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

test('the build says when its newest source was committed, and a copy or a touch moves nothing', async () => {
  const builtAtMs = await readBuildTime(nodeDisk, join(BUILT, 'build.json'));
  const sources = ['edge/src', 'protocol/src', 'runtime/src'];
  const root = fileURLToPath(new URL('../../../', import.meta.url));
  const seconds = execFileSync('git', ['log', '-1', '--format=%ct', '--', ...sources], { cwd: root, encoding: 'utf8' });
  expect(builtAtMs).toBe(1_000 * Number(seconds));
  const copy = join(dir, 'dist');
  cpSync(BUILT, copy, { recursive: true });
  for (const name of ['build.json', 'main.js', 'wiring/secure.js'])
    utimesSync(join(copy, name), new Date('2040-01-01'), new Date('2040-01-01'));
  expect(await readBuildTime(nodeDisk, join(copy, 'build.json'))).toBe(builtAtMs);
});

test.each([
  ['is missing', null],
  ['is no JSON', 'x'],
  ['names no time', '{"version":1}'],
  ['names a text', '{"version":1,"built_ms":"1796122241000"}'],
  ['names a time before there was any software', '{"version":1,"built_ms":1000}'],
])('a build file that %s lets nothing start', async (_what, text) => {
  const disk = new CrashDisk();
  if (text !== null) await disk.replace('/build.json', Buffer.from(text));
  await expect(readBuildTime(disk, '/build.json')).rejects.toThrow(OperatorError);
  await expect(readBuildTime(disk, '/build.json')).rejects.toThrow('does not say when this software was built');
});

test('what is built is what the gateway reads', () => {
  expect(JSON.parse(readFileSync(join(BUILT, 'build.json'), 'utf8'))).toMatchObject({ version: 1 });
});
