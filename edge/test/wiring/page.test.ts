import { connect } from 'node:net';
import { systemClock } from '@gridtokenx/runtime/node';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { afterEach, describe, expect, test } from 'vitest';
import { statusPage } from '../../src/adapters/http/page.js';
import { GatewayMetrics } from '../../src/adapters/metrics.js';
import type { GatewayConfig } from '../../src/wiring/config.js';
import type { GatewayHealth } from '../../src/wiring/health.js';
import { type PageParts, servePage, statusOf } from '../../src/wiring/page.js';

let close: () => Promise<void> = async () => {};
afterEach(() => close());

/** Serves the page of a gateway with one meter, whose health a test sets. */
async function serve(port = 0) {
  const time = new VirtualClock();
  const metrics = new GatewayMetrics();
  const state = { problems: [] as string[] };
  const report = () => ({ ok: state.problems.length === 0, problems: state.problems, conditions: [] });
  const health: GatewayHealth = { report, problems: () => state.problems };
  const parts = {
    found: {
      ...{ gateway: { publicKey: new Uint8Array(32) }, spool: { bytes: () => 99, problem: () => null } },
      meters: [{ config: { name: '<script>' }, line: { reader: { notes: () => ['its SunSpec list is odd'] } } }],
    },
    world: {
      ...{ clock: systemClock, readingClock: time.reading, log: quietLog, metrics, frames: { dir: '/frames' } },
      ...{ verifier: { name: 'libsodium' }, buses: new Map(), certificate: undefined },
      writes: { dayBytes: 8_192, syncs: 3 },
    },
    gateway: { spoolDepth: () => 7 },
    metered: [
      { name: '<script>', view: () => ({ name: '<script>', problems: [] }) },
      { name: 'point', view: () => ({ name: 'point', problems: [] }) },
    ],
    uplink: { online: true, brokerUrl: 'mqtt://second' },
    health,
  } as unknown as PageParts;
  const http = { host: '127.0.0.1', port };
  const config = { name: 'home', broker: { url: 'mqtt://b' }, http } as unknown as GatewayConfig;
  const server = await servePage(config, parts);
  if (!server) throw new Error('nothing is served');
  close = () => server.close();
  const get = async (path: string, init?: RequestInit) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, init);
    return { code: response.status, text: await response.text() };
  };
  return { get, state, metrics, port: server.port, config, parts };
}

describe('the status server', () => {
  test('shows status, health and metrics, escapes what it shows, and changes nothing', async () => {
    const { get, state, metrics } = await serve();
    metrics.add('readings', { meter: 'aa' }, 3);
    expect(await get('/readyz')).toEqual({ code: 200, text: '{"ok":true,"problems":[]}' });
    state.problems = ['the disk is full'];
    expect((await get('/readyz')).code).toBe(503);
    expect(await get('/livez')).toEqual({ code: 200, text: '{"ok":true,"problems":[]}' });
    const figures = (await get('/metrics')).text;
    expect(figures).toContain('gtx_gateway_readings_total{meter="aa"} 3');
    expect(figures).toContain('gtx_gateway_spool_depth 7');
    expect(figures).toContain('gtx_gateway_disk_written_bytes_day 8192');
    expect(JSON.parse((await get('/api/v1/status')).text)).toMatchObject({
      broker: { url: 'mqtt://second', online: true },
      spool: { depth: 7, bytes: 99 },
      meters: [{ name: '<script>', notes: ['its SunSpec list is odd'] }, { name: 'point' }],
    });
    const page = (await get('/')).text;
    expect(page).toContain('&lt;script&gt;');
    expect(page).not.toContain('<script>');
    expect([(await get('/nothing')).code, (await get('/', { method: 'POST' })).code]).toEqual([404, 405]);
  });

  test.each([
    [undefined, false],
    [{ simulated: '/clock' }, true],
  ])('says whether its clock is simulated: %j', async (clock, expected) => {
    const { config, parts } = await serve();
    const asked = { ...config, clock } as GatewayConfig;
    expect(statusOf(asked, parts).clock).toMatchObject({ simulated: expected });
  });

  test('has nothing at //, and says so without a stack', async () => {
    const { port } = await serve();
    const answer = await new Promise<string>((resolve, reject) => {
      let text = '';
      const socket = connect(port, '127.0.0.1', () =>
        socket.write('GET // HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'),
      );
      socket.on('data', (part) => {
        text += part;
      });
      socket.on('end', () => resolve(text));
      socket.on('error', reject);
    });
    expect(answer).toMatch(/^HTTP\/1.1 404 /);
    expect(answer).toContain('{"error":"nothing here"}');
  });

  test('names the key of the configuration where its port is taken', async () => {
    const { port, config, parts } = await serve();
    const other = { ...config, http: { host: '127.0.0.1', port } } as GatewayConfig;
    const again = { ...parts, world: { ...parts.world, metrics: new GatewayMetrics() } };
    await expect(servePage(other, again)).rejects.toMatchObject({ code: 'port-taken', key: 'http.port' });
  });
});

describe('the page', () => {
  const page = statusPage({
    name: 'home',
    clock: { now_ms: Date.UTC(2026, 0, 2, 3, 4, 5), uncertainty_ms: 40 },
    problems: ['one', 'two'],
    conditions: [
      { name: 'spool', problem: null, since_ms: null },
      { name: 'clock', problem: 'it is wrong', since_ms: Date.UTC(2026, 0, 2) },
    ],
    meters: [{ name: 'main', reading: { time_ms: Date.UTC(2026, 0, 2, 3), import_wh: '5' }, open_windows: [] }],
    buses: [{ name: 'cellar', counts: { requests: 3 }, units: [{ unit: 7, timeout_ms: 120 }] }],
  });

  test('writes out what is inside of lists', () => {
    expect(page).not.toContain('[object');
    expect(page).toContain('<th>buses · cellar · counts · requests<td>3');
    expect(page).toContain('<th>buses · cellar · units · 7 · timeout ms<td>120');
    expect(page).toContain('<th>conditions · clock · problem<td>it is wrong');
    expect(page).toContain('<th>problems<td>one; two');
    expect(page).toContain('<th>open windows<td>none');
    expect(page).not.toContain('conditions · spool');
  });

  test('writes moments as dates, and lengths of time as they are', () => {
    expect(page).toContain('<th>clock · now<td>2026-01-02 03:04:05 UTC');
    expect(page).toContain('<th>reading · time<td>2026-01-02 03:00:00 UTC');
    expect(page).toContain('<th>conditions · clock · since<td>2026-01-02 00:00:00 UTC');
    expect(page).toContain('<th>clock · uncertainty ms<td>40');
  });
});
