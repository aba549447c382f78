import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HealthReport } from '../../core/health.js';
import type { Logger } from '../../core/logger.js';
import { addressOf } from '../connections.js';
import { type BoundedServer, boundedHttpServer, HTTP_TIMES, listening } from '../http-server.js';
import type { Metrics } from '../metrics.js';
import { listenError } from '../system-errors.js';
import { errorAnswer, type HttpAnswer, HttpProblem, jsonAnswer, typedAnswer } from './answer.js';

export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A request as a route sees it; all of it is untrusted. */
export interface HttpRequest {
  /** HEAD is answered as GET without the body: a route never sees it. */
  readonly method: HttpMethod;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  /** The client: an IPv4 address, or the first 64 bits of an IPv6 address. */
  readonly address: string;
  /** Returns the body. Rejects with `HttpProblem` 413 when it is longer. */
  body(mostBytes: number): Promise<Uint8Array>;
}

/**
 * Answers one path. Throw `HttpProblem` for a fault that the client can repair. Any other error is answered with 503 and
 * logged.
 */
export interface HttpRoute {
  /** Without it GET and HEAD. */
  readonly methods?: readonly HttpMethod[];
  readonly answer: (request: HttpRequest) => HttpAnswer | Promise<HttpAnswer>;
}

/** The content of `/livez` and `/readyz`: 200 when `ok`, else 503. */
export type HealthView = Pick<HealthReport, 'ok' | 'problems'> & Readonly<Record<string, unknown>>;

export interface HttpService extends Omit<BoundedServer, 'handle' | 'times'> {
  readonly host: string;
  /** 0: the system chooses. */
  readonly port: number;
  /** Configuration key of the address; errors name it. */
  readonly key: string;
  readonly log: Pick<Logger, 'warn'>;
  /** By exact path: `/api/v1/status`. No pattern, no decoding, no trailing slash. */
  readonly routes?: Readonly<Record<string, HttpRoute>>;
  /** Serves `/readyz`: it is ok while nothing is wrong. `/livez` is served with it. */
  readonly health?: () => HealthView;
  /** Serves `/livez`: it is ok while the service makes progress. Without it, an answer is proof enough. */
  readonly live?: () => HealthView;
  /** Serves `/metrics`. */
  readonly metrics?: Pick<Metrics, 'text' | 'contentType'>;
}

export interface RunningHttp {
  /** The port of the listener. */
  readonly port: number;
  /** Ends all connections and stops listening; resolves when that is done. */
  close(): Promise<void>;
}

const MAX_SHOWN_PATH = 100;
/** Begins a URL that names another server, as for a proxy: this server answers its path. */
const ABSOLUTE = /^https?:\/\//i;

/**
 * The one HTTP server of a service, bounded against strangers. Paths match exactly. Every failure is answered with one line of
 * JSON. Rejects with `OperatorError` when the address cannot be used.
 */
export async function serveHttp(service: HttpService): Promise<RunningHttp> {
  const routes = new Map(Object.entries({ ...builtIn(service), ...service.routes }));
  const server = boundedHttpServer({
    ...service,
    times: HTTP_TIMES,
    handle: (request, response) => void exchange(request, response, routes, service.log),
  });
  const port = await listening(server, service).catch((error: unknown) => {
    throw listenError(error, service.key, service);
  });
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const ALIVE: HealthView = { ok: true, problems: [] };

function builtIn({ health, live = () => ALIVE, metrics }: HttpService): Record<string, HttpRoute> {
  const found: Record<string, HttpRoute> = {};
  if (health) {
    found['/livez'] = healthRoute(live);
    found['/readyz'] = healthRoute(health);
  }
  if (metrics) {
    found['/metrics'] = { answer: async () => typedAnswer(200, metrics.contentType, await metrics.text()) };
  }
  return found;
}

function healthRoute(look: () => HealthView): HttpRoute {
  return {
    answer: () => {
      const view = look();
      return jsonAnswer(view.ok ? 200 : 503, view);
    },
  };
}

type Routes = ReadonlyMap<string, HttpRoute>;

/** Never rejects. */
async function exchange(
  request: IncomingMessage,
  response: ServerResponse,
  routes: Routes,
  log: Pick<Logger, 'warn'>,
): Promise<void> {
  try {
    send(response, await answerOf(request, routes));
  } catch (error) {
    // A client that disconnects needs no answer and no log line.
    if (request.destroyed && !request.complete) return;
    log.warn(
      { event: 'http_request_failed', err: error, path: request.url?.slice(0, MAX_SHOWN_PATH) },
      'Failed to answer an HTTP request',
    );
    if (response.headersSent) response.destroy();
    else send(response, errorAnswer(503, 'not available: see the log'));
  }
}

async function answerOf(request: IncomingMessage, routes: Routes): Promise<HttpAnswer> {
  const target = targetOf(request.url ?? '');
  if (!target) return errorAnswer(400, 'not an address of this server', { connection: 'close' });
  const route = routes.get(target.path);
  if (!route) return errorAnswer(404, 'nothing here');
  const { methods = ['GET'] } = route;
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const known = methods.find((one) => one === method);
  if (!known) {
    const allow = methods.flatMap((one) => (one === 'GET' ? ['GET', 'HEAD'] : [one])).join(', ');
    return errorAnswer(405, `only ${allow}`, { allow });
  }
  try {
    return await route.answer({
      method: known,
      ...target,
      headers: request.headers,
      address: addressOf(request.socket.remoteAddress),
      body: (mostBytes) => bodyOf(request, mostBytes),
    });
  } catch (error) {
    if (!(error instanceof HttpProblem)) throw error;
    // The server reads no more of the body.
    return errorAnswer(error.status, error.message, request.complete ? {} : { connection: 'close' });
  }
}

/** Returns path and query of a request's target; null for any other target. Never throws. */
function targetOf(target: string): { path: string; query: URLSearchParams } | null {
  let place = target;
  if (ABSOLUTE.test(target)) {
    const url = URL.parse(target);
    if (!url) return null;
    place = `${url.pathname}${url.search}`;
  }
  if (!place.startsWith('/')) return null;
  const end = place.indexOf('?');
  const path = end < 0 ? place : place.slice(0, end);
  return { path, query: new URLSearchParams(end < 0 ? '' : place.slice(end)) };
}

async function bodyOf(request: IncomingMessage, mostBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Uint8Array>) {
    length += part.length;
    if (length > mostBytes) throw new HttpProblem(413, `more than ${mostBytes} bytes`);
    parts.push(part);
  }
  return new Uint8Array(Buffer.concat(parts));
}

function send(response: ServerResponse, { status, headers, body }: HttpAnswer): void {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  // For HEAD the library sends the headers alone.
  response.writeHead(status, { ...headers, 'content-length': bytes.length }).end(bytes);
}
