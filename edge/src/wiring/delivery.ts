import { Kind, type MeterId } from '@gridtokenx/protocol';
import { BrokerList, openSession, type PeerJudge } from '@gridtokenx/runtime/node';
import type { AckTracker } from '../domain/delivery/ack-tracker.js';
import type { AckWatch } from '../domain/delivery/ack-watch.js';
import { DeadLetters } from '../domain/delivery/dead-letters.js';
import { LagWatch } from '../domain/delivery/lag-watch.js';
import type { OraclePresence } from '../domain/delivery/oracle-presence.js';
import { SendScheduler } from '../domain/delivery/send-scheduler.js';
import { Uplink } from '../domain/delivery/uplink.js';
import type { Gateway } from '../domain/gateway.js';
import type { SignedMessage } from '../domain/signed-message.js';
import { Fate } from '../domain/signing/connection-point.js';
import { brokersOf, type GatewayConfig } from './config.js';
import type { GatewayHealth } from './health.js';
import { brokerDial } from './secure.js';
import type { SetUp } from './setup.js';
import { acksPath } from './states.js';
import { VERSION } from './version.js';
import type { World } from './world.js';

/** Tracks acknowledgements, and schedules what is sent next. */
export interface Delivery {
  readonly acks: AckTracker;
  readonly deadLetters: DeadLetters;
  readonly lags: LagWatch;
  readonly outbox: SendScheduler;
  readonly saveAcks: (text: string) => Promise<void>;
  /** Returns the oracles' decision on a message. */
  readonly fate: (meterId: MeterId, seq: bigint) => Fate;
}

/** Builds the delivery from the newest acks. */
export function openDelivery(config: GatewayConfig, found: SetUp, world: World): Delivery {
  const { spool, acks } = found;
  const journals = [...found.meters, ...found.points].map(({ config: { name }, journal, recovered }) => {
    return { id: journal.id, name, journal, recovered };
  });
  const meters = journals.map(({ id }) => id);
  const lags = new LagWatch(acks, meters, world.clock);
  const deadLetters = new DeadLetters({ ...world, journals, acks, spool, counters: world.metrics });
  const acknowledged = (meterId: MeterId) => acks.acknowledged(meterId);
  const excluded = (meterId: MeterId, seq: bigint) => deadLetters.excluded(meterId, seq);
  const outbox = new SendScheduler({ spool, meters, acknowledged, excluded, lag: (meterId) => lags.lag(meterId) });
  const fate = (meterId: MeterId, seq: bigint): Fate => {
    if (acknowledged(meterId) < seq) return Fate.open;
    return excluded(meterId, seq) ? Fate.refused : Fate.acknowledged;
  };
  const saveAcks = (text: string) => world.disk.replaceUnsynced(acksPath(config), Buffer.from(text));
  return { acks, deadLetters, lags, outbox, saveAcks, fate };
}

/** Queues a committed message for sending. An enrolment is sent as backfill, because it waits for the registry. */
export const sendCommitted = (outbox: SendScheduler, uplink: Uplink) => (message: SignedMessage) => {
  if (message.kind !== Kind.enrolment) outbox.committed(message);
  uplink.poke();
};

export interface UplinkParts {
  readonly found: SetUp;
  readonly world: World;
  readonly judge: PeerJudge;
  readonly outbox: SendScheduler;
  readonly gateway: Gateway;
  readonly ackWatch: AckWatch;
  readonly presence: OraclePresence;
  readonly health: GatewayHealth;
}

/** Builds the uplink to the broker, under the gateway's own name. */
export function uplinkOf(config: GatewayConfig, parts: UplinkParts): Uplink {
  const { found, world, judge, outbox, gateway, ackWatch, presence, health } = parts;
  const { name } = config;
  const { correctedClock: clock, random, log } = world;
  const brokers = brokersOf(config).map((one) => ({ url: one.url, broker: one.name, dial: brokerDial(one, judge) }));
  return new Uplink({
    ...world,
    clock,
    gateway: found.gateway.publicKey,
    oracles: config.oracles.map(({ key }) => key),
    openBroker: (task) =>
      new BrokerList({ brokers, signer: found.gateway, ...task, clock, random, log, open: openSession }),
    counters: world.metrics,
    outbox,
    status: (isOnline) => ({
      version: VERSION,
      name,
      spoolDepth: gateway.spoolDepth(),
      clockSynchronised: gateway.isSynchronised,
      problems: health.problems(isOnline).map((text) => text.slice(0, 200)),
    }),
    onAck: (oracle, ack) => {
      ackWatch.heard();
      gateway.onAck(oracle, ack);
    },
    onOracleStatus: (oracle, isOnline) => presence.heard(oracle, isOnline),
    onDisconnected: () => presence.disconnected(),
    onSubscribed: () => gateway.onSubscribed(),
  });
}
