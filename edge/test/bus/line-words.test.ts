import { expect, test } from 'vitest';
import { describe as describeFault } from '../../src/domain/bus/connection.js';

const fault = (code: string) => Object.assign(new Error(`connect ${code} 10.0.0.9:502`), { code });

test.each([
  ['ECONNREFUSED', /^connection refused: is the meter on/],
  ['ECONNRESET', /another program may hold its only connection/],
  ['ENOENT', /^there is no such serial port/],
  ['EACCES', /group dialout$/],
  ['ENOTFOUND', /^the host name has no address/],
  ['EAI_AGAIN', /^the host name has no address/],
  ['EHOSTUNREACH', /^this machine cannot reach the host: is the host on, and in this network\?$/],
  ['ENETUNREACH', /^this machine cannot reach the host: is the host on, and in this network\?$/],
  ['ETIMEDOUT', /^this machine cannot reach the host: is the host on, and in this network\?$/],
])('%s is told to the installer in words of its own', (code, words) => {
  expect(describeFault(fault(code))).toMatch(words);
});

test('what has no words of its own is told as it is', () => {
  expect(describeFault(fault('EPIPE'))).toBe('connect EPIPE 10.0.0.9:502');
  expect(describeFault(new Error('cannot lock port'))).toMatch(/another program uses it/);
  expect(describeFault('text')).toBe('text');
});
