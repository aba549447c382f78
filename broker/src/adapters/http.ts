import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { boundedHttpServer, listening } from '@gridtokenx/runtime';
import type { Registry } from 'prom-client';

/** What `/healthz` answers: 200 when `ok`, else 503. */
export interface Health {
  readonly ok: boolean;
  readonly [key: string]: unknown;
}

/** Two collectors of metrics and a person need a handful. */
const LIMITS = { connections: 64, perAddress: 16 };

/** Serves `/healthz` and `/metrics`. Rejects with the socket's error. */
export async function serveHttp(
  address: { host: string; port: number },
  registry: Registry,
  health: () => Health,
): Promise<Server> {
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url?.split('?')[0];
    if (request.method !== 'GET') response.writeHead(405).end();
    else if (path === '/healthz') {
      const state = health();
      response.writeHead(state.ok ? 200 : 503, { 'content-type': 'application/json' }).end(JSON.stringify(state));
    } else if (path === '/metrics') {
      registry.metrics().then(
        (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
        () => response.writeHead(500).end(),
      );
    } else response.writeHead(404).end();
  };
  const server = boundedHttpServer({ handle, limits: LIMITS });
  await listening(server, address);
  return server;
}
