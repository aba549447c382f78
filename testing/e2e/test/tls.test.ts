import { chmodSync, copyFileSync, readFileSync } from 'node:fs';
import { get } from 'node:https';
import { join } from 'node:path';
import { base58Encode } from '@gridtokenx/protocol';
import {
  build,
  command,
  freePort,
  type Running,
  startProcess,
  temporaryDirectory,
  until,
  writeJson,
} from '@gridtokenx/testing-kit/processes';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Authority, type Certificate, hasOpenssl, renew } from '../../../deploy/tls/certificates.js';

const mayRun = hasOpenssl() || process.env.CI === 'true';
const MAIN = 'edge/dist/main.js';
const DAY_MS = 86_400_000;
const days = (from: number, until: number) => ({
  from: new Date(Date.now() + from * DAY_MS),
  until: new Date(Date.now() + until * DAY_MS),
});

const directory = temporaryDirectory();
const path = (name: string) => join(directory.path, name);
let services: Running[] = [];
beforeAll(build);
afterEach(async () => {
  for (const service of services) await service.kill('SIGKILL');
  services = [];
  directory.remove();
});

async function start(main: string, config: string): Promise<Running> {
  const service = await startProcess(main, ['run', '--config', config]);
  services.push(service);
  return service;
}

/** Configures a gateway whose meter does not answer: these tests concern its connection to the broker. */
function gatewayConfig(brokerPort: number, httpPort: number, page: Certificate): string {
  return writeJson(path('gateway.json'), {
    network_id: '0011223344556677',
    data_dir: path('data'),
    name: 'home-1',
    broker: { url: `mqtts://127.0.0.1:${brokerPort}`, name: 'tls-broker', ca_file: path('trusted.pem') },
    oracles: [{ key: base58Encode(new Uint8Array(32).fill(3)) }],
    http: { host: '127.0.0.1', port: httpPort, tls: { cert_file: page.cert, key_file: page.key } },
    buses: [{ name: 'bus', transport: 'tcp', host: '127.0.0.1', port: 9 }],
    meters: [
      {
        name: 'main',
        manufacturer: 'Eastron',
        model: 'SDM630',
        serial: '1',
        profile: 'eastron-sdm630',
        bus: 'bus',
        unit: 1,
        owner: base58Encode(new Uint8Array(32).fill(5)),
        zone: 1,
        export_limit_w: 1,
        import_limit_w: 1,
      },
    ],
  });
}

describe.skipIf(!mayRun)('a gateway and a broker over TLS', () => {
  test('the gateway says why it does not connect, and connects when that is mended', async () => {
    const authority = new Authority(path('ca'));
    const stranger = new Authority(path('stranger'));
    const [brokerPort, brokerHttp, httpPort] = await Promise.all([freePort(), freePort(), freePort()]);
    const served = authority.issue({ file: 'broker', names: ['broker.example'] });
    const page = authority.issue({ file: 'page', names: ['home-1.local'] });
    const config = gatewayConfig(brokerPort, httpPort, page);
    copyFileSync(stranger.cert, path('trusted.pem'));
    const identity = JSON.parse((await command(MAIN, ['init', '--config', config])).output) as { gateway: string };
    const keysFile = writeJson(path('keys.json'), {
      version: 1,
      keys: [{ publicKey: identity.gateway, role: 'gateway', status: 'active', name: 'home-1' }],
    });
    const brokerConfig = writeJson(path('broker.json'), {
      name: 'tls-broker',
      host: '127.0.0.1',
      port: brokerPort,
      keysFile,
      http: { host: '127.0.0.1', port: brokerHttp },
      tls: { cert_file: served.cert, key_file: served.key },
    });
    const broker = await start('broker/dist/main.js', brokerConfig);
    const gateway = await start(MAIN, config);

    const look = (path: string) => ask(httpPort, authority.cert, path);
    const status = async () =>
      JSON.parse(await look('/api/v1/status')) as { broker: { online: boolean }; problems: string[] };
    const says = (what: RegExp) =>
      until(`the status says ${what}`, async () => (await status()).problems.some((text) => what.test(text)));
    await says(/^no connection to the broker: the certificate is not signed by an authority in .*trusted\.pem/);
    expect(gateway.output()).toMatch(/certificate is not signed by an authority/);
    // The command trusts the very certificate of its configuration, whatever its issuer and names.
    const told = await command(MAIN, ['status', '--config', config]);
    expect(told.code, told.output).toBe(0);
    expect((JSON.parse(told.output) as Awaited<ReturnType<typeof status>>).broker.online).toBe(false);

    copyFileSync(authority.cert, path('trusted.pem'));
    await says(/^no connection to the broker: the certificate is for DNS:broker\.example, not for 127\.0\.0\.1/);

    renew(authority.issue({ file: 'right', names: ['127.0.0.1'] }), served);
    await until('online', async () => (await status()).broker.online);
    expect((await status()).problems.filter((text) => /broker/.test(text))).toEqual([]);

    // A renewal of the broker's certificate keeps the session.
    const connects = async () => /gtx_gateway_connects_total (\d+)/.exec(await look('/metrics'))?.[1];
    expect(await connects()).toBe('1');
    const renewed = authority.issue({ file: 'again', names: ['127.0.0.1'] });
    renew(renewed, served);
    await until('renewed', () => (broker.output().match(/Loaded the renewed certificate/g) ?? []).length === 2);
    expect((await status()).broker.online).toBe(true);
    expect(await connects()).toBe('1');

    // An expired certificate is no renewal. A broker that starts with one serves it, and the gateway reports the
    // problem.
    renew(authority.issue({ file: 'old', names: ['127.0.0.1'], ...days(-20, -10) }), served);
    await until('refused', () =>
      /Cannot load the renewed certificate: the old one stays in force/.test(broker.output()),
    );
    expect((await status()).broker.online).toBe(true);
    await broker.kill('SIGTERM');
    const late = await start('broker/dist/main.js', brokerConfig);
    expect(late.output()).toMatch(/"event":"certificate_expiring"/);
    await says(/^no connection to the broker: the certificate, or one that it rests on, has expired/);

    // The page's own certificate is renewed as well.
    renew(authority.issue({ file: 'page-2', names: ['home-1.local'], ...days(-1, 50) }), page);
    await until('page renewed', async () => /gtx_gateway_certificate_expiry_days 49/.test(await look('/metrics')));
    for (const { output } of [broker, late, gateway]) expect(output()).not.toMatch(/PRIVATE KEY/);
    expect((await gateway.kill('SIGTERM')).code).toBe(0);

    // A key that others may read is refused.
    chmodSync(page.key, 0o644);
    const open = await command(MAIN, ['run', '--config', config]);
    expect(open.code).toBe(2);
    expect(open.output).toMatch(/page\.key: others may read this private key \(mode 0644\)/);
  }, 120_000);
});

function ask(port: number, ca: string, path: string): Promise<string> {
  const options = {
    host: '127.0.0.1',
    port,
    path,
    ca: readFileSync(ca),
    servername: 'home-1.local',
    agent: false,
  };
  return new Promise((resolve, reject) => {
    get({ ...options, minVersion: 'TLSv1.3' }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => {
        text += part;
      });
      response.on('end', () => resolve(text));
    }).on('error', reject);
  });
}
