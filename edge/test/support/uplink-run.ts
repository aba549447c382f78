import { type Ack, ed25519Signer } from '@gridtokenx/protocol';
import type { Logger } from '@gridtokenx/runtime/core';
import { BrokerLink, type MqttSession, provedVerifier, type SessionOptions } from '@gridtokenx/runtime/node';
import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { settle, VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { openSpool } from '../../src/adapters/spool/spool.js';
import { SendScheduler } from '../../src/domain/delivery/send-scheduler.js';
import { Uplink } from '../../src/domain/delivery/uplink.js';
import { SEGMENT_BYTES } from '../../src/wiring/sizes.js';
import { METER_HEX, message } from './messages.js';

export const verifier = provedVerifier();
export const gateway = ed25519Signer(new Uint8Array(32).fill(1));
export const oracle = ed25519Signer(new Uint8Array(32).fill(2));

export interface FakeSession {
  readonly options: SessionOptions;
  readonly published: { topic: string; payload: Buffer; retain: boolean; puback: () => void }[];
  readonly subscribed: string[];
  deliver: (topic: string, payload: Uint8Array) => void;
  end: (reason: string) => void;
  aborted: boolean;
  closed: boolean;
}

/** Runs an uplink of one meter on a virtual clock, with sessions that the test plays. */
export async function setUp(autoPuback = true, log: Logger = quietLog) {
  const time = new VirtualClock();
  const { spool } = await openSpool(new CrashDisk(), '/spool', time, () => {}, SEGMENT_BYTES);
  const sessions: FakeSession[] = [];
  const state = {
    refuse: null as string | null,
    refused: null as string | null,
    acknowledged: 0n,
    autoPuback,
    isSynchronised: true,
  };
  const open = sessionsOf(state, sessions);
  const outbox = new SendScheduler({
    spool,
    meters: [METER_HEX],
    acknowledged: () => state.acknowledged,
    excluded: () => false,
    lag: () => null,
  });
  const counts = new Map<string, number>();
  const acks: Ack[] = [];
  const oracles: [string, boolean][] = [];
  let subscribed = 0;
  const uplink = new Uplink({
    gateway: gateway.publicKey,
    oracles: [oracle.publicKey],
    openBroker: (task) =>
      new BrokerLink({
        ...task,
        ...{ url: 'mqtt://broker', broker: 'broker-name', signer: gateway, clock: time, log, open },
        random: { bytes: (length) => new Uint8Array(length).fill(sessions.length), fraction: () => 0.999 },
      }),
    verifier,
    clock: time,
    log,
    counters: { add: (name, _labels, by = 1) => void counts.set(name, (counts.get(name) ?? 0) + by) },
    outbox,
    status: (isOnline) => ({
      version: '1',
      name: 'home',
      clockSynchronised: state.isSynchronised,
      problems: isOnline ? ['slow'] : [],
    }),
    onAck: (_oracle, ack) => acks.push(ack),
    onOracleStatus: (key, isOnline) => oracles.push([key, isOnline]),
    onDisconnected: () => {},
    onSubscribed: () => {
      subscribed++;
    },
  });
  const stop = new AbortController();
  const done = uplink.run(stop.signal);
  await settle();
  const write = async (...seqs: bigint[]) => {
    await spool.append(seqs.map((seq) => message(seq)));
    for (const seq of seqs) outbox.committed(message(seq));
    uplink.poke();
    await settle();
  };
  const end = async () => {
    stop.abort();
    await time.advance(20_000);
    await done;
  };
  return { time, sessions, state, uplink, counts, acks, oracles, write, end, subscribed: () => subscribed };
}

interface BrokerState {
  refuse: string | null;
  /** End of the topics on which the broker accepts nothing. */
  refused: string | null;
  autoPuback: boolean;
}

/** Builds the function that opens sessions, which the test plays. */
function sessionsOf(
  state: BrokerState,
  sessions: FakeSession[],
): (url: string, options: SessionOptions) => Promise<MqttSession> {
  return async (_url, options) => {
    if (state.refuse) throw new Error(state.refuse);
    const session: FakeSession = {
      options,
      published: [],
      subscribed: [],
      deliver: options.onMessage,
      end: () => {},
      aborted: false,
      closed: false,
    };
    const ended = new Promise<string>((resolve) => {
      session.end = resolve;
    });
    sessions.push(session);
    return {
      ended,
      subscribe: async (topics) => void session.subscribed.push(...topics),
      publish: (topic, payload, { retain }) =>
        new Promise((resolve, reject) => {
          session.published.push({ topic, payload: Buffer.from(payload as Uint8Array), retain, puback: resolve });
          if (state.refused !== null && topic.endsWith(state.refused)) reject(new Error('not taken'));
          if (state.autoPuback) resolve();
          void ended.then((why) => reject(new Error(why)));
        }),
      close: async () => {
        session.closed = true;
        session.end('closed');
      },
      abort: () => {
        session.aborted = true;
        session.end('aborted');
      },
    };
  };
}
