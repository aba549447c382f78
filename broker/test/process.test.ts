import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { base58Encode } from '@gridtokenx/protocol';
import { build, type Forked, forkProcess, freePort } from '@gridtokenx/testing-kit/processes';
import { until } from '@gridtokenx/testing-kit/until';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Authority, hasOpenssl, renew } from '../../deploy/tls/certificates.js';
import { closed, connect, endAll, type Fixture, optionsFor, returnCodeOf, signerOf, tokenFor } from './harness.js';

const MAIN = 'broker/dist/main.js';
const gateway = signerOf('gateway');
const clientId = base58Encode(gateway.publicKey);
const options = (change = {}) =>
  optionsFor(gateway, { password: tokenFor(gateway, clientId, Date.now(), { broker: 'dev' }), ...change });

let dir: string;
let running: Forked | null;

beforeAll(build);
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'broker-'));
  running = null;
});
afterEach(() => {
  endAll();
  running?.child.kill('SIGKILL');
  rmSync(dir, { recursive: true });
});

function writeKeys(status: 'active' | 'revoked'): void {
  const keys = [{ publicKey: clientId, role: 'gateway', status, name: 'home-1' }];
  writeFileSync(join(dir, 'keys.tmp'), JSON.stringify({ version: 1, keys }));
  renameSync(join(dir, 'keys.tmp'), join(dir, 'keys.json'));
}

function configure(port: number, httpPort: number, ...more: string[]): string {
  const path = join(dir, 'broker.yaml');
  const lines = [
    'name: dev',
    'host: 127.0.0.1',
    `port: ${port}`,
    'keysFile: keys.json',
    `http: { host: 127.0.0.1, port: ${httpPort} }`,
    ...more,
  ];
  writeFileSync(path, lines.join('\n'));
  return path;
}

function start(config: string, more: readonly string[] = [], options: Parameters<typeof forkProcess>[2] = {}): Forked {
  running = forkProcess(MAIN, ['run', '--config', config, ...more], options);
  return running;
}

/** Returns exit code and output of a broker that cannot start. */
async function result({ exited, output }: Forked): Promise<{ code: number | null; errors: string }> {
  const { code } = await exited;
  return { code, errors: output() };
}

it('serves, reads its keys again, shows health and metrics, and stops cleanly', async () => {
  writeKeys('active');
  const [port, httpPort] = [await freePort(), await freePort()];
  const broker = start(configure(port, httpPort));
  expect(await broker.ready).toEqual({ type: 'ready' });
  const fixture = { port } as Fixture;
  const client = await connect(fixture, options());
  const health = await fetch(`http://127.0.0.1:${httpPort}/readyz`);
  expect(health.status).toBe(200);
  expect(await health.json()).toMatchObject({ ok: true, keys: 1, verifier: 'libsodium' });
  const metrics = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
  expect(metrics).toContain('gtx_broker_clients 1');
  const ended = closed(client);
  writeKeys('revoked');
  await ended;
  expect(await returnCodeOf(fixture, options())).toBe(5);
  expect((await broker.kill('SIGTERM')).code).toBe(0);
});

