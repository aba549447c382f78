import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { get as httpsGet, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { openTime } from '@gridtokenx/protocol';
import { verifier } from '@gridtokenx/testing-kit/oracle/ledger';
import { type Running, startProcess } from '@gridtokenx/testing-kit/processes';
import { meterOf } from '@gridtokenx/testing-kit/signed-journal';
import { until } from '@gridtokenx/testing-kit/until';
import { Aedes } from 'aedes';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Authority, type Certificate, hasOpenssl, renew } from '../../../deploy/tls/certificates.js';
import { ORACLE_KEY, oracleFolder } from '../support/process.js';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const mayRun = hasOpenssl() || process.env.CI === 'true';
if (!mayRun) console.warn('skipped: tests of TLS need the command "openssl"');
const DAY_MS = 86_400_000;

let folder: string;
let authority: Authority;
let stranger: Authority;
let page: Certificate;
let aedes: Aedes;
let broker: Server;
let oracle: Running | null = null;
let config: ReturnType<typeof oracleFolder>;
let port = 0;
const served: string[] = [];

/** Sets the certificate that the broker presents from the next connection on. */
const show = (own: Certificate) => broker.setSecureContext(material(own));
const material = (own: Certificate) => ({ cert: readFileSync(own.cert), key: readFileSync(own.key) });

beforeAll(async () => {
  if (!mayRun) return;
  const { buildAll } = await import(new URL('../../../tools/build.mjs', import.meta.url).href);
  buildAll();
  folder = mkdtempSync(join(tmpdir(), 'gtx-oracle-tls-'));
  authority = new Authority(join(folder, 'ca'));
  stranger = new Authority(join(folder, 'stranger'));
  page = authority.issue({ file: 'page', names: ['oracle.example'] });
  aedes = await Aedes.createBroker();
  broker = createServer(material(authority.issue({ file: 'other', names: ['broker.example'] })), (socket) => {
    served.push(socket.getProtocol() ?? '');
    aedes.handle(socket);
  });
  broker.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => broker.listen(0, '127.0.0.1', resolve));
  const url = `mqtts://127.0.0.1:${(broker.address() as AddressInfo).port}`;
  config = oracleFolder([meterOf(1)], url, {
    broker: { url, name: 'test', ca_file: join(folder, 'trusted.pem') },
    page: { host: '127.0.0.1', port: 0, tls: { cert_file: page.cert, key_file: page.key } },
    service: { host: '127.0.0.1', port: 0, tls: { cert_file: page.cert, key_file: page.key } },
  });
  copyFileSync(stranger.cert, join(folder, 'trusted.pem'));
});
afterAll(async () => {
  await oracle?.kill('SIGKILL');
  if (!mayRun) return;
  await new Promise<void>((resolve) => aedes.close(() => broker.close(() => resolve())));
  config.remove();
  rmSync(folder, { recursive: true });
});

const options = (path: string) => {
  const own = {
    ca: readFileSync(authority.cert),
    servername: 'oracle.example',
    agent: false,
    minVersion: 'TLSv1.3' as const,
  };
  return { host: '127.0.0.1', port, path, ...own };
};
function get(path: string, change: object = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    httpsGet({ ...options(path), ...change }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => {
        text += part;
      });
      response.on('end', () => resolve(text));
    }).on('error', reject);
  });
}
const says = (what: RegExp) =>
  until(`health says ${what}`, async () => {
    const { problems } = JSON.parse(await get('/readyz')) as { problems: string[] };
    return problems.some((text) => what.test(text));
  });

describe.skipIf(!mayRun)('an oracle over TLS', () => {
  it('says why it does not connect to the broker, and connects when that is mended', async () => {
    oracle = await startProcess(MAIN, ['run', '--config', config.file]);
    port = oracle.port;
    await says(/^no connection to the broker: the certificate is not signed by an authority in .*trusted\.pem/);
    copyFileSync(authority.cert, join(folder, 'trusted.pem'));
    await says(/^no connection to the broker: the certificate is for DNS:broker\.example, not for 127\.0\.0\.1/);
    const old = { from: new Date(Date.now() - 9 * DAY_MS), until: new Date(Date.now() - DAY_MS) };
    show(authority.issue({ file: 'old', names: ['127.0.0.1'], ...old }));
    await says(/^no connection to the broker: the certificate, or one that it rests on, has expired/);
    expect(aedes.connectedClients).toBe(0);
    show(authority.issue({ file: 'right', names: ['127.0.0.1'] }));
    await until('connected', async () => (JSON.parse(await get('/readyz')) as { ok: boolean }).ok);
    expect(aedes.connectedClients).toBe(1);
    expect(new Set(served)).toEqual(new Set(['TLSv1.3']));
  });

  it('serves signed time and its state over TLS 1.3, and nothing over TLS 1.2', async () => {
    const nonce = new Uint8Array(16).fill(5);
    const answer = await new Promise<Buffer>((resolve, reject) => {
      const sent = request({ ...options('/time'), port: oracle?.servicePort, method: 'POST' }, (response) =>
        response.once('data', resolve),
      );
      sent.on('error', reject).end(nonce);
    });
    expect(Math.abs(openTime(new Uint8Array(answer), ORACLE_KEY, nonce, verifier) - Date.now())).toBeLessThan(60_000);
    expect(JSON.parse(await get('/api/v1/state'))).toMatchObject({ verifier: 'libsodium' });
    const old = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' };
    await expect(get('/readyz', old)).rejects.toThrow(/alert protocol version/);
    await expect(get('/readyz', { ca: readFileSync(stranger.cert) })).rejects.toThrow();
  });

  it('takes a renewed certificate while it runs, and stays with it when the next is bad', async () => {
    const days = async () => /^gtx_oracle_certificate_expiry_days (\d+)/m.exec(await get('/metrics'))?.[1];
    expect(await days()).toBe('89');
    const next = { file: 'next', names: ['oracle.example'], until: new Date(Date.now() + 30.5 * DAY_MS) };
    renew(authority.issue(next), page);
    await until('renewed', async () => (await days()) === '30');
    renew({ cert: authority.issue({ ...next, file: 'third' }).cert, key: authority.key }, page);
    await says(/page\.key: is not the key of the first certificate in .*page\.pem/);
    const told = /Cannot load the renewed certificate: the old one stays in force/;
    await until('the log says so', () => told.test(oracle?.output() ?? ''));
    expect(await days()).toBe('30');
    expect(oracle?.output()).not.toMatch(/PRIVATE KEY/);
  });

  it('does not start with keys that others may read', async () => {
    const refusal = () =>
      startProcess(MAIN, ['run', '--config', config.file]).then(
        () => 'it started',
        (error: Error) => error.message,
      );
    await oracle?.kill('SIGTERM');
    renew(authority.issue({ file: 'last', names: ['oracle.example'] }), page);
    chmodSync(page.key, 0o640);
    expect(await refusal()).toMatch(
      /^ended with 2: .*page\.key: others may read this private key \(mode 0640\)[^\n]*\n$/,
    );
    chmodSync(page.key, 0o600);
    chmodSync(join(config.directory, 'key'), 0o644);
    expect(await refusal()).toMatch(
      /^ended with 2: .*key: others may read this key \(mode 0644\); chmod 600 it[^\n]*\n$/,
    );
  });
});
