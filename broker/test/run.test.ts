import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { base58Encode } from '@gridtokenx/protocol';
import { OperatorError, type RunningService } from '@gridtokenx/runtime';
import { certificateRoom, mayMakeCertificates } from '@gridtokenx/testing-kit/certificates';
import { freePort } from '@gridtokenx/testing-kit/free-port';
import { until } from '@gridtokenx/testing-kit/until';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { renew } from '../../deploy/tls/certificates.js';
import { parseBrokerConfig } from '../src/config.js';
import { startBroker } from '../src/run.js';
import { signerOf } from './harness.js';

const DAY_MS = 86_400_000;
const room = certificateRoom();
const key = { publicKey: base58Encode(signerOf('gateway').publicKey), role: 'gateway', status: 'active', name: 'home' };
let dir: string;
let lines: { event?: string; message: string }[];
let running: RunningService | null;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'broker-run-'));
  [lines, running] = [[], null];
  writeFileSync(join(dir, 'keys.json'), JSON.stringify({ version: 1, keys: [key] }));
});
afterEach(async () => {
  await running?.stop();
  rmSync(dir, { recursive: true });
});

const line = (fields: object, message: string) => void lines.push({ ...fields, message });
const log = { debug: line, info: line, warn: line, error: line };

async function start(more = '') {
  const [port, httpPort] = [await freePort(), await freePort()];
  const text = `name: dev\nhost: 127.0.0.1\nport: ${port}\nkeysFile: keys.json\nhttp: { host: 127.0.0.1, port: ${httpPort} }\n`;
  running = await startBroker(parseBrokerConfig(text + more, 'broker.yaml'), dir, log);
  const get = (path: string) => fetch(`http://127.0.0.1:${httpPort}${path}`);
  const health = async () => {
    const answer = await get('/readyz');
    return { status: answer.status, ...((await answer.json()) as { problems: string[] }) };
  };
  return { port, health, metrics: async () => (await get('/metrics')).text() };
}

it('serves without TLS, and shows at /readyz a keys file that went bad', async () => {
  const { port, health, metrics } = await start();
  expect(lines).toContainEqual({
    ...{ event: 'broker_started', message: 'Broker started', host: '127.0.0.1', port, keys: 1 },
    ...{ verifier: 'libsodium', tls: false },
  });
  expect(await health()).toEqual({
    ...{ status: 200, ok: true, problems: [], name: 'dev', keys: 1, verifier: 'libsodium', tls: null },
    conditions: ['listener', 'keys file', 'certificate'].map((name) => ({ name, problem: null, since_ms: null })),
  });
  expect(await metrics()).toMatch(/^gtx_broker_clients 0$/m);
  writeFileSync(join(dir, 'keys.json'), '{');
  await until('the file is read again', async () => (await health()).status === 503);
  expect((await health()).problems).toEqual([expect.stringMatching(/^keys file not read, the last one stays: /)]);
});

it.skipIf(!mayMakeCertificates)('shows a certificate that expires soon, until it is renewed', async () => {
  const pair = room.issue({ until: new Date(Date.now() + 2.5 * DAY_MS) });
  const { health, metrics } = await start(`tls: { cert_file: ${pair.cert}, key_file: ${pair.key} }\n`);
  expect(lines).toContainEqual(expect.objectContaining({ event: 'broker_started', tls: true }));
  const problem = `${pair.cert} expires in 2 days: renew it, and it is taken without a restart`;
  expect(await health()).toMatchObject({ status: 503, problems: [problem], tls: { days: 2, refused: null } });
  renew(room.issue({ until: new Date(Date.now() + 20.5 * DAY_MS) }), pair);
  await until('it is taken', async () => (await health()).status === 200);
  expect(await health()).toMatchObject({ problems: [], tls: { days: 20, refused: null } });
  expect(await metrics()).toMatch(/^gtx_broker_certificate_renewals_total\{result="taken"\} 1$/m);
  expect(await metrics()).toMatch(/^gtx_broker_certificate_expiry_days 20\.4/m);
});

it('names the port that is taken', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  const text = `name: dev\nhost: 127.0.0.1\nport: ${port}\nkeysFile: keys.json\nhttp: { host: 127.0.0.1, port: 1 }\n`;
  const error: unknown = await startBroker(parseBrokerConfig(text, 'broker.yaml'), dir, log).catch((e: unknown) => e);
  taken.close();
  expect(error).toBeInstanceOf(OperatorError);
  expect(error).toMatchObject({ key: 'MQTT', code: 'port-taken' });
});

it('closes both ports when it stops', async () => {
  const { port, health } = await start();
  await running?.stop();
  running = null;
  await expect(health()).rejects.toThrow('fetch failed');
  const again = createServer().listen(port, '127.0.0.1');
  await once(again, 'listening');
  again.close();
});
