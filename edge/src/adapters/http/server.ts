import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { boundedHttpServer, listening } from '@gridtokenx/runtime';
import type { ServerCertificate } from '../../domain/ports.js';

/** The installer's phone, and a collector of metrics. */
const LIMITS = { connections: 50, perAddress: 16 };

export interface HttpViews {
  /** What `GET /api/v1/status` shows. */
  readonly status: () => Record<string, unknown>;
  readonly metrics: () => Promise<string>;
  /** Plain words; empty when all is well. */
  readonly problems: () => readonly string[];
}

/**
 * Status page for the installer's phone, JSON, health and metrics; read only; over TLS when there is a certificate.
 * Rejects with the system's error when the address is taken.
 */
export async function serveHttp(
  address: { host: string; port: number },
  views: HttpViews,
  certificate?: ServerCertificate,
): Promise<Server> {
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    answer(request.method ?? '', request.url ?? '', response, views).catch(() => {
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  };
  const server = boundedHttpServer({ handle, limits: LIMITS, certificate });
  await listening(server, address);
  return server;
}

async function answer(method: string, url: string, response: ServerResponse, views: HttpViews): Promise<void> {
  const send = (code: number, type: string, body: string) => {
    response.writeHead(code, {
      'content-type': type,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    response.end(method === 'HEAD' ? undefined : body);
  };
  if (method !== 'GET' && method !== 'HEAD') return send(405, 'text/plain', 'read only\n');
  const problems = views.problems();
  switch (url.split('?')[0]) {
    case '/healthz':
      return send(
        problems.length === 0 ? 200 : 503,
        'application/json',
        JSON.stringify({ ok: problems.length === 0, problems }),
      );
    case '/metrics':
      return send(200, 'text/plain; version=0.0.4', await views.metrics());
    case '/api/v1/status':
      return send(200, 'application/json', JSON.stringify(views.status()));
    case '/':
      return send(200, 'text/html; charset=utf-8', page(views.status()));
    default:
      return send(404, 'text/plain', 'not here\n');
  }
}

const html = (value: unknown) =>
  String(value ?? '–').replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c] ?? c);

function table(entries: [string, unknown][]): string {
  return `<table>${entries.map(([name, value]) => `<tr><th>${html(name)}<td>${html(value)}`).join('')}</table>`;
}

function flat(value: Record<string, unknown>, prefix = ''): [string, unknown][] {
  return Object.entries(value).flatMap(([name, entry]): [string, unknown][] => {
    const label = `${prefix}${name.replaceAll('_', ' ')}`;
    if (Array.isArray(entry)) return [[label, entry.join('; ') || 'none']];
    if (typeof entry === 'object' && entry !== null) return flat(entry as Record<string, unknown>, `${label} · `);
    return [[label, entry]];
  });
}

function page(status: Record<string, unknown>): string {
  const { meters, ...rest } = status;
  const list = Array.isArray(meters) ? (meters as Record<string, unknown>[]) : [];
  const sections = list.map((meter) => `<h2>${html(meter.name)}</h2>${table(flat(meter))}`);
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="5"><title>${html(status.name)}</title>
<style>body{font:16px system-ui;margin:1rem;max-width:60rem}th{text-align:left;padding-right:1rem;vertical-align:top}td{font-family:monospace;word-break:break-all}</style>
<h1>Gateway ${html(status.name)}</h1>${table(flat(rest))}${sections.join('')}</html>
`;
}
