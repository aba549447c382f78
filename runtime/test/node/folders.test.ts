import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeFolder, makeFolderLater } from '../../src/node/index.js';

let folder = '';
const at = (name: string) => join(folder, name);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'folders-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const ways = [
  ['at once', async (path: string, mode?: number) => makeFolder(path, mode)],
  ['later', makeFolderLater],
] as const;

describe.each(ways)('a folder, made %s', (_, make) => {
  test('comes with those above it, and stays as it is where it is there', async () => {
    await make(at('a/b/c'), 0o700);
    await make(at('a/b/c'), 0o755);
    expect(statSync(at('a/b/c')).mode & 0o777).toBe(0o700);
    expect(statSync(at('a')).mode & 0o777).toBe(0o700);
    await make('.');
  });

  test('is refused where a file lies in its way', async () => {
    writeFileSync(at('file'), '');
    symlinkSync(at('none'), at('link'));
    await expect(make(at('file'))).rejects.toMatchObject({ code: 'EEXIST', path: at('file') });
    await expect(make(at('file/a/b'))).rejects.toMatchObject({ code: 'ENOTDIR' });
    await expect(make(at('link'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test.skipIf(process.platform !== 'linux')('ends where a folder takes no other: /proc', async () => {
    await expect(make('/proc/gridtokenx/data')).rejects.toMatchObject({ code: 'ENOENT', path: '/proc/gridtokenx' });
  });
});
