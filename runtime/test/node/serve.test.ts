import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OperatorError } from '../../src/core/index.js';
import {
  HttpProblem,
  type HttpRoute,
  htmlAnswer,
  jsonAnswer,
  Metrics,
  type RunningHttp,
  serveHttp,
  typedAnswer,
} from '../../src/node/index.js';

interface Warning {
  readonly fields: Record<string, unknown>;
  readonly message: string;
}
let warnings: Warning[];
let problems: string[];
let running: RunningHttp | null;
beforeEach(() => {
  [warnings, problems, running] = [[], [], null];
});
afterEach(() => running?.close());

const routes: Record<string, HttpRoute> = {
  '/': { answer: () => htmlAnswer('<p>page', { 'content-security-policy': "default-src 'none'" }) },
  '/api/v1/status': { answer: ({ query }) => jsonAnswer(200, { after: query.get('after') }) },
  '/echo': { methods: ['POST'], answer: async ({ body }) => typedAnswer(200, 'application/cose', await body(16)) },
  '/query': { answer: ({ query }) => jsonAnswer(200, [...query]) },
  '/asker': { answer: ({ address, method }) => jsonAnswer(200, { address, method }) },
  '/mend': {
    answer: () => {
      throw new HttpProblem(400, 'after is not an id');
    },
  },
  '/broken': { answer: () => Promise.reject(new TypeError('x is not a function')) },
};

async function start(): Promise<string> {
  const metrics = new Metrics('test');
  metrics.counter('things', 'Things seen').inc(3);
  running = await serveHttp({
    host: '127.0.0.1',
    port: 0,
    key: 'http',
    limits: { connections: 64, perAddress: 64 },
    log: { warn: (fields, message) => void warnings.push({ fields: fields as Warning['fields'], message }) },
    routes,
    health: () => ({ ok: problems.length === 0, problems, name: 'test' }),
    metrics,
  });
  return `http://127.0.0.1:${running.port}`;
}

