import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { boundedHttpServer, isLoopback, listening, type RequestRate } from '@gridtokenx/runtime';
import type { Logger } from '../../domain/ports.js';

/** What the page's listener shows; every function may throw, which is answered with 503. */
export interface PageServed {
  readonly state: () => unknown;
  readonly settlements: (after: number, limit: number) => unknown;
  readonly health: () => { ok: boolean; problems: readonly string[] };
  readonly metrics: () => Promise<{ contentType: string; text: string }>;
}

/** What gateways and other oracles are served; every function may throw, which is answered with 503. */
export interface ServiceServed {
  /** Signed time for a nonce of 16 bytes. */
  readonly time: (nonce: Uint8Array) => Uint8Array;
  /** Answers another oracle; null where there is none. */
  readonly cosign: ((body: Uint8Array) => Promise<{ status: number; body: unknown }>) | null;
}

/** Where a listener listens, and how many connections it takes. */
export interface Listener {
  readonly host: string;
  readonly port: number;
  readonly connections?: number;
  readonly connections_per_address?: number;
}

const NONCE_BYTES = 16;
/** As much as any control message may have. */
const MAX_COSIGN_BYTES = 65_536;
const MAX_SETTLEMENTS = 1_000;
const MAX_CONNECTIONS = 256;
const MAX_CONNECTIONS_PER_ADDRESS = 32;
/** A signature takes 50 µs: one address that asks without end takes 1 % of a core. A gateway asks every ten minutes. */
const SERVICE_RATE: RequestRate = { perSecond: 200, burst: 400, isExempt: isLoopback };
const page = readFileSync(new URL('./page/index.html', import.meta.url), 'utf8');
const script = /<script>([\s\S]*?)<\/script>/.exec(page)?.[1] ?? '';
const scriptHash = createHash('sha256').update(script).digest('base64');
const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${scriptHash}'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

/** What a TLS server shows; PEM. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
}

/** The server's certificate, which may be renewed while it runs; connections that are there keep theirs. */
export interface ServerCertificate {
  readonly material: TlsMaterial;
  onRenewed(listener: (material: TlsMaterial) => void): void;
}

/** Serves status page, API, health and metrics. Rejects when the address cannot be used. */
export function servePage(at: Listener, served: PageServed, logger: Logger, certificate?: ServerCertificate) {
  return serve(at, (request, response) => pageRoute(request, response, served), logger, certificate);
}

/** Serves signed time and co-signing. Rejects when the address cannot be used. */
export function serveService(at: Listener, served: ServiceServed, logger: Logger, certificate?: ServerCertificate) {
  return serve(at, (request, response) => serviceRoute(request, response, served), logger, certificate, SERVICE_RATE);
}

async function serve(
  at: Listener,
  route: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
  logger: Logger,
  certificate?: ServerCertificate,
  rate?: RequestRate,
): Promise<Server> {
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    route(request, response).catch((error: unknown) => {
      // Whoever goes away in the middle needs no answer, and is nothing to tell.
      if (request.destroyed && !request.complete) return;
      logger.warn({ err: error, path: request.url?.slice(0, 100) }, 'a request could not be answered');
      if (!response.headersSent) json(response, 503, { error: 'not available: see the log' });
      else response.destroy();
    });
  };
  const limits = {
    connections: at.connections ?? MAX_CONNECTIONS,
    perAddress: at.connections_per_address ?? MAX_CONNECTIONS_PER_ADDRESS,
  };
  const server = boundedHttpServer({ handle, limits, rate, certificate });
  await listening(server, at);
  return server;
}

/** The address that was asked for; null for one that is none. */
function urlOf(request: IncomingMessage): URL | null {
  return URL.parse(request.url ?? '/', 'http://localhost');
}

async function serviceRoute(request: IncomingMessage, response: ServerResponse, served: ServiceServed): Promise<void> {
  const path = urlOf(request)?.pathname;
  if (path === '/time') return signedTime(request, response, served);
  if (path === '/cosign' && served.cosign) return cosigned(request, response, served.cosign);
  json(response, 404, { error: 'nothing here' });
}

async function pageRoute(request: IncomingMessage, response: ServerResponse, served: PageServed): Promise<void> {
  const url = urlOf(request);
  if (request.method !== 'GET' && request.method !== 'HEAD') return json(response, 405, { error: 'only GET' });
  switch (url?.pathname) {
    case '/':
      response.writeHead(200, PAGE_HEADERS).end(page);
      return;
    case '/healthz': {
      const health = served.health();
      return json(response, health.ok ? 200 : 503, health);
    }
    case '/metrics': {
      const { contentType, text } = await served.metrics();
      response.writeHead(200, { 'content-type': contentType }).end(text);
      return;
    }
    case '/api/v1/state':
      return json(response, 200, served.state());
    case '/api/v1/settlements': {
      const after = Number(url?.searchParams.get('after') ?? '0');
      if (!Number.isSafeInteger(after) || after < 0) return json(response, 400, { error: 'after is not an id' });
      return json(response, 200, served.settlements(after, MAX_SETTLEMENTS));
    }
    default:
      return json(response, 404, { error: 'nothing here' });
  }
}

async function signedTime(request: IncomingMessage, response: ServerResponse, served: ServiceServed): Promise<void> {
  if (request.method !== 'POST') return json(response, 405, { error: 'only POST' });
  const nonce = await bodyOf(request, NONCE_BYTES);
  if (nonce?.length !== NONCE_BYTES) {
    response.setHeader('connection', 'close');
    return json(response, 400, { error: `the body is a nonce of ${NONCE_BYTES} bytes` });
  }
  response.writeHead(200, { 'content-type': 'application/cose' }).end(served.time(nonce));
}

async function cosigned(
  request: IncomingMessage,
  response: ServerResponse,
  answer: NonNullable<ServiceServed['cosign']>,
): Promise<void> {
  if (request.method !== 'POST') return json(response, 405, { error: 'only POST' });
  const body = await bodyOf(request, MAX_COSIGN_BYTES);
  if (!body) {
    response.setHeader('connection', 'close');
    return json(response, 413, { error: `more than ${MAX_COSIGN_BYTES} bytes` });
  }
  const answered = await answer(body);
  json(response, answered.status, answered.body);
}

/** The body, or null when it is longer than `most` bytes. */
async function bodyOf(request: IncomingMessage, most: number): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += (chunk as Uint8Array).length;
    if (length > most) return null;
    chunks.push(chunk as Uint8Array);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}
