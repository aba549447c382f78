import { createHash } from 'node:crypto';
import {
  base58Encode,
  ed25519Signer,
  formatTopic,
  fromHex,
  meterId,
  networkId,
  pointId,
  sha256,
  subscriptions,
  type Topic,
  toHex,
} from '../../src/index.js';
import { hex } from './names.js';
import { messageCases, seedOf } from './payloads.js';

const text = new TextEncoder();

export function sequenceCases(): object[] {
  const messages = messageCases().map((entry) => (entry as { message: string }).message);
  const one = messages[0] ?? '';
  return [
    { name: 'one message', packet: one, messages: [one] },
    { name: 'all kinds', packet: messages.join(''), messages },
    { name: '200 messages', packet: one.repeat(200), messages: Array.from({ length: 200 }, () => one) },
  ];
}

/** RFC 6962, section 2.1, word for word and with another hash implementation: the split is the largest power of two below n. */
export function naiveRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const h = (...parts: Uint8Array[]) => Uint8Array.from(createHash('sha256').update(Buffer.concat(parts)).digest());
  const [first] = leaves;
  if (!first) return h();
  if (leaves.length === 1) return h(Uint8Array.of(0), first);
  let k = 1;
  while (2 * k < leaves.length) k *= 2;
  return h(Uint8Array.of(1), naiveRoot(leaves.slice(0, k)), naiveRoot(leaves.slice(k)));
}

export function merkleCases(): object[] {
  return Array.from({ length: 18 }, (_, count) => {
    // The empty leaf, one byte, and payload-sized leaves: a tree accepts any bytes.
    const leaves = Array.from({ length: count }, (_, i) => {
      const length = [96, 0, 1, 96, 32][i % 5] ?? 96;
      const blocks = [0, 1, 2].map((block) => sha256(text.encode(`leaf ${i} ${block}`)));
      return Uint8Array.from(Buffer.concat(blocks)).slice(0, length);
    });
    return { name: `${count} leaves`, leaves: leaves.map(toHex), root: toHex(naiveRoot(leaves)) };
  });
}

export function identityCases(): object {
  const salt = hex('salt', 16);
  const names: [string, string, string, string][] = [
    ['plain', 'Eastron', 'SDM630-Modbus V2', '20240012345'],
    ['spaces around are trimmed', '  Eastron ', '\tSDM630-Modbus V2\n', ' 20240012345 '],
    ['composed', 'Zähler', 'é', '1'],
    ['decomposed, the same id as composed', 'Za\u0308hler', 'e\u0301', '1'],
    ['Thai', 'มิเตอร์', 'รุ่น ๑', '๐๑'],
    ['empty names', '', '', ''],
    ['a zero byte would move the border', 'a', 'bc', 'd'],
    ['the border elsewhere', 'ab', 'c', 'd'],
  ];
  const zone = (name: string) => fromHex(hex(name, 16));
  return {
    meter_ids: names.map(([name, manufacturer, model, serial]) => ({
      name,
      salt,
      manufacturer,
      model,
      serial,
      meter_id: toHex(meterId({ salt: fromHex(salt), manufacturer, model, serial })),
    })),
    invalid_names: [
      { name: 'zero byte in the model', salt, manufacturer: 'a', model: 'b\0c', serial: 'd' },
      { name: 'salt of 15 bytes', salt: salt.slice(2), manufacturer: 'a', model: 'b', serial: 'c' },
    ],
    point_ids: [
      ['a', 'b'],
      ['b', 'a'],
    ].map(([p, c]) => ({
      production_id: hex(p ?? '', 16),
      consumption_id: hex(c ?? '', 16),
      point_id: toHex(pointId(zone(p ?? ''), zone(c ?? ''))),
    })),
    network_ids: ['first', 'second'].map((name) => ({
      genesis_hash: hex(`${name} genesis`, 32),
      oracle_program: hex(`${name} program`, 32),
      salt: hex(`${name} salt`, 16),
      network_id: toHex(
        networkId(
          fromHex(hex(`${name} genesis`, 32)),
          fromHex(hex(`${name} program`, 32)),
          fromHex(hex(`${name} salt`, 16)),
        ),
      ),
    })),
  };
}

export function topicCases(): object {
  const gateway = ed25519Signer(seedOf('gateway')).publicKey;
  const oracle = ed25519Signer(seedOf('oracle')).publicKey;
  const meter = fromHex(hex('meter', 16));
  const topics: Topic[] = [
    ...(['reading', 'window', 'event', 'backfill'] as const).map(
      (stream): Topic => ({ kind: 'stream', gateway, meter, stream }),
    ),
    { kind: 'gateway-status', gateway },
    { kind: 'ack', gateway, oracle },
    { kind: 'command', gateway },
    { kind: 'command-ack', gateway },
    { kind: 'oracle-status', oracle },
    { kind: 'live', zone: 0, meter },
    { kind: 'live', zone: 65_535, meter },
    // A key whose text is short: leading zero bytes are written as 1.
    { kind: 'gateway-status', gateway: new Uint8Array(32) },
    { kind: 'gateway-status', gateway: new Uint8Array(32).fill(255) },
  ];
  const shown = (value: unknown) => (value instanceof Uint8Array ? toHex(value) : value);
  const g = base58Encode(gateway);
  const o = base58Encode(oracle);
  const m = toHex(meter);
  return {
    valid: topics.map((topic) => ({
      topic: formatTopic(topic),
      ...Object.fromEntries(Object.entries(topic).map(([name, value]) => [name, shown(value)])),
    })),
    invalid: [
      '',
      'gtx/v1',
      'gtx/v1/',
      '/gtx/v1/live/1/x',
      'gtx/v2/live/1/00000000000000000000000000000000',
      `gtx/v1/${g}`,
      `gtx/v1/${g}/`,
      `gtx/v1/${g}/${m}`,
      `gtx/v1/${g}/${m}/Reading`,
      `gtx/v1/${g}/${m}/reading/`,
      `gtx/v1/${g}/${m}/reading/x`,
      `gtx/v1/${g}/${m.toUpperCase()}/reading`,
      `gtx/v1/${g}/${m.slice(1)}/reading`,
      `gtx/v1/${g.slice(4)}/${m}/reading`,
      `gtx/v1/${g}1/${m}/reading`,
      `gtx/v1/1${g}/${m}/reading`,
      `gtx/v1/0${g.slice(1)}/status`,
      `gtx/v1/+/${m}/reading`,
      `gtx/v1/${g}/+/reading`,
      `gtx/v1/${g}/#`,
      `gtx/v1/${g}/ack`,
      `gtx/v1/${g}/ack/+`,
      `gtx/v1/${g}/ack/${o}/x`,
      `gtx/v1/${g}/command/`,
      `gtx/v1/${g}/command/nack`,
      `gtx/v1/oracle/${o}`,
      `gtx/v1/oracle/${o}/state`,
      `gtx/v1/live/01/${m}`,
      `gtx/v1/live/65536/${m}`,
      `gtx/v1/live/-1/${m}`,
      `gtx/v1/live//${m}`,
      `gtx/v1/live/1/${m} `,
      'x'.repeat(161),
    ],
    subscriptions: {
      gateway: { key: toHex(gateway), filters: subscriptions.gateway(gateway) },
      oracle: { filters: subscriptions.oracle() },
      operator: { filters: subscriptions.operator() },
    },
  };
}
