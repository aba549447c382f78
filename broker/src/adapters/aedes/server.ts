import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import {
  Aedes,
  type AuthenticateError,
  type Client,
  type ConnectPacket,
  type PublishPacket,
  type Subscription,
} from 'aedes';
import { mayPublish, maySubscribe } from '../../domain/acl.js';
import { decideSignIn } from '../../domain/sign-in.js';
import { TokenBucket } from '../../domain/token-bucket.js';
import type { BrokerParts, BrokerServer, KeyRecord, ServerCertificate } from '../../ports.js';
import { type Allowance, SocketGate } from './gate.js';

/** Decisions that one session remembers; a gateway uses a few topics for all its messages. */
const REMEMBERED_TOPICS = 512;

interface Session {
  readonly client: Client;
  readonly key: string;
  readonly record: KeyRecord;
  readonly gate: SocketGate;
  readonly cancelExpiry: () => void;
  /** Topics that were allowed for a plain publish: parsing keys out of a topic costs more than the rest of the way. */
  readonly allowed: Set<string>;
}

/** What is known of a connection before sign-in. */
interface Connection {
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
 * The MQTT 3.1.1 broker on aedes. aedes accepts everyone and everything by default and acknowledges before anything is
 * stored, so sign-in and access rules are set here for every packet, sessions are always clean, and nothing is queued
 * for a client that is away: what must not be lost is kept by the gateways until an oracle has acknowledged it.
 */
export class AedesServer implements BrokerServer {
  readonly #parts: BrokerParts;
  readonly #aedes: Aedes;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #connections = new WeakMap<Client, Connection>();
  readonly #sessions = new Map<string, Set<Session>>();
  readonly #allowances = new Map<string, Allowance>();

