import { base58Encode, fromHex, publicKeyFromBase58, toHex } from './bytes.js';
import { MAX_CONTROL_BYTES } from './control.js';
import { Kind } from './payload/header.js';

/** Root of every topic of this version of the protocol. */
export const TOPIC_ROOT = 'gtx/v1';

const MAX_TOPIC_CHARACTERS = 160;
/**
 * The longest fixed header, the topic's length field and the packet identifier, in bytes (MQTT 3.1.1, sections 2.2 and 3.3).
 */
const PUBLISH_OVERHEAD_BYTES = 5 + 2 + 2;
/** Bounds an MQTT packet of the protocol, in bytes [wire §6]. A reader closes the connection at a longer one. */
export const MAX_PACKET_BYTES = PUBLISH_OVERHEAD_BYTES + MAX_TOPIC_CHARACTERS + MAX_CONTROL_BYTES;

/** Streams of signed messages from a meter. */
export const STREAMS = ['reading', 'window', 'event', 'backfill'] as const;
export type Stream = (typeof STREAMS)[number];

/** The parts of a topic. Keys are 32 bytes, meters 16. */
export type Topic =
  | { readonly kind: 'stream'; readonly gateway: Uint8Array; readonly meter: Uint8Array; readonly stream: Stream }
  | { readonly kind: 'gateway-status'; readonly gateway: Uint8Array }
  | { readonly kind: 'ack'; readonly gateway: Uint8Array; readonly oracle: Uint8Array }
  | { readonly kind: 'command'; readonly gateway: Uint8Array }
  | { readonly kind: 'command-ack'; readonly gateway: Uint8Array }
  | { readonly kind: 'oracle-status'; readonly oracle: Uint8Array }
  | { readonly kind: 'live'; readonly zone: number; readonly meter: Uint8Array };

/** Returns the text of a topic [wire §6.1]. */
export function formatTopic(topic: Topic): string {
  switch (topic.kind) {
    case 'stream':
      return `${TOPIC_ROOT}/${base58Encode(topic.gateway)}/${toHex(topic.meter)}/${topic.stream}`;
    case 'gateway-status':
      return `${TOPIC_ROOT}/${base58Encode(topic.gateway)}/status`;
    case 'ack':
      return `${TOPIC_ROOT}/${base58Encode(topic.gateway)}/ack/${base58Encode(topic.oracle)}`;
    case 'command':
      return `${TOPIC_ROOT}/${base58Encode(topic.gateway)}/command`;
    case 'command-ack':
      return `${TOPIC_ROOT}/${base58Encode(topic.gateway)}/command/ack`;
    case 'oracle-status':
      return `${TOPIC_ROOT}/oracle/${base58Encode(topic.oracle)}/status`;
    case 'live':
      return `${TOPIC_ROOT}/live/${topic.zone}/${toHex(topic.meter)}`;
  }
}

function key(text: string | undefined): Uint8Array | null {
  try {
    const bytes = publicKeyFromBase58(text ?? '');
    return base58Encode(bytes) === text ? bytes : null;
  } catch {
    return null;
  }
}

function meter(text: string | undefined): Uint8Array | null {
  return text !== undefined && /^[0-9a-f]{32}$/.test(text) ? fromHex(text) : null;
}

/** Returns the topic in a text; null for every text that is not exactly one of the protocol's (wildcards included). */
export function parseTopic(text: string): Topic | null {
  if (text.length > MAX_TOPIC_CHARACTERS || !text.startsWith(`${TOPIC_ROOT}/`)) return null;
  const [first, ...rest] = text.slice(TOPIC_ROOT.length + 1).split('/');
  if (first === 'live') return parseLive(rest);
  if (first === 'oracle') {
    const oracle = key(rest[0]);
    return oracle && rest.length === 2 && rest[1] === 'status' ? { kind: 'oracle-status', oracle } : null;
  }
  const gateway = key(first);
  return gateway && parseOfGateway(gateway, rest);
}

function parseLive(rest: string[]): Topic | null {
  const id = meter(rest[1]);
  const zone = /^(0|[1-9][0-9]{0,4})$/.test(rest[0] ?? '') ? Number(rest[0]) : 65_536;
  return id && rest.length === 2 && zone <= 65_535 ? { kind: 'live', zone, meter: id } : null;
}

function parseOfGateway(gateway: Uint8Array, rest: string[]): Topic | null {
  if (rest.length === 1 && rest[0] === 'status') return { kind: 'gateway-status', gateway };
  if (rest.length === 1 && rest[0] === 'command') return { kind: 'command', gateway };
  if (rest.length !== 2) return null;
  if (rest[0] === 'command' && rest[1] === 'ack') return { kind: 'command-ack', gateway };
  if (rest[0] === 'ack') {
    const oracle = key(rest[1]);
    return oracle && { kind: 'ack', gateway, oracle };
  }
  const id = meter(rest[0]);
  const stream = STREAMS.find((name) => name === rest[1]);
  return id && stream ? { kind: 'stream', gateway, meter: id, stream } : null;
}

/** Returns the stream on which a live payload is published. An enrolment travels as backfill. */
export function liveStream(kind: number): Stream {
  if (kind === Kind.reading || kind === Kind.moreValues) return 'reading';
  return kind === Kind.statement ? 'window' : kind === Kind.event ? 'event' : 'backfill';
}

/** Returns the subscriptions of each party; the broker's list has each of them [wire §6.3]. */
export const subscriptions = {
  gateway: (gateway: Uint8Array): string[] => {
    const name = base58Encode(gateway);
    return [`${TOPIC_ROOT}/${name}/ack/+`, `${TOPIC_ROOT}/${name}/command`, `${TOPIC_ROOT}/oracle/+/status`];
  },
  oracle: (): string[] => [
    ...STREAMS.map((stream) => `${TOPIC_ROOT}/+/+/${stream}`),
    `${TOPIC_ROOT}/+/status`,
    `${TOPIC_ROOT}/+/command/ack`,
  ],
  operator: (): string[] => [`${TOPIC_ROOT}/live/#`, `${TOPIC_ROOT}/+/status`, `${TOPIC_ROOT}/+/command/ack`],
};
