import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { loadConfig, operatorErrorOf, readRegularFile, readRegularFileLater } from '../../src/node/index.js';
import { readPrivateFile } from '../../src/node/private-files.js';

let folder = '';
const at = (name: string) => join(folder, name);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'regular-'));
  writeFileSync(at('file'), 'a: 1\n', { mode: 0o600 });
  mkdirSync(at('folder'));
  symlinkSync('loop', at('loop'));
  if (process.platform !== 'win32') execFileSync('mkfifo', ['-m', '600', at('pipe')]);
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The line that a program would end with. */
async function lineOf(read: () => unknown): Promise<string> {
  try {
    return String(await read());
  } catch (error) {
    return operatorErrorOf(error)?.message ?? `defect: ${String(error)}`;
  }
}

describe.skipIf(process.platform === 'win32')('what is read whole', () => {
  const ways = [
    ['at once', (path: string, most?: number) => readRegularFile(path, most)],
    ['later', (path: string, most?: number) => readRegularFileLater(path, most)],
  ] as const;

  test.each(ways)('is a regular file, read %s', async (_, read) => {
    const line = (name: string, most?: number) => lineOf(() => read(at(name), most));
    expect(await line('file')).toBe('a: 1\n');
    expect(await line('pipe')).toBe(`${at('pipe')}: is no regular file; name a file`);
    expect(await lineOf(() => read('/dev/zero'))).toBe('/dev/zero: is no regular file; name a file');
    expect(await line('folder')).toBe(`${at('folder')}: is a folder; name a file`);
    expect(await line('loop')).toBe(`${at('loop')}: its links lead in a circle; mend the link`);
    expect(await line('none')).toBe(`${at('none')}: is not there; correct the path`);
    expect(await line('a'.repeat(300))).toMatch(/: its name is too long; correct the path$/);
    expect(await line('file', 4)).toBe(`${at('file')}: is longer than 4 bytes; is it the right file?`);
  });

  test('bounds what is never read into memory', async () => {
    truncateSync(at('file'), 3 * 2 ** 30);
    expect(await lineOf(() => readRegularFile(at('file')))).toMatch(/is longer than \d+ bytes/);
  });

  test('is a configuration', async () => {
    const load = (name: string) => lineOf(() => loadConfig(at(name), z.unknown()));
    expect(await load('pipe')).toBe(`${at('pipe')}: is no regular file; name a file`);
    expect(await load('folder')).toBe(`${at('folder')}: cannot be read (EISDIR); name a file`);
    expect(await load('loop')).toMatch(/cannot be read \(ELOOP\); its links lead in a circle/);
    for (const bytes of [
      Buffer.from('\ufeffa: 1\n', 'utf16le'),
      Buffer.from('a: 1\n', 'utf16le'),
      Buffer.from([0xff]),
    ]) {
      writeFileSync(at('file'), bytes);
      expect(await load('file')).toMatch(/file(:1: file)?: is no text in UTF-8; save it as UTF-8$/);
    }
    writeFileSync(at('file'), '\ufeffa: 1\n');
    expect(loadConfig(at('file'), z.unknown())).toEqual({ a: 1 });
  });

  test('is a secret', async () => {
    const line = await lineOf(() => readPrivateFile(at('pipe'), { what: 'key', missing: 'make it' }));
    expect(line).toBe(`${at('pipe')}: is no regular file; name a file`);
  });
});
