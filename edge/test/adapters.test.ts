import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ed25519Signer, signTime } from '@gridtokenx/protocol';
import { provedVerifier, systemClock, systemRandom } from '@gridtokenx/runtime/node';
import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { askOracleTime } from '../src/adapters/clock/oracle-time.js';

import { nodeDisk } from '../src/adapters/disk/node-disk.js';
import { KeyStore } from '../src/adapters/keys/key-store.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'gridtokenx-adapters-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

describe.each(['memory', 'node'] as const)('the %s disk', (kind) => {
  const disk = () => (kind === 'memory' ? new CrashDisk() : nodeDisk);

  test('appends, reads, replaces, cuts, lists and removes', async () => {
    const own = disk();
    const folder = join(dir, 'a', 'b');
    await own.makeDir(folder);
    expect(await own.list(folder)).toEqual([]);
    expect(await own.read(join(folder, 'none'))).toBeNull();
    const path = join(folder, 'log');
    const file = await own.openAppend(path);
    await file.append(Uint8Array.of(1, 2, 3));
    await file.append(Uint8Array.of(4));
    await file.sync();
    await file.close();
    await own.syncDir(folder);
    const again = await own.openAppend(path);
    await again.append(Uint8Array.of(5, 6));
    await again.sync();
    await again.close();
    expect([...((await own.read(path)) ?? [])]).toEqual([1, 2, 3, 4, 5, 6]);
    expect([...(await own.readAt(path, 4, 10))]).toEqual([5, 6]);
    await own.truncate(path, 2);
    expect([...((await own.read(path)) ?? [])]).toEqual([1, 2]);
    await own.replace(join(folder, 'state'), Uint8Array.of(9));
    await own.replace(join(folder, 'state'), Uint8Array.of(8, 8));
    expect([...((await own.read(join(folder, 'state'))) ?? [])]).toEqual([8, 8]);
    expect(await own.list(folder)).toEqual(['log', 'state']);
    await own.remove(path);
    expect(await own.list(folder)).toEqual(['state']);
  });
});

describe('keys', () => {
  const plate = { manufacturer: 'Eastron', model: 'SDM630', serial: '1' };
  const store = () => new KeyStore(nodeDisk, join(dir, 'keys'), systemRandom);

  test('are made once, with mode 0600, and come back', async () => {
    await expect(store().gateway(false)).rejects.toThrow('run "init" first');
    await expect(store().meter('m', plate, false)).rejects.toThrow('run "init" first');
    const gateway = await store().gateway(true);
    const meter = await store().meter('m', plate, true);
    expect((await store().gateway(true)).publicKey).toEqual(gateway.publicKey);
    const again = await store().meter('m', plate, false);
    expect([again.signer.publicKey, again.meterId]).toEqual([meter.signer.publicKey, meter.meterId]);
    expect(meter.signer.publicKey).not.toEqual(gateway.publicKey);
    for (const name of ['gateway.json', 'meter-m.json']) {
      expect(statSync(join(dir, 'keys', name)).mode & 0o777).toBe(0o600);
    }
    expect(statSync(join(dir, 'keys')).mode & 0o777).toBe(0o700);
  });

  test('are refused for another nameplate, when others can read them, and when damaged', async () => {
    await store().meter('m', plate, true);
    await expect(store().meter('m', { ...plate, serial: '2' }, true)).rejects.toThrow(
      'give an exchanged meter a new name',
    );
    const path = join(dir, 'keys', 'meter-m.json');
    chmodSync(path, 0o640);
    await expect(store().meter('m', plate, false)).rejects.toThrow('chmod 600');
    chmodSync(path, 0o600);
    const text = readFileSync(path, 'utf8');
    for (const damaged of [
      '',
      '{}',
      text.replace(/"seed":"..../, '"seed":"'),
      text.replace(/"salt":"../, '"salt":"'),
    ]) {
      writeFileSync(path, damaged);
      await expect(store().meter('m', plate, true)).rejects.toThrow(/damaged|made for/);
    }
  });
});

test('a changed digit in a key file is no other key', async () => {
  const store = new KeyStore(nodeDisk, join(dir, 'keys'), systemRandom);
  const plate = { manufacturer: 'Eastron', model: 'SDM630', serial: '1' };
  const [production, consumption] = [new Uint8Array(16), new Uint8Array(16).fill(1)];
  await store.gateway(true);
  await store.meter('m', plate, true);
  await store.point('p', production, consumption, true);
  const cases = [
    ['gateway.json', 'seed', 'public_key', () => store.gateway(false)],
    ['meter-m.json', 'seed', 'public_key', () => store.meter('m', plate, false)],
    ['meter-m.json', 'salt', 'meter_id', () => store.meter('m', plate, false)],
    ['point-p.json', 'seed', 'public_key', () => store.point('p', production, consumption, false)],
  ] as const;
  for (const [name, part, made, read] of cases) {
    const path = join(dir, 'keys', name);
    const text = readFileSync(path, 'utf8');
    const flip = (_: string, head: string, digit: string) => `${head}${digit === '0' ? '1' : '0'}`;
    writeFileSync(path, text.replace(new RegExp(`("${part}":")([0-9a-f])`), flip));
    const line = `${path}: its ${part} does not match its ${made}: restore it from a backup of the data directory`;
    await expect(read()).rejects.toThrow(line);
    // A file of an earlier version has no such record.
    writeFileSync(path, text.replace(new RegExp(`,"${made}":"[0-9a-f]*"`), ''));
    await read();
    writeFileSync(path, text);
    await read();
  }
});

describe('clocks', () => {
  const verifier = provedVerifier();
  const oracle = ed25519Signer(new Uint8Array(32).fill(2));

  async function serve(
    answer: (nonce: Uint8Array) => Uint8Array,
    code = 200,
  ): Promise<{ url: string; close: () => void }> {
    const server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => response.writeHead(code).end(answer(new Uint8Array(Buffer.concat(parts)))));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
  }
  const ask = (url: string) => askOracleTime({ url, key: oracle.publicKey }, verifier, systemClock, systemRandom);

  test("the signed time of an oracle is true within the round trip, whatever this machine's clock says", async () => {
    const server = await serve((nonce) => signTime({ timeMs: Date.now() - 5_000, nonce }, oracle));
    const { steadyAtMs, timeMs, errorMs } = await ask(server.url);
    server.close();
    const behindMs = Date.now() - (timeMs + systemClock.monotonicMs() - steadyAtMs);
    expect(Math.abs(behindMs - 5_000)).toBeLessThanOrEqual(errorMs + 2);
  });

  test.each<[string, (nonce: Uint8Array) => Uint8Array, number]>([
    ['another key', (nonce) => signTime({ timeMs: Date.now(), nonce }, ed25519Signer(new Uint8Array(32).fill(9))), 200],
    ['another nonce', () => signTime({ timeMs: Date.now(), nonce: new Uint8Array(16) }, oracle), 200],
    ['an error page', () => new Uint8Array(3), 500],
    ['too much', () => new Uint8Array(100_000), 200],
    ['a time after the last window', (nonce) => signTime({ timeMs: 2 ** 53 - 1, nonce }, oracle), 200],
  ])('an answer with %s is no time', async (_name, answer, code) => {
    const server = await serve(answer, code);
    await expect(ask(server.url)).rejects.toThrow();
    server.close();
  });
});