describe.skipIf(!hasOpenssl() && process.env.CI !== 'true')('over TLS', () => {
  const tls = 'tls: { cert_file: certs/server.pem, key_file: certs/server.key }';

  it('takes a renewed certificate while it runs, and keeps its sessions', async () => {
    writeKeys('active');
    const authority = new Authority(join(dir, 'certs'));
    const pair = authority.issue({ file: 'server', names: ['127.0.0.1'] });
    const [port, httpPort] = [await freePort(), await freePort()];
    const broker = start(configure(port, httpPort, tls));
    await broker.ready;
    const client = await connect({ port, scheme: 'mqtts' } as Fixture, options({ ca: readFileSync(authority.cert) }));
    const metrics = async () => (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
    expect(await metrics()).toMatch(/^gtx_broker_certificate_expiry_days 89\.9/m);
    renew(authority.issue({ file: 'next', names: ['127.0.0.1'], until: new Date(Date.now() + 5 * 86_400_000) }), pair);
    await until('renewed', async () => /^gtx_broker_certificate_expiry_days 4\.9/m.test(await metrics()), 20_000);
    expect(await metrics()).toMatch(/^gtx_broker_certificate_renewals_total\{result="taken"\} 1$/m);
    expect(await metrics()).toMatch(/^gtx_broker_clients 1$/m);
    expect(client.connected).toBe(true);
    expect((await broker.kill('SIGTERM')).code).toBe(0);
  });

  it('does not start with a key that others may read, and says so in one line', async () => {
    writeKeys('active');
    const pair = new Authority(join(dir, 'certs')).issue({ file: 'server', names: ['127.0.0.1'] });
    chmodSync(pair.key, 0o644);
    const { code, errors } = await result(start(configure(await freePort(), await freePort(), tls)));
    expect(code).toBe(2);
    expect(errors).toMatch(
      /^[^\n]*certs\/server\.key: others may read this private key \(mode 0644\); chmod 600 [^\n]*\n$/,
    );
  });
});

it('stops when its parent is gone', async () => {
  writeKeys('active');
  const broker = start(configure(await freePort(), await freePort()));
  await broker.ready;
  broker.child.disconnect();
  expect((await broker.exited).code).toBe(0);
});

it('says which port is taken and ends with 2', async () => {
  writeKeys('active');
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  const { code, errors } = await result(start(configure(port, await freePort())));
  taken.close();
  expect(code).toBe(2);
  expect(errors).toMatch(new RegExp(`^MQTT: 127.0.0.1:${port} is taken; .*\\n$`));
});

it('takes an unknown option for a mistake of the operator: one line, 2', async () => {
  expect(await result(start('a', ['--nothing']))).toEqual({
    code: 2,
    errors: `gridtokenx-broker: unknown option '--nothing'; "gridtokenx-broker --help" lists what there is\n`,
  });
});

it.each(['20.20.2', '22.14.0'])(
  'tells a person with Node %s in one line what to do, and loads nothing else',
  async (version) => {
    const pretend = `Object.defineProperty(process.versions, 'node', { value: '${version}' });`;
    const preload = `data:text/javascript,${encodeURIComponent(pretend)}`;
    expect(await result(start('none', [], { execArgv: ['--import', preload] }))).toEqual({
      code: 2,
      errors: `gridtokenx-broker: Node ${version} is too old; install Node 22.15 or newer\n`,
    });
  },
);

/** A Node 20 that is installed here beside the pinned one, where there is one. */
const oldNode = ['/usr/bin/node', '/usr/local/bin/node'].find((path) => {
  try {
    return execFileSync(path, ['--version'], { encoding: 'utf8' }).startsWith('v20.');
  } catch {
    return false;
  }
});
it.skipIf(!oldNode)('does so on a real Node 20', async () => {
  const { code, errors } = await result(start('none', [], { execPath: oldNode ?? '' }));
  expect(code).toBe(2);
  expect(errors).toMatch(/^gridtokenx-broker: Node 20\.\S+ is too old; install Node 22\.15 or newer\n$/);
});

it('names a missing keys file and ends with 2', async () => {
  const { code, errors } = await result(start(configure(1, 2)));
  expect(code).toBe(2);
  expect(errors).toMatch(/keys\.json: the keys file is missing/);
});

it('names file, line and key of a bad configuration and ends with 2', async () => {
  const path = configure(1, 2);
  writeFileSync(path, 'name: dev\nhost: 127.0.0.1\nport: 99999\nkeysFile: k\nhttp: {host: a, port: 1}\n');
  const { code, errors } = await result(start(path));
  expect(code).toBe(2);
  expect(errors).toMatch(/broker\.yaml:3: port: .*\n$/);
});
