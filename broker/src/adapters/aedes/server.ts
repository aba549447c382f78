import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import type { ServerCertificate } from '@gridtokenx/runtime/core';
import { ConnectionTable } from '@gridtokenx/runtime/node';
import { Aedes, type AuthenticateError, type Client, type ConnectPacket } from 'aedes';
import { mayPublish } from '../../domain/acl.js';
import { SeenTokens } from '../../domain/seen-tokens.js';
import { decideSignIn, ReturnCode } from '../../domain/sign-in.js';
import type { BrokerParts, BrokerServer } from '../../ports.js';
import { Access } from './access.js';
import { SocketGate } from './gate.js';
import { RetainedTopics } from './retained.js';
import { type Session, Sessions } from './sessions.js';

/** The known facts of a connection before sign-in. */
interface Connection {
  readonly name: string;
  readonly gate: SocketGate;
  clientId: string;
  will: ConnectPacket['will'];
  session: Session | null;
  isEnded: boolean;
}

function signInError(returnCode: number, message: string): AuthenticateError {
  return Object.assign(new Error(message), { returnCode });
}

/**
 * The MQTT 3.1.1 broker on aedes. By default aedes accepts everyone and everything, and acknowledges before anything is stored.
 * So this class applies sign-in and access rules to every packet, keeps sessions clean, and queues nothing for an absent
 * client: gateways keep their messages until an oracle has acknowledged them.
 */
export class AedesServer implements BrokerServer {
  readonly #parts: BrokerParts;
  readonly #aedes: Aedes;
  readonly #server: Server;
  /** By the address of the peer: over TLS the broker has another socket than the listener. */
  readonly #sockets = new Map<string, Socket>();
  readonly #pending: ConnectionTable<Socket>;
  readonly #connections = new WeakMap<Client, Connection>();
  readonly #sessions: Sessions;
  readonly #retained: RetainedTopics;
  readonly #seen: SeenTokens;

