import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { makeCopy } from '../src/copy.js';

const folder = mkdtempSync(join(tmpdir(), 'gtx-copy-'));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function put(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

it('has the stamp of what is installed, and the versions that a workspace has of its own', () => {
  put('tree/edge/package.json', '{}');
  put('tree/edge/node_modules/own/index.js', 'of the workspace');
  put('tree/node_modules/own/index.js', 'of the root');
  put('tree/node_modules/.gridtokenx-lock', 'stamp');
  put('tree/node_modules/.vitest-cache/x', 'of the tree alone');
  mkdirSync(join(folder, 'tree/node_modules/@gridtokenx'));
  symlinkSync('../../edge', join(folder, 'tree/node_modules/@gridtokenx/edge'));
  makeCopy(join(folder, 'tree'), ['edge/package.json'], join(folder, 'copy'));
  const textOf = (path: string) => readFileSync(join(folder, 'copy', path), 'utf8');
  expect(textOf('node_modules/.gridtokenx-lock')).toBe('stamp');
  expect(textOf('edge/node_modules/own/index.js')).toBe('of the workspace');
  expect(textOf('node_modules/own/index.js')).toBe('of the root');
  expect(textOf('node_modules/@gridtokenx/edge/package.json')).toBe('{}');
  expect(existsSync(join(folder, 'copy/node_modules/.vitest-cache'))).toBe(false);
});
