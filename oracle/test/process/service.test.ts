import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { concatBytes, openTime, publicKeyFromBase58 } from '@gridtokenx/protocol';
import { GATEWAY, verifier } from '@gridtokenx/testing-kit/oracle/ledger';
import { type Running, startProcess } from '@gridtokenx/testing-kit/processes';
import { JournalBuilder, meterOf, signerOf } from '@gridtokenx/testing-kit/signed-journal';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestGateway } from '../support/gateway.js';
import { ORACLE_KEY, oracleFolder, startBroker } from '../support/process.js';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const meter = meterOf(1);

/** Runs to the end; returns its output and its exit code. */
async function runToEnd(args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const { execFile } = await import('node:child_process');
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [MAIN, ...args], (_error, stdout, stderr) => {
      resolve({ code: child.exitCode, output: stdout + stderr });
    });
  });
}

let broker: Awaited<ReturnType<typeof startBroker>>;
let folder: ReturnType<typeof oracleFolder>;
let gateway: TestGateway;
let oracle: Running;
let base = '';
let service = '';
const log = new JournalBuilder(meter, signerOf(1)).honest(2);

beforeAll(async () => {
  const { buildAll } = await import(new URL('../../../tools/build.mjs', import.meta.url).href);
  buildAll();
  broker = await startBroker();
  folder = oracleFolder([meter], broker.url);
  gateway = await TestGateway.connect(broker.url);
  oracle = await startProcess(MAIN, ['run', '--config', folder.file]);
  await gateway.oracleOnline(1);
  base = `http://127.0.0.1:${oracle.port}`;
  service = `http://127.0.0.1:${oracle.servicePort}`;
});
afterAll(async () => {
  oracle.child.kill('SIGKILL');
  await gateway.close();
  await broker.stop();
  folder.remove();
});

const get = async (path: string) => (await fetch(base + path)).json() as Promise<Record<string, never>>;