/** Sends bytes that no ordinary client would send. Returns the server's answer. */
async function raw(text: string): Promise<{ status: number; body: string }> {
  const socket = connect(running?.port ?? 0, '127.0.0.1');
  await once(socket, 'connect');
  socket.end(text);
  let answer = '';
  for await (const part of socket) answer += String(part);
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  return { status: Number(head.split(' ')[1]), body };
}
const get = (target: string) => raw(`GET ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);

describe('routes', () => {
  test('match exactly, with a query beside', async () => {
    const url = await start();
    const answer = await fetch(`${url}/api/v1/status?after=7&x=%zz`);
    expect([answer.status, await answer.json()]).toEqual([200, { after: '7' }]);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    for (const path of ['/api/v1/status/', '/api/v1', '/API/v1/status', '/api/v1/status%20', '/nothing']) {
      const missing = await fetch(`${url}${path}`);
      expect([missing.status, await missing.text()]).toEqual([404, '{"error":"nothing here"}']);
    }
  });

  test.each([
    ['/query', []],
    ['/query?', []],
    [
      '/query?a=1&b=2',
      [
        ['a', '1'],
        ['b', '2'],
      ],
    ],
  ])('get of %s exactly the query that stands there', async (target, query) => {
    const url = await start();
    expect(await (await fetch(`${url}${target}`)).json()).toEqual(query);
  });

  test('take GET and HEAD by themselves, and say so to all others', async () => {
    const url = await start();
    const head = await fetch(`${url}/`, { method: 'HEAD' });
    expect([head.status, await head.text(), head.headers.get('content-length')]).toEqual([200, '', '7']);
    const refused = await fetch(`${url}/`, { method: 'DELETE' });
    expect([refused.status, refused.headers.get('allow'), await refused.json()]).toEqual([
      405,
      'GET, HEAD',
      { error: 'only GET, HEAD' },
    ]);
    const posted = await fetch(`${url}/echo`, { method: 'POST', body: 'abc' });
    expect([await posted.text(), posted.headers.get('content-type')]).toEqual(['abc', 'application/cose']);
    expect([(await fetch(`${url}/echo`)).status, (await fetch(`${url}/asker`)).status]).toEqual([405, 200]);
    const asker = await fetch(`${url}/asker`);
    expect(await asker.json()).toEqual({ address: '127.0.0.1', method: 'GET' });
  });

  test('have a page with a policy of its own', async () => {
    const answer = await fetch(`${await start()}/`);
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(answer.headers.get('content-security-policy')).toBe("default-src 'none'");
  });

  test('take no longer a body than they want, and close then', async () => {
    const answer = await fetch(`${await start()}/echo`, { method: 'POST', body: 'x'.repeat(100_000) });
    expect([answer.status, await answer.json()]).toEqual([413, { error: 'more than 16 bytes' }]);
  });
});

describe('what is no request of ours', () => {
  test.each([
    ['//', 404],
    ['///etc/passwd', 404],
    ['/../../etc/passwd', 404],
    ['/%', 404],
    ['/%00', 404],
    ['http://', 400],
    ['http://[', 400],
    ['http://elsewhere//', 404],
    ['http://elsewhere/nothing', 404],
    ['*', 400],
  ])('GET %s is answered with %i in one line, and nothing is logged', async (target, status) => {
    await start();
    const answer = await get(target);
    expect(answer.status).toBe(status);
    expect(answer.body).toMatch(/^\{"error":"[^"\n]+"\}$/);
    expect(warnings).toEqual([]);
  });

  test('an address as for a proxy means the path here', async () => {
    await start();
    expect((await get('http://elsewhere/api/v1/status?after=2')).body).toBe('{"after":"2"}');
  });

  test.each(['\u0016\u0003\u0001 hello', 'GET nothing HTTP/1.1', 'GET ? HTTP/1.1'])(
    '%j is no HTTP: 400',
    async (line) => {
      await start();
      expect((await raw(`${line}\r\nhost: x\r\n\r\n`)).status).toBe(400);
      expect(warnings).toEqual([]);
    },
  );
});

describe('what goes wrong in a route', () => {
  test('is told where the asker can mend it', async () => {
    const answer = await fetch(`${await start()}/mend`);
    expect([answer.status, await answer.json(), warnings]).toEqual([400, { error: 'after is not an id' }, []]);
  });

  test('is 503 in one line otherwise; the stack stands in the log', async () => {
    const answer = await fetch(`${await start()}/broken?secret=1`);
    expect([answer.status, await answer.text()]).toEqual([503, '{"error":"not available: see the log"}']);
    expect(warnings).toMatchObject([{ fields: { err: new TypeError('x is not a function') } }]);
  });
});

test('health is 200 or 503 with its problems; a service that answers lives', async () => {
  const url = await start();
  const well = await fetch(`${url}/readyz`);
  expect([well.status, await well.json()]).toEqual([200, { ok: true, problems: [], name: 'test' }]);
  problems.push('the disk is full');
  const ill = await fetch(`${url}/readyz`);
  expect([ill.status, await ill.json()]).toMatchObject([503, { ok: false, problems: ['the disk is full'] }]);
  const alive = await fetch(`${url}/livez`);
  expect([alive.status, await alive.json()]).toEqual([200, { ok: true, problems: [] }]);
  expect((await fetch(`${url}/healthz`)).status).toBe(404);
});

test('metrics are in the text format', async () => {
  const answer = await fetch(`${await start()}/metrics`);
  expect(answer.headers.get('content-type')).toContain('text/plain');
  expect(await answer.text()).toContain('gtx_test_things_total 3');
});

test('ends open connections when it closes', async () => {
  await start();
  const socket = connect(running?.port ?? 0, '127.0.0.1');
  await once(socket, 'connect');
  socket.resume();
  const ended = once(socket, 'close');
  await running?.close();
  await ended;
  running = null;
});

test('an address that is taken is the operator to mend', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const service = { host: '127.0.0.1', key: 'page', limits: { connections: 1, perAddress: 1 }, log: { warn() {} } };
  const refused = await serveHttp({ ...service, port }).catch((error: unknown) => error);
  other.close();
  expect(refused).toBeInstanceOf(OperatorError);
  expect((refused as Error).message).toBe(
    `page: 127.0.0.1:${port} is taken; stop what listens there, or choose another port`,
  );
  await expect(serveHttp({ ...service, host: '192.0.2.1', port: 0 })).rejects.toThrow(
    'page: 192.0.2.1 is no address of this machine; correct the host',
  );
});
