import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { get, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { Authority } from '../../../deploy/tls/certificates.js';
import { isLoopback } from '../../src/node/connections.js';
import { type BoundedServer, boundedHttpServer, HTTP_TIMES, listening } from '../../src/node/http-server.js';

const LONG_MS = 3_600_000;
/** Deadlines that pass in no test. */
const NEVER = { ...HTTP_TIMES, headersMs: LONG_MS, requestMs: LONG_MS, answerMs: LONG_MS, keepAliveMs: LONG_MS };
const sockets: Socket[] = [];
let server: Server;
let port = 0;
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function start(change: Partial<BoundedServer> = {}): Promise<void> {
  server = boundedHttpServer({
    handle: (request, response) => {
      request.resume();
      request.on('end', () => response.end('here'));
    },
    limits: { connections: 64, perAddress: 16 },
    times: { ...HTTP_TIMES, checkMs: 20, headersMs: 200, requestMs: 300, handshakeMs: 200 },
    ...change,
  });
  port = await listening(server, { host: '127.0.0.1', port: 0 });
}

/** Opens a connection that says `text` and then nothing. */
async function half(text: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  if (text) socket.write(text);
  return socket;
}

function ask(): Promise<number> {
  return new Promise((resolve, reject) => {
    get({ port, host: '127.0.0.1', agent: false }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    }).on('error', reject);
  });
}

test.each([
  ['nothing', ''],
  ['half a line', 'GET / HT'],
  ['headers without an end', 'GET / HTTP/1.1\r\nhost: x\r\n'],
  ['a body that does not come', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 16\r\n\r\n'],
])('answers at once while 600 connections say %s', async (_name, text) => {
  // So long that it is not deadlines that make room here.
  await start({ times: NEVER });
  for (let i = 0; i < 600; i++) await half(text);
  for (let i = 0; i < 5; i++) {
    expect(await ask()).toBe(200);
  }
});

test('control: without the table, 64 silent connections close the server for the next', async () => {
  await start({ limits: { connections: 1_000_000, perAddress: 1_000_000 } });
  server.maxConnections = 64;
  for (let i = 0; i < 64; i++) await half('');
  await expect(ask()).rejects.toThrow();
});

test.each([
  ['nothing', ''],
  ['headers without an end', 'GET / HTTP/1.1\r\nhost: x\r\n'],
  ['a body that does not come', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 16\r\n\r\n'],
])('closes a connection that says %s', async (_name, text) => {
  await start();
  const socket = await half(text);
  socket.resume();
  await once(socket, 'close');
});

test('closes a connection that does not take its answer', async () => {
  let taken = 0;
  await start({
    handle: (_request, response) => {
      taken++;
      response.end(Buffer.alloc(64 << 20));
    },
    times: { ...HTTP_TIMES, headersMs: 100, requestMs: 100, answerMs: 100 },
  });
  const socket = await half('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  socket.pause();
  const [other] = (await once(server, 'request')) as [{ socket: Socket }];
  await once(other.socket, 'close');
  expect(taken).toBe(1);
});

test('does not end an answer that is being made, however many connect', async () => {
  let answer = () => {};
  await start({
    handle: (_request, response) => {
      answer = () => response.end('late');
    },
    limits: { connections: 8, perAddress: 4 },
    times: HTTP_TIMES,
  });
  const arrived = once(server, 'request');
  const asked = ask();
  await arrived;
  for (let i = 0; i < 50; i++) await half('');
  answer();
  expect(await asked).toBe(200);
});

test('answers 429 to an address that asks too often, and closes', async () => {
  await start({ rate: { perSecond: 0.001, burst: 3 } });
  const seen: number[] = [];
  for (let i = 0; i < 5; i++) seen.push(await ask());
  expect(seen).toEqual([200, 200, 200, 429, 429]);
});

test('answers an exempt address however often it asks', async () => {
  await start({ rate: { perSecond: 0.001, burst: 3, isExempt: isLoopback } });
  const seen = new Set<number>();
  for (let i = 0; i < 10; i++) seen.add(await ask());
  expect([...seen]).toEqual([200]);
});

test('closes handshakes that are never finished, and is there for the next', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'http-'));
  const files = new Authority(dir).issue({ file: 'page', names: ['127.0.0.1'] });
  const material = {
    cert: readFileSync(files.cert, 'utf8'),
    key: readFileSync(files.key, 'utf8'),
    minVersion: 'TLSv1.3' as const,
  };
  await start({ certificate: { material, onRenewed: () => {} }, limits: { connections: 64, perAddress: 4 } });
  const first = await half('');
  const ended = once(first, 'close');
  await ended;
  for (let i = 0; i < 10; i++) await half('\x16\x03\x01');
  const { get: getTls } = await import('node:https');
  const status = await new Promise((resolve, reject) => {
    getTls({ port, host: '127.0.0.1', agent: false, rejectUnauthorized: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on('error', reject);
  });
  expect(status).toBe(200);
});
