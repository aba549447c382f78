import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OperatorError } from '@gridtokenx/runtime/core';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { partyKey } from '../src/start/keys.js';
import { pathsIn } from '../src/start/layout.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-keys-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('a key is made once, for its owner alone', () => {
  const paths = pathsIn(folder);
  const made = partyKey(paths, 'owner');
  expect(partyKey(paths, 'owner').publicKey.toBase58()).toBe(made.publicKey.toBase58());
  expect(statSync(paths.key('owner')).mode & 0o777).toBe(0o600);
});

it('a key that others may read, or that is damaged, is refused without a word of it', () => {
  const paths = pathsIn(folder);
  partyKey(paths, 'owner');
  chmodSync(paths.key('owner'), 0o644);
  expect(() => partyKey(paths, 'owner')).toThrow(/owner\.json: others may read this key \(mode 0644\); chmod 600/);
  chmodSync(paths.key('owner'), 0o600);
  writeFileSync(paths.key('owner'), '[1,2,3]');
  expect(() => partyKey(paths, 'owner')).toThrow(OperatorError);
  expect(() => partyKey(paths, 'owner')).not.toThrow(/1,2,3/);
});
