import { parseTopic } from '@gridtokenx/protocol';
import type { Client, PublishPacket, Subscription } from 'aedes';
import { mayPublish, maySubscribe } from '../../domain/acl.js';
import type { BrokerParts } from '../../ports.js';
import type { RetainedTopics } from './retained.js';
import type { Session, Sessions } from './sessions.js';

/** Bounds the remembered decisions of one session. A gateway uses a few topics for all its messages. */
const REMEMBERED_TOPICS = 512;

type SessionOf = (client: Client) => Session | null | undefined;

/** Applies the rules of the domain to every packet, and bounds the entries that packets leave in the broker's tables. */
export class Access {
  readonly #parts: BrokerParts;
  readonly #sessions: Sessions;
  readonly #retained: RetainedTopics;
  readonly #sessionOf: SessionOf;

  constructor(parts: BrokerParts, sessions: Sessions, retained: RetainedTopics, sessionOf: SessionOf) {
    this.#parts = parts;
    this.#sessions = sessions;
    this.#retained = retained;
    this.#sessionOf = sessionOf;
  }

  publish(client: Client | null, packet: PublishPacket, done: (error?: Error | null) => void): void {
    const session = client && this.#sessionOf(client);
    if (!session) {
      done(new Error('not signed in'));
      return;
    }
    const { topic, qos } = packet;
    const plain = packet.retain !== true && qos <= 1;
    if (!(plain && session.allowed.has(topic))) {
      // aedes checks the will again when it publishes it: sign-in checked the manner, retain decides here.
      if (!mayPublish(session.record, topic, { retain: packet.retain === true, will: false, qos })) {
        this.#refusePublish(session, packet, 'publish outside the allowed topics: connection closed');
        done(new Error('publish not allowed'));
        return;
      }
      if (topic.endsWith('/status') && packet.payload.length > this.#parts.limits.statusBytes) {
        this.#refusePublish(session, packet, 'status above the limit: connection closed');
        done(new Error('publish not allowed'));
        return;
      }
      if (plain && session.allowed.size < REMEMBERED_TOPICS && !topic.endsWith('/status')) session.allowed.add(topic);
    }
    if (packet.retain) packet.retain = this.#mayRetain(packet);
    session.gate.inFlight++;
    done(null);
  }

  #refusePublish({ key, record }: Session, { topic, retain }: PublishPacket, message: string): void {
    this.#parts.metrics.refused('publish_not_allowed');
    this.#parts.log.warn(
      { event: 'message_refused', key, role: record.role, topic: topic.slice(0, 160), retain },
      message,
    );
  }

  /** Returns false for a message to forward but not retain: an ack for an unlisted gateway, or one message above the bounds. */
  #mayRetain({ topic, payload }: PublishPacket): boolean {
    if (payload.length > 0 && !this.#isOfKnown(topic)) return false;
    if (this.#retained.put(topic, payload.length)) return true;
    this.#parts.metrics.refused('retained_full');
    this.#parts.log.warn(
      { event: 'retain_limit_reached', retained: this.#retained.size },
      'Forwarded a message without retaining it: the limit of retained messages is reached',
    );
    return false;
  }

  #isOfKnown(text: string): boolean {
    const name = text.split('/')[2] ?? '';
    return parseTopic(text)?.kind === 'oracle-status' || this.#parts.keys.find(name) !== undefined;
  }

  /** Calls `drop` for the retained topics of gateways that are no longer listed. */
  forgetRetained(drop: (topic: string) => void): void {
    for (const topic of [...this.#retained.topics()]) {
      if (this.#isOfKnown(topic)) continue;
      this.#retained.put(topic, 0);
      drop(topic);
    }
  }

  subscribe(
    client: Client,
    subscription: Subscription,
    done: (error: Error | null, subscription?: Subscription | null) => void,
  ): void {
    const session = this.#sessionOf(client);
    // For null, SUBACK answers 0x80.
    done(null, session && this.#maySubscribe(session, subscription.topic) ? subscription : null);
  }

  #maySubscribe(session: Session, filter: string): boolean {
    const { limits, metrics, log } = this.#parts;
    if (session.isEnded) return false;
    if (!this.#sessions.mayNameFilter(session.key)) {
      this.#sessions.end(session, 'too_many_filters');
      return false;
    }
    const hasRoom = session.filters.has(filter) || session.filters.size < limits.subscriptions;
    if (hasRoom && maySubscribe(session.record, filter)) {
      session.filters.add(filter);
      return true;
    }
    metrics.refused(hasRoom ? 'subscribe_not_allowed' : 'too_many_subscriptions');
    // One packet may name thousands of filters: the log shows the first, and a session that continues is ended.
    if (session.refusedFilters++ === 0) {
      log.warn(
        { event: 'subscription_refused', key: session.key, filter: filter.slice(0, 160), hasRoom },
        'Refused a subscription',
      );
    }
    if (session.refusedFilters > limits.refusedFilters) this.#sessions.end(session, 'too_many_refused_filters');
    return false;
  }
}
