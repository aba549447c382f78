import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readPayer, readStatement } from '../src/statement-file.js';

let folder = '';
const at = (name: string) => join(folder, name);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'submit-'));
  execFileSync('mkfifo', ['-m', '600', at('pipe')]);
});
afterEach(() => rmSync(folder, { recursive: true }));

describe.each([
  ['the payer', readPayer],
  ['a statement', readStatement],
] as const)('%s', (_, read) => {
  test('is a regular file: a pipe would be waited for, and a device has no end', () => {
    expect(() => read(at('pipe'))).toThrow(`${at('pipe')}: is no regular file; name a file`);
    expect(() => read('/dev/zero')).toThrow('/dev/zero: is no regular file; name a file');
    writeFileSync(at('long'), Buffer.alloc(65_537));
    expect(() => read(at('long'))).toThrow(`${at('long')}: is longer than 65536 bytes; is it the right file?`);
    expect(() => read(at('none'))).toThrow(`${at('none')}: there is no such file; correct its path`);
  });
});