  constructor(parts: BrokerParts) {
    this.#parts = parts;
    const { limits } = parts;
    this.#sessions = new Sessions(parts);
    this.#retained = new RetainedTopics(limits);
    const access = new Access(
      parts,
      this.#sessions,
      this.#retained,
      (client) => this.#connections.get(client)?.session,
    );
    this.#seen = new SeenTokens({ perKey: limits.tokensPerKey, total: limits.tokens });
    this.#pending = new ConnectionTable<Socket>(
      { connections: limits.pendingConnections, perAddress: limits.pendingPerAddress },
      (why) => parts.metrics.refused(why === 'address' ? 'too_many_of_address' : 'too_many_pending'),
    );
    this.#aedes = this.#brokerOn(access);
    this.#server = parts.certificate
      ? this.#tlsServer(parts.certificate)
      : createServer((socket) => this.#accept(socket));
    // Connections count from the first packet of TCP, so that unfinished handshakes are bounded as well. The tables below end
    // the excess; a closed socket counts for Node until its next turn.
    this.#server.maxConnections = limits.connections + 2 * limits.pendingConnections;
    this.#server.on('drop', () => parts.metrics.refused('too_many_connections'));
    this.#server.on('connection', (socket) => this.#arrived(socket));
    this.#aedes.on('clientError', (client, error) => this.#logEnd(client, error));
    this.#aedes.on('connectionError', (client, error) => this.#logEnd(client, error));
    this.#aedes.on('unsubscribe', (filters, client) => {
      for (const filter of filters) this.#connections.get(client)?.session?.filters.delete(filter);
    });
    parts.keys.onChange(() => {
      this.#sessions.endWithdrawn();
      access.forgetRetained((topic) => {
        this.#aedes.publish({ cmd: 'publish', topic, payload: '', qos: 0, retain: true, dup: false }, () => {});
      });
    });
  }

  /** Entries of every table that a client can fill, for tests of their bounds. */
  get sizes(): Record<string, number> {
    // aedes names its clients in a property that its types omit.
    const { clients } = this.#aedes as unknown as { clients: Record<string, { subscriptions: object }> };
    const filters = Object.values(clients).map(({ subscriptions }) => Object.keys(subscriptions).length);
    return {
      ...this.#sessions.sizes,
      pending: this.#pending.size,
      sockets: this.#sockets.size,
      tokens: this.#seen.size,
      retained: this.#retained.size,
      retainedBytes: this.#retained.bytes,
      clients: filters.length,
      subscriptions: filters.reduce((sum, n) => sum + n, 0),
    };
  }

  get listening(): boolean {
    return this.#server.listening;
  }

  async listen(host: string, port: number): Promise<{ port: number }> {
    await this.#aedes.listen();
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    const address = this.#server.address();
    return { port: typeof address === 'object' && address ? address.port : port };
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await new Promise<void>((resolve) => this.#aedes.close(resolve));
    for (const socket of this.#sockets.values()) socket.destroy();
    if (this.#server.listening) await closed;
  }

  /** Returns aedes with sign-in and access rules on every packet. */
  #brokerOn(access: Access): Aedes {
    const { limits } = this.#parts;
    return new Aedes({
      id: this.#parts.name,
      // Above this, messages queue in the emitter at a high cost. The gates bound the messages in flight below it.
      concurrency: Math.max(1000, limits.inFlight * limits.connections),
      connectTimeout: limits.connectSeconds * 1000,
      drainTimeout: limits.drainSeconds * 1000,
      maxTopicLevels: 8,
      preConnect: (client, packet, done) => {
        const connection = this.#connections.get(client);
        if (connection) {
          connection.clientId = packet.clientId ?? '';
          connection.will = packet.will;
        }
        // The broker stores nothing for absent clients: every session is clean, and CONNACK says so.
        packet.clean = true;
        done(null, connection !== undefined);
      },
      authenticate: (client, user, password, done) => this.#authenticate(client, user, password, done),
      authorizePublish: (client, packet, done) => access.publish(client, packet, done),
      authorizeSubscribe: (client, subscription, done) => access.subscribe(client, subscription, done),
      published: (packet, client, done) => {
        const connection = client && this.#connections.get(client);
        if (connection?.session) {
          connection.gate.inFlight = Math.max(0, connection.gate.inFlight - 1);
          this.#parts.metrics.published(packet.payload.length);
        }
        done();
      },
    });
  }

  /** Returns the same server behind TLS. A client that fails the handshake never reaches aedes. */
  #tlsServer(certificate: ServerCertificate): Server {
    const { limits, metrics, log } = this.#parts;
    const options = { ...certificate.material, handshakeTimeout: limits.connectSeconds * 1000, noDelay: true };
    const server = createTlsServer(options, (socket) => this.#accept(socket));
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      metrics.refused('tls');
      log.warn(
        { event: 'tls_handshake_failed', from: socket.remoteAddress, err: error.code ?? error.message },
        'TLS handshake failed',
      );
      // After a late handshake the socket would stay open.
      socket.destroy();
    });
    certificate.onRenewed((material) => server.setSecureContext(material));
    return server;
  }

  #arrived(socket: Socket): void {
    const name = nameOf(socket);
    this.#sockets.set(name, socket);
    socket.once('close', () => this.#sockets.delete(name));
    // A client before sign-in is a stranger: any of them may be closed.
    this.#pending.add(socket, () => true);
  }

  #accept(socket: Socket): void {
    const { limits, metrics, log } = this.#parts;
    socket.setNoDelay(true);
    const from = socket.remoteAddress;
    const name = nameOf(socket);
    const gate = new SocketGate(socket, this.#parts, {
      oversize: () => {
        metrics.refused('oversize_packet');
        log.warn(
          { event: 'packet_too_large', from, limit: limits.packetBytes },
          'Closed a connection: its packet exceeds the limit',
        );
        socket.destroy();
      },
      slowReader: () => {
        if (connection.session) this.#sessions.end(connection.session, 'slow_reader');
        socket.destroy();
      },
    });
    const client = this.#aedes.handle(socket);
    const connection: Connection = { name, gate, clientId: '', will: undefined, session: null, isEnded: false };
    this.#connections.set(client, connection);
    socket.once('close', () => {
      if (connection.session) this.#sessions.forget(connection.session);
    });
  }

  #authenticate(
    client: Client,
    userName: string | undefined,
    password: Buffer | undefined,
    done: (error: AuthenticateError | null, success: boolean | null) => void,
  ): void {
    const { metrics, log, clock, keys, verifier, name, limits } = this.#parts;
    const connection = this.#connections.get(client);
    const request = { clientId: connection?.clientId ?? '', userName, password };
    const answer = decideSignIn(request, { broker: name, keys, verifier, seen: this.#seen, nowMs: clock.nowMs() });
    const refuse = (returnCode: number, reason: string, detail: string) => {
      metrics.refused(reason);
      const shown = { reason, clientId: request.clientId.slice(0, 100), user: userName?.slice(0, 64), detail };
      log.warn({ event: 'sign_in_refused', ...shown }, 'Refused a sign-in');
      done(signInError(returnCode, detail), false);
    };
    const will = connection?.will;
    const manner = { retain: will?.retain === true, will: true, qos: will?.qos ?? 0 };
    if (!answer.accepted) refuse(answer.returnCode, answer.reason, answer.detail);
    else if (!connection) refuse(5, 'closed', 'the connection is gone');
    else if (will && !mayPublish(answer.record, will.topic, manner)) {
      refuse(5, 'will_not_allowed', `a will on ${will.topic.slice(0, 160)} is not allowed`);
    } else if (will && will.payload.length > limits.statusBytes) {
      refuse(ReturnCode.notAuthorised, 'will_too_long', `a will of more than ${limits.statusBytes} bytes`);
    } else if (this.#sessions.isFull(answer)) {
      refuse(ReturnCode.serverUnavailable, 'too_many_connections', `more than ${limits.connections} sessions`);
    } else if (!this.#sessions.maySignIn(answer.key)) {
      refuse(ReturnCode.serverUnavailable, 'too_many_sign_ins', `more than ${limits.signInsPerMinute} in a minute`);
    } else {
      const socket = this.#sockets.get(connection.name);
      if (socket) this.#pending.release(socket);
      connection.session = this.#sessions.begin(client, connection.gate, answer);
      done(null, true);
    }
  }

  #logEnd(client: Client, error: Error & { errorCode?: number }): void {
    // Refused sign-ins and publishes are logged with their reason already.
    if (error.errorCode !== undefined || error.message === 'publish not allowed') return;
    const connection = this.#connections.get(client);
    // Every waiting write reports the same end.
    if (!connection || connection.isEnded) return;
    connection.isEnded = true;
    const { session } = connection;
    this.#parts.metrics.ended('error');
    this.#parts.log.info(
      { event: 'connection_failed', key: session?.key, err: error.message },
      'Connection ended with an error',
    );
  }
}

function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
