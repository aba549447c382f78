import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { OperatorError } from '../../src/core/index.js';
import { listenError, operatorErrorOf } from '../../src/node/index.js';

const system = (code: string, syscall: string, more: object = {}) =>
  Object.assign(new Error(`${code}: ${syscall}`), { code, syscall, errno: -1, ...more });
function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return null;
}

describe('errors of the system that the operator can mend', () => {
  test.each([
    [system('EADDRINUSE', 'listen', { address: '::', port: 80 }), /^:::80 is taken; stop what listens there/],
    [system('EACCES', 'listen', { address: '127.0.0.1', port: 80 }), /^not allowed to listen on 127\.0\.0\.1:80; /],
    [system('EADDRNOTAVAIL', 'bind', { address: '1.2.3.4', port: 80 }), /^1\.2\.3\.4 is no address of this machine; /],
    [system('ENOTFOUND', 'getaddrinfo', { hostname: 'nowhere' }), /^the host nowhere is not known; /],
    [system('ENOSPC', 'write'), /^the disk is full; make room$/],
    [system('EROFS', 'open', { path: '/a' }), /^\/a: the disk is read-only; mount it writable$/],
    [system('EACCES', 'open', { path: '/a' }), /^\/a: permission is denied; change its owner or mode$/],
    [system('ENOENT', 'open', { path: '/a' }), /^\/a: is not there; correct the path$/],
    [system('EEXIST', 'mkdir', { path: '/a' }), /^\/a: is there already, and is no folder; move it away/],
    [system('EINVAL', 'listen', { address: 'fe80::1', port: 1 }), /^fe80::1 is no address of this machine; /],
    [system('EAI_AGAIN', 'getaddrinfo', { hostname: 'nowhere' }), /^the host nowhere is not known; /],
    [system('ENOTDIR', 'mkdir', { path: '/a/b' }), /^\/a\/b: a part of the path is a file; correct the path$/],
  ])('%s', (error, line) => {
    const found = operatorErrorOf(error);
    expect(found).toBeInstanceOf(OperatorError);
    expect(found?.message).toMatch(line);
    expect(found?.cause).toBe(error);
  });

  test('as Node itself throws them', () => {
    expect(operatorErrorOf(thrownBy(() => readFileSync('/not there')))?.message).toMatch(/^\/not there: is not there/);
    expect(operatorErrorOf(thrownBy(() => readdirSync(import.meta.filename)))?.message).toMatch(/is a file; correct/);
  });

  test('an error of the operator is itself', () => {
    const error = new OperatorError({ code: 'x', problem: 'p', advice: 'a' });
    expect(operatorErrorOf(error)).toBe(error);
  });
});

describe('defects of ours have a code as well, and are not taken for the operator', () => {
  test.each([
    ['a wrong argument', thrownBy(() => readFileSync(undefined as unknown as string))],
    ['a wrong buffer', thrownBy(() => Buffer.alloc(-1))],
    ['an unknown system error', system('EFOO', 'read', { path: '/a' })],
    ['a closed file', system('EBADF', 'read')],
    ['a missing file without a name', system('ENOENT', 'read')],
    ['a code alone', Object.assign(new Error('x'), { code: 'EACCES' })],
    ['an error without a code', new TypeError('x is not a function')],
    ['no error', 'text'],
    ['nothing', undefined],
  ])('%s', (_name, error) => {
    expect(operatorErrorOf(error)).toBeNull();
  });
});

test('an address that cannot be listened on is named by its key; another error stays', () => {
  const address = { host: '127.0.0.1', port: 5 };
  expect((listenError(system('EADDRINUSE', 'listen'), 'MQTT', address) as Error).message).toBe(
    'MQTT: 127.0.0.1:5 is taken; stop what listens there, or choose another port',
  );
  const other = system('EMFILE', 'listen');
  expect(listenError(other, 'MQTT', address)).toBe(other);
});