  constructor(parts: BrokerParts) {
    this.#parts = parts;
    const { limits } = parts;
    this.#aedes = new Aedes({
      id: parts.name,
      // Above this, messages queue in the emitter at a high price; the gates bound what can be in flight below it.
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
        // Memory for clients that are away is not offered: every session is clean, and CONNACK says so.
        packet.clean = true;
        done(null, connection !== undefined);
      },
      authenticate: (client, user, password, done) => this.#authenticate(client, user, password, done),
      authorizePublish: (client, packet, done) => this.#authorisePublish(client, packet, done),
      authorizeSubscribe: (client, subscription, done) => this.#authoriseSubscribe(client, subscription, done),
      published: (packet, client, done) => {
        const connection = client && this.#connections.get(client);
        if (connection?.session) {
          connection.gate.inFlight = Math.max(0, connection.gate.inFlight - 1);
          parts.metrics.published(packet.payload.length);
        }
        done();
      },
    });
    this.#server = parts.certificate
      ? this.#tlsServer(parts.certificate)
      : createServer((socket) => this.#accept(socket));
    // Connections count from the first packet of TCP, so that handshakes that are never finished are bounded as well.
    this.#server.maxConnections = limits.connections;
    this.#server.on('drop', () => parts.metrics.refused('too_many_connections'));
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#aedes.on('clientError', (client, error) => this.#logEnd(client, error));
    this.#aedes.on('connectionError', (client, error) => this.#logEnd(client, error));
    parts.keys.onChange(() => this.#endWithdrawn());
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
    for (const socket of this.#sockets) socket.destroy();
    if (this.#server.listening) await closed;
  }

  /** The same server behind TLS. Who fails the handshake never reaches aedes. */
  #tlsServer(certificate: ServerCertificate): Server {
    const { limits, metrics, log } = this.#parts;
    const options = { ...certificate.material, handshakeTimeout: limits.connectSeconds * 1000, noDelay: true };
    const server = createTlsServer(options, (socket) => this.#accept(socket));
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      metrics.refused('tls');
      log.warn({ from: socket.remoteAddress, error: error.code ?? error.message }, 'TLS handshake failed');
      // After a handshake that took too long the socket would stay open.
      socket.destroy();
    });
    certificate.onRenewed((material) => server.setSecureContext(material));
    return server;
  }

  #accept(socket: Socket): void {
    const { limits, metrics, log } = this.#parts;
    socket.setNoDelay(true);
    const gate = new SocketGate(socket, this.#parts, () => {
      metrics.refused('oversize_packet');
      log.warn({ from: socket.remoteAddress, limit: limits.packetBytes }, 'packet above the limit: connection closed');
      socket.destroy();
    });
    const client = this.#aedes.handle(socket);
    const connection: Connection = { gate, clientId: '', will: undefined, session: null, isEnded: false };
    this.#connections.set(client, connection);
    socket.once('close', () => {
      if (connection.session) this.#forget(connection.session);
    });
  }

  #authenticate(
    client: Client,
    userName: string | undefined,
    password: Buffer | undefined,
    done: (error: AuthenticateError | null, success: boolean | null) => void,
  ): void {
    const { metrics, log, clock, keys, verifier, name } = this.#parts;
    const connection = this.#connections.get(client);
    const request = { clientId: connection?.clientId ?? '', userName, password };
    const answer = decideSignIn(request, { broker: name, keys, verifier, nowMs: clock.nowMs() });
    const refuse = (returnCode: number, reason: string, detail: string) => {
      metrics.refused(reason);
      const shown = { reason, clientId: request.clientId.slice(0, 100), user: userName?.slice(0, 64), detail };
      log.warn(shown, 'sign-in refused');
      done(signInError(returnCode, detail), false);
    };
    const will = connection?.will;
    const manner = { retain: will?.retain === true, will: true, qos: will?.qos ?? 0 };
    if (!answer.accepted) refuse(answer.returnCode, answer.reason, answer.detail);
    else if (!connection) refuse(5, 'closed', 'the connection is gone');
    else if (will && !mayPublish(answer.record, will.topic, manner)) {
      refuse(5, 'will_not_allowed', `a will on ${will.topic.slice(0, 160)} is not allowed`);
    } else {
      this.#begin(client, connection, answer);
      done(null, true);
    }
  }

  #begin(client: Client, connection: Connection, answer: { key: string; record: KeyRecord; endsAtMs: number }): void {
    const { clock, metrics } = this.#parts;
    const { key, record } = answer;
    const others = this.#sessions.get(key) ?? new Set();
    // A gateway is one device: its newer session replaces the older one, whatever suffix the client id has.
    if (record.role === 'gateway') for (const other of [...others]) this.#end(other, 'replaced');
    const session: Session = {
      client,
      key,
      record,
      gate: connection.gate,
      cancelExpiry: clock.after(Math.max(0, answer.endsAtMs - clock.nowMs()), () => this.#end(session, 'expired')),
      allowed: new Set(),
    };
    connection.session = session;
    connection.gate.allowance = this.#allowanceOf(key);
    this.#sessions.set(key, others.add(session));
    metrics.clients(1);
  }

  #allowanceOf(key: string): Allowance {
    const { clock, limits } = this.#parts;
    let allowance = this.#allowances.get(key);
    if (!allowance) {
      const now = clock.monotonicMs();
      allowance = {
        messages: new TokenBucket(limits.messagesPerSecond, limits.messageBurst, now),
        bytes: new TokenBucket(limits.bytesPerSecond, limits.byteBurst, now),
      };
      this.#allowances.set(key, allowance);
    }
    return allowance;
  }

  #authorisePublish(client: Client | null, packet: PublishPacket, done: (error?: Error | null) => void): void {
    const connection = client && this.#connections.get(client);
    const session = connection?.session;
    if (!session) {
      done(new Error('not signed in'));
      return;
    }
    const { topic, qos } = packet;
    const plain = packet.retain !== true && qos <= 1;
    if (!(plain && session.allowed.has(topic))) {
      // aedes asks again for the will when it publishes it: the manner was checked at sign-in, retain decides here.
      if (!mayPublish(session.record, topic, { retain: packet.retain === true, will: false, qos })) {
        this.#parts.metrics.refused('publish_not_allowed');
        const shown = {
          key: session.key,
          role: session.record.role,
          topic: topic.slice(0, 160),
          retain: packet.retain,
        };
        this.#parts.log.warn(shown, 'publish outside the allowed topics: connection closed');
        done(new Error('publish not allowed'));
        return;
      }
      if (plain && session.allowed.size < REMEMBERED_TOPICS) session.allowed.add(topic);
    }
    session.gate.inFlight++;
    done(null);
  }

  #authoriseSubscribe(
    client: Client,
    subscription: Subscription,
    done: (error: Error | null, subscription?: Subscription | null) => void,
  ): void {
    const session = this.#connections.get(client)?.session;
    if (session && maySubscribe(session.record, subscription.topic)) {
      done(null, subscription);
      return;
    }
    this.#parts.metrics.refused('subscribe_not_allowed');
    this.#parts.log.warn({ key: session?.key, filter: subscription.topic.slice(0, 160) }, 'subscription refused');
    done(null, null); // SUBACK 0x80
  }

  #endWithdrawn(): void {
    for (const key of [...this.#allowances.keys()]) if (!this.#parts.keys.find(key)) this.#allowances.delete(key);
    for (const [key, sessions] of [...this.#sessions]) {
      const record = this.#parts.keys.find(key);
      for (const session of [...sessions]) {
        if (record?.status !== 'active') this.#end(session, 'revoked');
        else if (record.role !== session.record.role) this.#end(session, 'role_changed');
      }
    }
  }

  #end(session: Session, reason: string): void {
    this.#parts.metrics.ended(reason);
    this.#parts.log.info({ key: session.key, reason }, 'session ended');
    this.#forget(session);
    session.client.close();
  }

  #forget(session: Session): void {
    const sessions = this.#sessions.get(session.key);
    if (!sessions?.delete(session)) return;
    if (sessions.size === 0) this.#sessions.delete(session.key);
    session.cancelExpiry();
    this.#parts.metrics.clients(-1);
  }

  #logEnd(client: Client, error: Error & { errorCode?: number }): void {
    // Refused sign-ins and publishes have been logged with their reason already.
    if (error.errorCode !== undefined || error.message === 'publish not allowed') return;
    const connection = this.#connections.get(client);
    // Every write that was waiting reports the same end.
    if (!connection || connection.isEnded) return;
    connection.isEnded = true;
    const { session } = connection;
    this.#parts.metrics.ended('error');
    this.#parts.log.info({ key: session?.key, error: error.message }, 'connection ended');
  }
}
