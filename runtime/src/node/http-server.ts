import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Rates } from '../core/rates.js';
import type { ServerCertificate } from '../core/tls.js';
import { addressOf, type ConnectionLimits, ConnectionTable } from './connections.js';

export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** Bounds each step of an exchange, in real milliseconds. */
export interface HttpTimes {
  /** Interval of the check for late exchanges. */
  readonly checkMs: number;
  /** From the connection, or from the last answer, to the end of the headers. */
  readonly headersMs: number;
  /** To the end of the request's body. */
  readonly requestMs: number;
  /** From there until the client has read the answer. */
  readonly answerMs: number;
  readonly keepAliveMs: number;
  readonly handshakeMs: number;
}

export const HTTP_TIMES: HttpTimes = {
  checkMs: 1_000,
  headersMs: 5_000,
  requestMs: 10_000,
  answerMs: 30_000,
  keepAliveMs: 5_000,
  handshakeMs: 5_000,
};

/** Bounds the requests of one address. */
export interface RequestRate {
  readonly perSecond: number;
  readonly burst: number;
  /** Returns true for addresses that many clients may share. */
  readonly isExempt?: (address: string) => boolean;
}

export interface BoundedServer {
  readonly handle: HttpHandler;
  readonly limits: ConnectionLimits;
  /** Without it only the connections bound the requests: for listeners that only trusted programs reach. */
  readonly rate?: RequestRate | undefined;
  readonly times: HttpTimes;
  /** Without it the server speaks plain HTTP. */
  readonly certificate?: ServerCertificate | undefined;
}

/** A browser sends 2 kB. */
const MAX_HEADER_BYTES = 8_192;
const MAX_HEADERS = 64;
/** After this many the server closes the connection, and its place is free. */
const MAX_REQUESTS_PER_CONNECTION = 1_000;
/** Bounds the addresses with remembered rates, 100 bytes each. */
const MAX_ADDRESSES = 4_096;

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/**
 * An HTTP server that strangers cannot fill. Handshakes, headers, bodies and answers have deadlines, checked each second.
 * Connections are bounded in all and for each address; the oldest idle one makes room for a new one. The caller makes the
 * server listen.
 */
export function boundedHttpServer(options: BoundedServer): Server {
  const { handle, limits, certificate, rate, times } = options;
  const exchanges = new Map<string, Exchange | null>();
  const rates = rate && new Rates({ ...rate, names: MAX_ADDRESSES }, () => performance.now());
  const onRequest: HttpHandler = (request, response) => {
    const name = nameOf(request.socket);
    if (exchanges.has(name)) exchanges.set(name, { request, response });
    // Counted from here, not from the request's end: a body has its own, earlier deadline.
    const timer = setTimeout(() => request.socket.destroy(), times.requestMs + times.answerMs);
    response.once('close', () => clearTimeout(timer));
    const address = addressOf(request.socket.remoteAddress);
    if (!rates || rate?.isExempt?.(address) || rates.allow(address)) handle(request, response);
    else response.writeHead(429, { connection: 'close', 'retry-after': '1' }).end();
  };
  const settings = {
    connectionsCheckingInterval: times.checkMs,
    headersTimeout: times.headersMs,
    requestTimeout: times.requestMs,
    keepAliveTimeout: times.keepAliveMs,
    maxHeaderSize: MAX_HEADER_BYTES,
  };
  const server = certificate
    ? createTlsServer({ ...settings, ...certificate.material, handshakeTimeout: times.handshakeMs }, onRequest)
    : createServer(settings, onRequest);
  if (certificate && 'setSecureContext' in server) {
    certificate.onRenewed((material) => server.setSecureContext(material));
    // After a late handshake the socket would stay open.
    server.on('tlsClientError', (_error: Error, socket: TLSSocket) => socket.destroy());
  }
  server.maxHeadersCount = MAX_HEADERS;
  server.maxRequestsPerSocket = MAX_REQUESTS_PER_CONNECTION;
  // Node counts a destroyed socket until its next turn; the table counts exactly.
  server.maxConnections = 2 * limits.connections;
  const table = new ConnectionTable<Socket>(limits);
  server.on('connection', (socket: Socket) => {
    const name = nameOf(socket);
    if (!table.add(socket, () => isWaiting(exchanges.get(name)))) return;
    exchanges.set(name, null);
    socket.once('close', () => exchanges.delete(name));
  });
  return server;
}

/** Returns both ends of the connection. Over TLS the request has another socket than the connection, with the same ends. */
function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** Returns true unless a whole request has arrived and its answer is not yet written. */
function isWaiting(exchange: Exchange | null | undefined): boolean {
  return !exchange?.request.complete || exchange.response.writableEnded;
}

/** Makes a server listen. Rejects with the socket's error (`EADDRINUSE`, `EACCES`, ...). */
export function listening(server: Server, { host, port }: { host: string; port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : port);
    });
  });
}
