import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toHex } from '@gridtokenx/protocol';
import { fixedRandom } from '@gridtokenx/testing-kit/virtual-clock';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  createPrivateFile,
  ensureSeedFile,
  type FileCalls,
  isReadableByOthers,
  makePrivate,
  readPrivateFile,
  readSeedFile,
  refuseReadableByOthers,
  replacePrivateFile,
} from '../../src/node/index.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'private-'));
  path = join(folder, 'keys', 'key.hex');
});
afterEach(() => rmSync(folder, { recursive: true }));

const SEED = 'ab'.repeat(32);
const words = { what: 'key', missing: 'make it with "init"' };
function put(text: string, mode: number): void {
  mkdirSync(join(folder, 'keys'), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
}
const modeOf = (of: string) => statSync(of).mode & 0o777;

/** Calls on a disk that takes one byte at a time, and fails where it is told to. */
function recorded(failing = ''): { calls: FileCalls; did: string[] } {
  const did: string[] = [];
  const names: string[] = [];
  const note = (what: string) => {
    did.push(what);
    if (what === failing) throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
  };
  const short = (of: string) => of.replace(`.${process.pid}`, '');
  return {
    did,
    calls: {
      open: (of, flags, mode) => {
        note(`open ${short(of)} ${flags} ${mode?.toString(8) ?? ''}`.trim());
        return names.push(short(of)) - 1;
      },
      mode: () => 0o600,
      read: () => new Uint8Array(),
      write: (file) => {
        note(`write ${names[file]}`);
        return 1;
      },
      sync: (file) => note(`sync ${names[file]}`),
      close: (file) => note(`close ${names[file]}`),
      rename: (from, to) => note(`rename ${short(from)} ${to}`),
      link: (from, to) => note(`link ${short(from)} ${to}`),
      remove: (of) => note(`remove ${short(of)}`),
      makeFolder: (of) => note(`folder ${of}`),
    },
  };
}

describe('the one check of who may read a secret', () => {
  test.each([0o600, 0o400, 0o700])('takes mode %o', (mode) => {
    expect(isReadableByOthers(0o100_000 | mode, 'linux')).toBe(false);
  });
  test.each([0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o777])('refuses mode %o', (mode) => {
    expect(isReadableByOthers(0o100_000 | mode, 'linux')).toBe(true);
  });
  test('does not ask Windows, which has no such modes', () => {
    expect(isReadableByOthers(0o100_666, 'win32')).toBe(false);
  });

  test('names the file, its mode and what to do', () => {
    put(SEED, 0o640);
    const line = `${path}: others may read this key (mode 0640); chmod 600 it, and think about who may have copied it`;
    expect(() => refuseReadableByOthers(path)).toThrow(line);
    expect(() => readPrivateFile(path, words)).toThrow(line);
    expect(() => readPrivateFile(path, { ...words, what: 'token' })).toThrow('others may read this token');
    chmodSync(path, 0o600);
    refuseReadableByOthers(path);
    expect(Buffer.from(readPrivateFile(path, words)).toString()).toBe(SEED);
  });
});

describe('a secret that cannot be read', () => {
  test('is missing', () => {
    expect(() => readPrivateFile(path, words)).toThrow(`${path}: the key file is missing; make it with "init"`);
  });
  test('is a folder', () => {
    chmodSync(folder, 0o700);
    expect(() => readPrivateFile(folder, words)).toThrow(`${folder}: the key file cannot be read (EISDIR)`);
  });
});

describe('making a private file', () => {
  test('gives it mode 0600 whatever the umask, and its folder 0700', () => {
    const umask = process.umask(0);
    try {
      expect(createPrivateFile(path, Buffer.from('text'))).toBe(true);
    } finally {
      process.umask(umask);
    }
    expect([modeOf(path), modeOf(join(folder, 'keys')), readFileSync(path, 'utf8')]).toEqual([0o600, 0o700, 'text']);
    expect(readdirSync(join(folder, 'keys'))).toEqual(['key.hex']);
  });

  test('leaves the one that is there', () => {
    createPrivateFile(path, Buffer.from('first'));
    expect(createPrivateFile(path, Buffer.from('second'))).toBe(false);
    expect([readFileSync(path, 'utf8'), readdirSync(join(folder, 'keys'))]).toEqual(['first', ['key.hex']]);
  });

  test('is not stopped by what a crash left behind', () => {
    mkdirSync(join(folder, 'keys'));
    writeFileSync(`${path}.${process.pid}.new`, 'half', { mode: 0o600 });
    expect(createPrivateFile(path, Buffer.from('whole'))).toBe(true);
    expect(readFileSync(path, 'utf8')).toBe('whole');
  });

  test('syncs the file before it has its name, and the folder after', () => {
    const { calls, did } = recorded();
    createPrivateFile('d/k', Buffer.from('ab'), calls);
    expect(did).toEqual([
      'folder d',
      'open d/k.new w 600',
      'write d/k.new',
      'write d/k.new',
      'sync d/k.new',
      'close d/k.new',
      'link d/k.new d/k',
      'remove d/k.new',
      'open d r',
      'sync d',
      'close d',
    ]);
  });

  test.each(['write d/k.new', 'sync d/k.new', 'link d/k.new d/k'])(
    'leaves nothing behind when "%s" fails',
    (failing) => {
      const { calls, did } = recorded(failing);
      expect(() => createPrivateFile('d/k', Buffer.from('ab'), calls)).toThrow('ENOSPC');
      expect(did.slice(-1)).toEqual(['remove d/k.new']);
      expect(did).toContain('close d/k.new');
    },
  );
});

describe('replacing a private file', () => {
  test('puts the new content in place of the old, with mode 0600', () => {
    put('old', 0o644);
    replacePrivateFile(path, Buffer.from('new'));
    expect([modeOf(path), readFileSync(path, 'utf8'), readdirSync(join(folder, 'keys'))]).toEqual([
      0o600,
      'new',
      ['key.hex'],
    ]);
  });

  test('syncs the file before it has its name, and the folder after', () => {
    const { calls, did } = recorded();
    replacePrivateFile('d/k', Buffer.from('a'), calls);
    expect(did).toEqual([
      'folder d',
      'open d/k.new w 600',
      'write d/k.new',
      'sync d/k.new',
      'close d/k.new',
      'rename d/k.new d/k',
      'open d r',
      'sync d',
      'close d',
    ]);
  });

  test.each(['write d/k.new', 'sync d/k.new', 'rename d/k.new d/k'])('keeps the old one when "%s" fails', (failing) => {
    const { calls, did } = recorded(failing);
    expect(() => replacePrivateFile('d/k', Buffer.from('a'), calls)).toThrow('ENOSPC');
    expect(did.slice(-1)).toEqual(['remove d/k.new']);
  });
});

describe('seeds', () => {
  test('are made once and read again', () => {
    const random = fixedRandom(7);
    const made = ensureSeedFile(path, random, 'run init');
    expect([toHex(made), modeOf(path)]).toEqual(['07'.repeat(32), 0o600]);
    expect(ensureSeedFile(path, fixedRandom(8), 'run init')).toEqual(made);
    expect(readSeedFile(path, 'run init')).toEqual(made);
  });

  test.each([
    ['', 'nothing'],
    [SEED.slice(1), 'a digit too few'],
    [`${SEED}0`, 'a digit too many'],
    ['x'.repeat(64), 'no hex'],
  ])('are refused where the file holds "%s" (%s), which is not repeated', (text) => {
    put(text, 0o600);
    expect(() => readSeedFile(path, 'run init')).toThrow(
      expect.objectContaining({
        message: `${path}: not a key file (64 digits of hex); restore it from a backup`,
      }),
    );
  });

  test('may be written in capitals and end with a line feed', () => {
    put(`${SEED.toUpperCase()}\n`, 0o600);
    expect(toHex(readSeedFile(path, ''))).toBe(SEED);
  });
});

test('takes a file that is there from all others, and minds none that is not', () => {
  put(SEED, 0o644);
  makePrivate(path);
  expect(modeOf(path)).toBe(0o600);
  makePrivate(join(folder, 'not there'));
});
