import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { base58Encode, ed25519Signer, sha256, toHex } from '@gridtokenx/protocol';
import { build, freePort, type Running, startProcess } from '@gridtokenx/testing-kit/processes';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { halfOpen } from '../src/neighbours/attacks/half-open.js';
import { logFlood } from '../src/neighbours/attacks/log-flood.js';
import { subscriptions } from '../src/neighbours/attacks/subscriptions.js';
import type { AttackParts } from '../src/neighbours/attacks/target.js';
import { tokenReplay } from '../src/neighbours/attacks/token-replay.js';
import { signIn } from '../src/neighbours/attacks/wire.js';

/** Duration of each attack here, in ms; a campaign attacks for minutes. */
const ATTACK_MS = 2_000;
const folder = mkdtempSync(join(tmpdir(), 'gtx-attacks-'));
const path = (name: string) => join(folder, name);
const seedOf = (name: string) => sha256(new TextEncoder().encode(name));
const [hostile, neighbour, oracle] = ['hostile', 'neighbour', 'oracle'].map((name) => ed25519Signer(seedOf(name)));
const services: { broker?: Running; oracle?: Running } = {};
const clock = { now: () => Date.now(), sleep: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)) };
let parts: AttackParts;

async function run(service: 'broker' | 'oracle'): Promise<void> {
  services[service] = await startProcess(`${service}/dist/main.js`, ['run', '--config', path(`${service}.json`)]);
}
/** Returns the number of characters that each service has logged. */
const logged = () => [services.broker, services.oracle].map((service) => service?.output().length ?? 0);

beforeAll(async () => {
  build();
  if (!hostile || !neighbour || !oracle) throw new Error('no keys');
  const [mqtt, health, page, service] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const json = (name: string, value: unknown) => writeFileSync(path(name), JSON.stringify(value));
  writeFileSync(path('key'), `${toHex(seedOf('oracle'))}\n`, { mode: 0o600 });
  json('meters.json', { version: 1, meters: [] });
  const entry = (role: string, publicKey: Uint8Array) => ({
    publicKey: base58Encode(publicKey),
    role,
    status: 'active',
  });
  json('keys.json', {
    version: 1,
    keys: [
      { ...entry('gateway', hostile.publicKey), name: 'hostile' },
      { ...entry('gateway', neighbour.publicKey), name: 'neighbour' },
      { ...entry('oracle', oracle.publicKey), name: 'oracle' },
    ],
  });
  const host = '127.0.0.1';
  json('broker.json', { name: 'b', host, port: mqtt, keysFile: 'keys.json', http: { host, port: health } });
  json('oracle.json', {
    ...{ network_id: '0102030405060708', data_dir: 'data', key_file: 'key', meters_file: 'meters.json' },
    ...{ broker: { url: `mqtt://${host}:${mqtt}`, name: 'b' }, page: { port: page }, service: { host, port: service } },
  });
  await run('broker');
  await run('oracle');
  const at = (port: number) => `${host}:${port}`;
  while ((await fetch(`http://${at(page)}/readyz`)).status !== 200) await clock.sleep(20);
  parts = {
    urls: { mqtt: `mqtt://${at(mqtt)}`, service: `http://${at(service)}`, page: `http://${at(page)}` },
    broker: 'b',
    keys: { gateway: hostile, neighbour: neighbour.publicKey },
    deadline: 0,
    clock,
    random: (bytes) => new Uint8Array(randomBytes(bytes)),
  };
});
afterAll(() => {
  for (const service of Object.values(services)) service.child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

it.each([
  ['subscriptions', subscriptions, 'sessions'],
  ['half-open connections', halfOpen, 'opened'],
  ['refusals', logFlood, 'refusals'],
  ['used tokens', tokenReplay, 'replays'],
] as const)('a home that attacks by %s leaves the others their broker and oracle', async (_name, attack, tried) => {
  const before = logged();
  let isOver = false;
  const attacked = attack({ ...parts, deadline: clock.now() + ATTACK_MS }).finally(() => {
    isOver = true;
  });
  while (!isOver) {
    expect((await fetch(`${parts.urls.page}/readyz`)).status).toBe(200);
    expect((await fetch(`${parts.urls.service}/time`, { method: 'POST', body: new Uint8Array(16) })).status).toBe(200);
    await clock.sleep(200);
  }
  // The attack had an effect, and broke no rule.
  const figures = await attacked;
  expect(figures[tried]).toBeGreaterThan(0);
  expect(figures.breaches ?? 0).toBe(0);
  if (!neighbour) throw new Error('no neighbour');
  const other = await signIn({ ...parts, keys: { gateway: neighbour, neighbour: parts.keys.gateway.publicKey } });
  expect(other).not.toBeNull();
  other?.destroy();
  for (const [i, size] of logged().entries()) expect(size - (before[i] ?? 0)).toBeLessThan(100_000);
});
