import { equalBytes, formatTopic, parseTopic, subscriptions, TOPIC_ROOT } from '@gridtokenx/protocol';
import type { KeyRole } from '../ports.js';

/** Bounds a filter, in characters: the longest topic of the protocol. */
const MAX_FILTER_CHARS = 160;

/** The client of a request, from the verified sign-in, never from the packet. */
export interface Principal {
  readonly role: KeyRole;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
}

/** The manner of a publish. The broker publishes a will in the name of the client that left it. */
export interface PublishManner {
  readonly retain: boolean;
  readonly will: boolean;
  readonly qos: number;
}

/**
 * Returns true when `who` may publish on `topicText` in this manner [wire §6.2]. A gateway publishes under its own name only.
 * It retains and leaves a will on its own status only. An oracle writes acks in its own name, the live projection and its own
 * status. An operator sends commands, which are never retained. QoS 2 is not supported.
 */
export function mayPublish(who: Principal, topicText: string, manner: PublishManner): boolean {
  const topic = parseTopic(topicText);
  if (topic === null || manner.qos > 1) return false;
  const plain = !manner.retain && !manner.will;
  const own = (key: Uint8Array) => equalBytes(key, who.publicKey);
  switch (topic.kind) {
    case 'stream':
    case 'command-ack':
      return who.role === 'gateway' && own(topic.gateway) && plain;
    case 'gateway-status':
      return who.role === 'gateway' && own(topic.gateway);
    case 'ack':
      return who.role === 'oracle' && own(topic.oracle) && !manner.will;
    case 'oracle-status':
      return who.role === 'oracle' && own(topic.oracle);
    case 'live':
      return who.role === 'oracle' && plain;
    case 'command':
      return who.role === 'operator' && plain;
  }
}

/**
 * Returns the filters that a role may subscribe to. Beside the protocol's list, a gateway may read its own status, because it
 * must notice its own stale will. Everyone may read which oracles are online: their absence explains missing acks.
 */
export function allowedFilters(who: Principal): string[] {
  const oracles = `${TOPIC_ROOT}/oracle/+/status`;
  switch (who.role) {
    case 'gateway': {
      const own = formatTopic({ kind: 'gateway-status', gateway: who.publicKey });
      return [...subscriptions.gateway(who.publicKey), own];
    }
    case 'oracle':
      return [...subscriptions.oracle(), oracles];
    case 'operator':
      return [...subscriptions.operator(), oracles];
  }
}

/**
 * Returns true when `who` may subscribe to `filter`: one of its list, word for word. An operator may also name less than its
 * list, such as the live values of one zone. Any other spelling would be another entry in the broker's tables.
 */
export function maySubscribe(who: Principal, filter: string): boolean {
  const allowed = allowedFilters(who);
  if (allowed.includes(filter)) return true;
  if (who.role !== 'operator' || filter.length > MAX_FILTER_CHARS) return false;
  return allowed.some((of) => covers(of.split('/'), filter.split('/')));
}

function covers(allowed: readonly string[], filter: readonly string[]): boolean {
  for (const [i, level] of filter.entries()) {
    const permitted = allowed[i];
    if (permitted === '#') return true;
    if (permitted === undefined || level === '#') return false;
    if (permitted !== '+' && permitted !== level) return false;
  }
  return allowed.length === filter.length;
}
