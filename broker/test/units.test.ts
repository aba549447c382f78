import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { base58Encode } from '@gridtokenx/protocol';
import { ConfigError } from '@gridtokenx/runtime/node';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeysFile, parseKeys } from '../src/adapters/keys-file.js';
import { DEFAULT_LIMITS, parseBrokerConfig } from '../src/config.js';
import { TokenBucket } from '../src/domain/token-bucket.js';
import { signerOf } from './harness.js';

describe('token bucket', () => {
  it('never lets more through than burst + rate x time', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: 500 }), fc.integer({ min: 1, max: 50 })), { maxLength: 200 }),
        (steps) => {
          const bucket = new TokenBucket(100, 20, 0);
          let [now, spent] = [0, 0];
          for (const [pause, size] of steps) {
            now += pause;
            if (bucket.waitMs(now) > 0) continue;
            bucket.spend(size, now);
            spent += size;
            expect(spent).toBeLessThanOrEqual(20 + now / 10 + 50);
          }
        },
      ),
    );
  });

  it('says exactly when the debt is paid', () => {
    const bucket = new TokenBucket(10, 5, 0);
    bucket.spend(25, 0);
    const wait = bucket.waitMs(0);
    expect(bucket.waitMs(wait - 200)).toBeGreaterThan(0);
    expect(bucket.waitMs(wait)).toBe(0);
  });
});

describe('configuration', () => {
  const good = 'name: b\nhost: 127.0.0.1\nport: 1\nkeysFile: k\nhttp:\n  host: h\n  port: 2\n';
  it('fills in the limits', () => {
    expect(parseBrokerConfig(`${good}limits:\n  inFlight: 7\n`, 'f').limits).toEqual({
      ...DEFAULT_LIMITS,
      inFlight: 7,
    });
  });
  it('reads JSON too', () => {
    const json = JSON.stringify({ name: 'b', host: '::1', port: 1, keysFile: 'k', http: { host: 'h', port: 2 } });
    expect(parseBrokerConfig(json, 'f').port).toBe(1);
  });
  it.each(['host: "a\\0b"', 'host: "a b"', 'host: ""'])('refuses what is no host in one line: %s', (host) => {
    const line = /^f:\d+: (http\.)?host: expected a host name or an address/;
    expect(() => parseBrokerConfig(good.replace('host: 127.0.0.1', host), 'f')).toThrow(line);
    expect(() => parseBrokerConfig(good.replace('host: h', host), 'f')).toThrow(line);
  });
  it('takes plain MQTT to others only where it is told to, and TLS anywhere', () => {
    const open = good.replace('host: 127.0.0.1', 'host: 0.0.0.0');
    expect(() => parseBrokerConfig(open, 'f')).toThrow(/^f:2: host: .*; give tls, or say allow_plaintext: true$/);
    expect(() => parseBrokerConfig(open.replace('0.0.0.0', '127.0.0.1.example'), 'f')).toThrow(/^f:2: host: /);
    expect(parseBrokerConfig(`${open}allow_plaintext: true\n`, 'f').tls).toBeUndefined();
    const tls = parseBrokerConfig(`${open}tls: { cert_file: c, key_file: k }\n`, 'f').tls;
    expect(tls).toEqual({ cert_file: 'c', key_file: 'k', min_version: 'TLSv1.3' });
  });
  it.each([
    ['an old TLS', `${good}tls: {cert_file: c, key_file: k, min_version: TLSv1.1}\n`, /^f:8: tls\.min_version: /],
    ['a certificate without its key', `${good}tls: {cert_file: c}\n`, /^f:8: tls\.key_file: /],
    ['an unknown key', `${good}extra: 1\n`, /^f:8: extra: /],
    ['an unknown key inside', good.replace('  port: 2', '  prt: 2'), /^f:5: http\.port: |^f:7: http\.prt: /],
    ['a missing key', good.replace('keysFile: k\n', ''), /^f:1: keysFile: /],
    ['a wrong type', good.replace('port: 1', 'port: one'), /^f:3: port: /],
    ['broken syntax', `${good}  : [\n`, /^f:\d+: syntax: [^\n]*$/],
    ['nothing', '', /^f:1: \w+: /],
  ])('names the line of %s', (_name, text, message) => {
    expect(() => parseBrokerConfig(text, 'f')).toThrow(ConfigError);
    expect(() => parseBrokerConfig(text, 'f')).toThrow(message);
  });
});

describe('keys file', () => {
  const publicKey = base58Encode(signerOf('a').publicKey);
  const entry = { publicKey, role: 'gateway', status: 'active', name: 'a' };
  const file = (...keys: object[]) => JSON.stringify({ version: 1, keys });

  it('refuses what is not exactly a list of keys', () => {
    expect(parseKeys(file(entry)).size).toBe(1);
    expect(() => parseKeys(file(entry, entry))).toThrow('twice');
    expect(() => parseKeys(file({ ...entry, role: 'admin' }))).toThrow('role');
    // Its path may name a file with a secret: nothing of it is told.
    expect(() => parseKeys('5ec4e7 5ec4e7')).toThrow(expect.objectContaining({ message: 'is not JSON' }));
    expect(() => parseKeys(file({ ...entry, publicKey: 'abc' }))).toThrow('base58');
    expect(() => parseKeys(file({ ...entry, more: 1 }))).toThrow();
    expect(() => parseKeys('{')).toThrow();
  });

  it('keeps the last good content while the file is bad, and says so once', () => {
    const dir = mkdtempSync(join(tmpdir(), 'keys-'));
    const path = join(dir, 'keys.json');
    const warnings: string[] = [];
    writeFileSync(path, file(entry));
    const keys = new KeysFile(path, {
      info: () => {},
      warn: (_fields, message) => warnings.push(message),
    });
    let changes = 0;
    keys.onChange(() => changes++);
    writeFileSync(path, '{"version":1,"ke');
    for (let i = 0; i < 3; i++) keys.refresh();
    expect(keys.find(publicKey)?.status).toBe('active');
    expect([warnings.length, changes]).toEqual([1, 0]);
    writeFileSync(path, file({ ...entry, status: 'revoked' }));
    keys.refresh();
    expect([keys.find(publicKey)?.status, changes]).toEqual(['revoked', 1]);
    rmSync(dir, { recursive: true });
  });
});
