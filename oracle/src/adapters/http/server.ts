import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Logger, ServerCertificate } from '@gridtokenx/runtime/core';
import {
  type HealthView,
  HttpProblem,
  type HttpRequest,
  type HttpRoute,
  htmlAnswer,
  isLoopback,
  jsonAnswer,
  type RequestRate,
  type RunningHttp,
  serveHttp,
  typedAnswer,
} from '@gridtokenx/runtime/node';
import type { CosignAnswer } from '../../domain/settlement/cosigning/ports.js';

/** Serves the page's listener. Every function may throw; the listener then answers 503. */
export interface PageServed {
  readonly state: () => unknown;
  readonly settlements: (after: number, limit: number) => unknown;
  readonly health: () => HealthView;
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
}

/** Serves gateways and other oracles. Every function may throw; the listener then answers 503. */
export interface ServiceServed {
  /** Returns signed time for a nonce of 16 bytes. */
  readonly time: (nonce: Uint8Array) => Uint8Array;
  /** Answers another oracle's co-signing request; null where there are no other oracles. */
  readonly cosign: ((body: Uint8Array) => Promise<CosignAnswer>) | null;
}

/** Address of a listener, and the number of connections that it accepts. */
export interface Listener {
  readonly host: string;
  readonly port: number;
  readonly connections?: number;
  readonly connections_per_address?: number;
}

const NONCE_BYTES = 16;
/** Equals the size limit of a control message. */
const MAX_COSIGN_BYTES = 65_536;
const MAX_SETTLEMENTS = 1_000;
const MAX_CONNECTIONS = 256;
const MAX_CONNECTIONS_PER_ADDRESS = 32;
/**
 * Requests of one address. A signature takes 50 µs, so an address that sends without pause uses 1 % of a core. A
 * gateway sends a request every ten minutes.
 */
const SERVICE_RATE: RequestRate = { perSecond: 200, burst: 400, isExempt: isLoopback };
const page = readFileSync(new URL('./page/index.html', import.meta.url), 'utf8');
const script = /<script>([\s\S]*?)<\/script>/.exec(page)?.[1] ?? '';
const scriptHash = createHash('sha256').update(script).digest('base64');
const PAGE_HEADERS = {
  'content-security-policy': `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${scriptHash}'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'referrer-policy': 'no-referrer',
};

/** Serves status page, API, health and metrics. Rejects with `OperatorError` when it cannot listen on the address. */
export function servePage(
  at: Listener,
  { state, settlements, health, metrics }: PageServed,
  log: Logger,
  certificate?: ServerCertificate,
): Promise<RunningHttp> {
  const routes: Record<string, HttpRoute> = {
    '/': { answer: () => htmlAnswer(page, PAGE_HEADERS) },
    '/api/v1/state': { answer: () => jsonAnswer(200, state()) },
    '/api/v1/settlements': {
      answer: ({ query }) => {
        const after = Number(query.get('after') ?? '0');
        if (!Number.isSafeInteger(after) || after < 0) throw new HttpProblem(400, 'after is not an id');
        return jsonAnswer(200, settlements(after, MAX_SETTLEMENTS));
      },
    },
  };
  return serveHttp({ ...at, key: 'page', log, limits: limitsOf(at), certificate, routes, health, metrics });
}

/** Serves signed time and co-signing. Rejects with `OperatorError` when it cannot listen on the address. */
export function serveService(
  at: Listener,
  { time, cosign }: ServiceServed,
  log: Logger,
  certificate?: ServerCertificate,
): Promise<RunningHttp> {
  const routes: Record<string, HttpRoute> = {
    '/time': { methods: ['POST'], answer: async (request) => signedTime(await nonceOf(request), time) },
  };
  if (cosign) {
    routes['/cosign'] = {
      methods: ['POST'],
      answer: async (request) => {
        const { status, body } = await cosign(await request.body(MAX_COSIGN_BYTES));
        return jsonAnswer(status, body);
      },
    };
  }
  return serveHttp({ ...at, key: 'service', log, limits: limitsOf(at), certificate, routes, rate: SERVICE_RATE });
}

function limitsOf({ connections = MAX_CONNECTIONS, connections_per_address = MAX_CONNECTIONS_PER_ADDRESS }: Listener) {
  return { connections, perAddress: connections_per_address };
}

function signedTime(nonce: Uint8Array, time: ServiceServed['time']) {
  return typedAnswer(200, 'application/cose', time(nonce));
}

async function nonceOf(request: HttpRequest): Promise<Uint8Array> {
  const nonce = await request.body(NONCE_BYTES).catch((error: unknown) => {
    if (error instanceof HttpProblem) return null;
    throw error;
  });
  if (nonce?.length !== NONCE_BYTES) throw new HttpProblem(400, `the body is a nonce of ${NONCE_BYTES} bytes`);
  return nonce;
}
