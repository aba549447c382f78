import { base58Encode } from '@gridtokenx/protocol';
import type { Attack, AttackParts } from './target.js';
import { connectPacket, dial, ended, nameOf, packet, publishPacket, signIn, subscribePacket } from './wire.js';

const PAUSE_MS = 5;
/** Stops waiting for an answer or an end after this time, in ms. */
const PATIENCE_MS = 300;

type Refusal = (parts: AttackParts) => Promise<void>;

/** Writes to a listener as a stranger, and waits for the end. */
async function stranger(url: string, bytes: Uint8Array | string): Promise<void> {
  const socket = await dial(url);
  if (!socket) return;
  socket.write(bytes);
  await ended(socket, PATIENCE_MS);
  socket.destroy();
}

/** Writes to the broker as the hostile gateway, and waits for the end. */
async function home(parts: AttackParts, bytes: Uint8Array): Promise<void> {
  const socket = await signIn(parts);
  if (!socket) return;
  socket.write(bytes);
  await ended(socket, PATIENCE_MS);
  socket.destroy();
}

const http = (request: string) => `${request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`;

/** Each of these is refused, and would write its own line in an unbounded log. */
const REFUSALS: readonly Refusal[] = [
  (parts) => stranger(parts.urls.mqtt, connectPacket(nameOf(parts), nameOf(parts), parts.random(180))),
  (parts) => {
    const name = base58Encode(parts.random(32));
    return stranger(parts.urls.mqtt, connectPacket(name, name, parts.random(180)));
  },
  (parts) => stranger(parts.urls.mqtt, parts.random(200)),
  (parts) => stranger(parts.urls.mqtt, Buffer.of(0x10, 0xff, 0xff, 0xff, 0x7f)),
  (parts) => stranger(parts.urls.service, http(`POST /${'x'.repeat(4_000)}`)),
  (parts) => stranger(parts.urls.service, http('GET //')),
  (parts) =>
    stranger(
      parts.urls.service,
      'POST /cosign HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc',
    ),
  (parts) => stranger(parts.urls.page, http('GET /api/v1/settlements?after=x')),
  (parts) => stranger(parts.urls.page, parts.random(100)),
  (parts) => home(parts, publishPacket(`gtx/v1/${base58Encode(parts.keys.neighbour)}/status`, Buffer.of(1), true)),
  (parts) => home(parts, publishPacket('a'.repeat(5_000), Buffer.of(1))),
  (parts) => home(parts, subscribePacket(Array.from({ length: 3_000 }, (_, i) => `${i}/#`))),
  (parts) => home(parts, packet(0xf0, parts.random(50))),
  (parts) => home(parts, publishPacket(`gtx/v1/${nameOf(parts)}/${'00'.repeat(16)}/reading`, parts.random(171))),
];

/** Provokes refusals of every kind, as often as it can. */
export const logFlood: Attack = async (parts) => {
  const { clock, deadline } = parts;
  let refusals = 0;
  for (; clock.now() < deadline; refusals++) {
    await REFUSALS[refusals % REFUSALS.length]?.(parts);
    await clock.sleep(PAUSE_MS);
  }
  return { refusals };
};
