import { appendFileSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { rotate, rotateAll } from '../src/start/log-files.js';

const folder = mkdtempSync(join(tmpdir(), 'gtx-logs-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('moves a long log aside while its process goes on appending to it', () => {
  const path = join(folder, 'service.log');
  const file = openSync(path, 'a');
  writeSync(file, 'a'.repeat(100));
  expect(rotate(path, 100)).toBe(false);
  writeSync(file, 'b');
  expect(rotate(path, 100)).toBe(true);
  writeSync(file, 'after\n');
  closeSync(file);
  expect(readFileSync(`${path}.1`, 'utf8')).toBe(`${'a'.repeat(100)}b`);
  expect(readFileSync(path, 'utf8')).toBe('after\n');
});

it('bounds what the logs of a service take, however much it writes', () => {
  const path = join(folder, 'loud.log');
  for (let i = 0; i < 500; i++) {
    appendFileSync(path, 'x'.repeat(1_000));
    rotateAll(folder, 10_000);
  }
  expect(statSync(path).size + statSync(`${path}.1`).size).toBeLessThanOrEqual(22_000);
});
