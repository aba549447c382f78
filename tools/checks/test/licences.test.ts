import { describe, expect, it } from 'vitest';
import { checkLicences, closureOf, isAllowed, judgeLicences, type Lock } from '../src/licences.js';
import { projectRoot } from '../src/root.js';

describe('the check of licences', () => {
  it.each([
    ['MIT', true],
    ['(MIT OR GPL-3.0-only)', true],
    ['MIT AND Zlib', true],
    ['(MIT AND GPL-3.0-only)', false],
    ['GPL-3.0-only', false],
    ['LGPL-3.0-only', false],
  ])('judges %s', (licence, expected) => {
    expect(isAllowed(licence)).toBe(expected);
  });

  const lock: Lock = {
    edge: { dependencies: { a: '1.0.0', '@gridtokenx/shared': '0.1.0' } },
    shared: { dependencies: { b: '1.0.0' } },
    oracle: { dependencies: { 'rpc-websockets': '1.0.0' } },
    'node_modules/@gridtokenx/shared': { link: true, resolved: 'shared' },
    'node_modules/a': { license: 'MIT', optionalDependencies: { b: '1.0.0', absent: '1.0.0' } },
    'node_modules/a/node_modules/b': { license: 'ISC' },
    'node_modules/b': { license: 'MIT' },
    'node_modules/rpc-websockets': { license: 'LGPL-3.0-only' },
  };

  it('follows dependencies through workspaces, nested packages and those that are not installed', () => {
    const expected = ['edge', 'node_modules/a', 'node_modules/a/node_modules/b', 'node_modules/b', 'shared'];
    expect([...closureOf(lock, 'edge')].sort()).toEqual(expected);
  });

  it('allows a package by its name and licence, and nowhere else', () => {
    expect(judgeLicences(lock)).toEqual([]);
    const renewed = { ...lock, 'node_modules/rpc-websockets': { license: 'AGPL-3.0-only' } };
    expect(judgeLicences(renewed)).toEqual([expect.stringContaining('AGPL-3.0-only, which is not allowed')]);
    const none = { ...lock, 'node_modules/b': {} };
    expect(judgeLicences(none)).toEqual([expect.stringContaining('node_modules/b has the licence (none)')]);
  });

  it('keeps it out of the gateway (control: the same in the oracle is allowed)', () => {
    const shipped = { ...lock, shared: { dependencies: { 'rpc-websockets': '1.0.0' } } };
    expect(judgeLicences(shipped)).toEqual([
      'package-lock.json: node_modules/rpc-websockets may not be among the dependencies of edge',
    ]);
  });

  it('finds nothing in this project', () => {
    expect(checkLicences(projectRoot)).toEqual([]);
  });
});