describe('the oracle as a service', () => {
  it('tells a gateway that connects where it stands, before any message', async () => {
    gateway.status({ name: 'home-1', spoolDepth: 3, problems: ['clock <b>late</b>'] });
    const ack = await gateway.changed.until('an ack', () => gateway.acks.at(-1) ?? null);
    expect(ack).toMatchObject({ gateway: GATEWAY, meters: new Map(), refused: [] });
  });

  it('verifies, stores, acknowledges, shows and projects', async () => {
    gateway.send(meter.meterId, log);
    gateway.sendRaw(meter.meterId, new Uint8Array(100), 'reading');
    const all = BigInt(log.length);
    await gateway.changed.until('all stored', () =>
      gateway.storedThrough(meter.meterId) === all && gateway.acks.at(-1)?.refused.length === 1 ? true : null,
    );
    const state = (await get('/api/v1/state')) as unknown as {
      meters: Record<string, unknown>[];
      gateways: Record<string, unknown>[];
      verifier: string;
      network_id: string;
    };
    expect(state.verifier).toBe('libsodium');
    expect(state.network_id).toBe('0102030405060708');
    expect(state.gateways).toMatchObject([
      { name: 'home-1', online: true, spool_depth: 3, problems: ['clock <b>late</b>'] },
    ]);
    expect(state.meters).toMatchObject([
      {
        meter_id: meter.meterId,
        gateway: state.gateways[0]?.gateway,
        power_w: -1_200,
        import_wh: '5000',
        export_wh: '1120',
        quality: 64,
        last_statement: { window: meter.enrolmentWindow + 1, export_wh: '1120' },
        readings: 6,
        statements: 2,
        verdicts: { verified: 9, malformed: 1 },
        chain: { export_wh: '0', minted_base_units: '0' },
      },
    ]);
    const live = gateway.other
      .filter((m) => m.topic === `gtx/v1/live/1/${meter.meterId}`)
      .map((m) => JSON.parse(m.payload));
    expect(live.at(-1)).toMatchObject({ meter: meter.meterId, exportWh: '1120', powerW: -1_200, signer: 'gateway' });
    expect(await get('/api/v1/settlements?after=0')).toEqual([]);
  });

  it('answers with signed time for a nonce, and with nothing else at /time', async () => {
    const nonce = new Uint8Array(16).fill(5);
    const answer = await fetch(`${service}/time`, { method: 'POST', body: nonce });
    expect(answer.headers.get('content-type')).toBe('application/cose');
    const bytes = new Uint8Array(await answer.arrayBuffer());
    expect(Math.abs(openTime(bytes, ORACLE_KEY, nonce, verifier) - Date.now())).toBeLessThan(60_000);
    expect(() => openTime(bytes, ORACLE_KEY, new Uint8Array(16), verifier)).toThrow();
    for (const body of [new Uint8Array(15), new Uint8Array(17), new Uint8Array(70_000)]) {
      expect((await fetch(`${service}/time`, { method: 'POST', body })).status).toBe(400);
    }
    expect((await fetch(`${service}/time`)).status).toBe(405);
    // Each listener serves its own paths and none of the other listener's.
    expect((await fetch(`${base}/time`, { method: 'POST', body: nonce })).status).toBe(404);
    for (const path of ['/', '/readyz', '/metrics', '/api/v1/state']) {
      expect((await fetch(`${service}${path}`)).status).toBe(404);
    }
  });

  it('serves health, metrics and the page; refuses the rest', async () => {
    expect(await get('/readyz')).toMatchObject({ ok: true, problems: [] });
    const metrics = await (await fetch(`${base}/metrics`)).text();
    expect(metrics).toMatch(/gtx_oracle_messages_total\{verdict="verified"\} 9/);
    expect(metrics).toMatch(/gtx_oracle_broker_connected 1/);
    expect(metrics).toMatch(/gtx_oracle_commit_seconds_count [1-9]/);
    const page = await fetch(`${base}/`);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    const html = await page.text();
    expect(html).not.toMatch(/(src|href)="(https?:)?\/\//);
    expect(html).toContain('/api/v1/state');
    expect((await fetch(`${base}/nothing`)).status).toBe(404);
    // A path that begins with an empty host name once gave 503 and a stack trace in the log.
    for (const path of ['//', '///', '//x:y/']) expect((await fetch(`${base}${path}`)).status, path).toBe(404);
    expect((await fetch(`${base}/api/v1/state`, { method: 'POST' })).status).toBe(405);
    expect((await fetch(`${base}/api/v1/settlements?after=x`)).status).toBe(400);
  });

  it('a taken port, a missing key and a bad configuration give one line and code 2, and nothing starts', async () => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve));
    const address = blocker.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const other = oracleFolder([meter], broker.url, { page: { host: '127.0.0.1', port } });
    try {
      const taken = await runToEnd(['run', '--config', other.file]);
      expect(taken).toEqual({
        code: 2,
        output: `page: 127.0.0.1:${port} is taken; stop what listens there, or choose another port\n`,
      });
      const config = JSON.parse(readFileSync(other.file, 'utf8'));
      writeFileSync(other.file, JSON.stringify({ ...config, key_file: 'none' }));
      const keyless = await runToEnd(['run', '--config', other.file]);
      expect(keyless.code).toBe(2);
      expect(keyless.output).toMatch(/none: [^\n]*missing[^\n]*; make it with "init --config FILE"\n$/);
      writeFileSync(other.file, JSON.stringify({ ...config, colour: 'red' }));
      expect(await runToEnd(['run', '--config', other.file])).toMatchObject({
        code: 2,
        output: expect.stringMatching(/oracle.json:1: colour: unknown key[^\n]*\n$/),
      });
    } finally {
      blocker.close();
      other.remove();
    }
  });

  it('init makes the key once and prints the public key', async () => {
    const other = oracleFolder([meter], broker.url, { key_file: 'new/key' });
    try {
      const first = await runToEnd(['init', '--config', other.file]);
      expect(first.code).toBe(0);
      expect(publicKeyFromBase58(first.output.trim())).toHaveLength(32);
      expect(await runToEnd(['init', '--config', other.file])).toEqual(first);
    } finally {
      other.remove();
    }
  });

  it('a broker that comes back without its memory gets subscriptions, status and acks again', async () => {
    const { port } = broker;
    await broker.stop();
    gateway.acks.length = 0;
    gateway.other.length = 0;
    broker = await startBroker(port);
    const again = await TestGateway.connect(broker.url);
    try {
      await again.oracleOnline(1);
      await again.changed.until('the ack again', () =>
        again.storedThrough(meter.meterId) === BigInt(log.length) ? true : null,
      );
      again.sendRaw(meter.meterId, concatBytes(...log.slice(0, 2).map((m) => m.message)));
      const before = again.acks.length;
      await again.changed.until('an ack for duplicates', () => (again.acks.length > before ? true : null));
    } finally {
      await again.close();
    }
  });

  it('stops cleanly when its parent is gone', async () => {
    oracle.child.disconnect();
    expect(await oracle.exited).toEqual({ code: 0, signal: null });
    const last = gateway.other.filter((m) => m.topic.includes('/oracle/')).at(-1);
    expect(last?.payload).toBe('{"online":false}');
  });
});
