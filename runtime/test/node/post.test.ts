import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { post } from '../../src/node/index.js';

let server: Server | null = null;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = null;
});

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const request = (url: string, change: Partial<Parameters<typeof post>[0]> = {}) => ({
  url: new URL(url),
  body: Buffer.from('question'),
  contentType: 'application/cose',
  mostBytes: 6,
  signal: new AbortController().signal,
  ...change,
});

/** Answers with status 418 and the bytes `answer`; fills `seen` with the request. */
function echo(seen: object): Promise<number> {
  return serve((incoming, response) => {
    let body = '';
    incoming.on('data', (part) => {
      body += String(part);
    });
    incoming.on('end', () => {
      const { method, url, headers } = incoming;
      Object.assign(seen, { method, url, headers, body });
      response.writeHead(418).end('answer');
    });
  });
}

test('sends the body with its type, its length and the host, and takes an answer of the most bytes', async () => {
  const seen = {};
  const port = await echo(seen);
  const answer = await post(request(`http://127.0.0.1:${port}/time`));
  expect([answer.status, Buffer.from(answer.body).toString()]).toEqual([418, 'answer']);
  expect(seen).toEqual({
    method: 'POST',
    url: '/time',
    headers: {
      host: `127.0.0.1:${port}`,
      'content-type': 'application/cose',
      'content-length': '8',
      connection: 'close',
    },
    body: 'question',
  });
});

test('asks on the connection that it is given, and closes it', async () => {
  const seen = {};
  const socket = connect(await echo(seen), '127.0.0.1');
  const answer = await post(request('https://oracle.example/cosign', { socket }));
  expect(answer.status).toBe(418);
  expect(seen).toMatchObject({ url: '/cosign', headers: { host: 'oracle.example' } });
  expect(socket.destroyed).toBe(true);
});

test('refuses an answer that is one byte longer, and closes the connection', async () => {
  const socket = connect(await serve((_request, response) => response.end('answers')), '127.0.0.1');
  await expect(post(request('https://oracle.example/', { socket }))).rejects.toThrow('an answer of more than 6 bytes');
  expect(socket.destroyed).toBe(true);
});

test('follows no redirection', async () => {
  const port = await serve((_request, response) => response.writeHead(302, { location: '/elsewhere' }).end());
  expect((await post(request(`http://127.0.0.1:${port}/`))).status).toBe(302);
});

test('rejects when nobody listens, when the answer ends early, and when it is told to give up', async () => {
  const free = await serve(() => {});
  server?.close();
  await expect(post(request(`http://127.0.0.1:${free}/`))).rejects.toThrow('ECONNREFUSED');
  const cut = await serve((_request, response) => {
    response.writeHead(200, { 'content-length': 6 });
    response.write('ans', () => response.destroy());
  });
  await expect(post(request(`http://127.0.0.1:${cut}/`))).rejects.toThrow('aborted');
  server?.close();
  const stop = new AbortController();
  const silent = await serve(() => stop.abort());
  await expect(post(request(`http://127.0.0.1:${silent}/`, { signal: stop.signal }))).rejects.toThrow('aborted');
});
