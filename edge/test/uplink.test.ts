import {
  type Ack,
  asPublicKeyText,
  base58Encode,
  ed25519Signer,
  formatTopic,
  openToken,
  signAck,
} from '@gridtokenx/protocol';
import { BrokerLink, type MqttSession, provedVerifier, type SessionOptions } from '@gridtokenx/runtime/node';
import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { settle, VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { describe, expect, test } from 'vitest';
import { openSpool } from '../src/adapters/spool/spool.js';
import { SendScheduler } from '../src/domain/delivery/send-scheduler.js';
import { Uplink } from '../src/domain/delivery/uplink.js';
import { SEGMENT_BYTES } from '../src/wiring/sizes.js';
import { METER_HEX, message } from './support/messages.js';

const verifier = provedVerifier();
const gateway = ed25519Signer(new Uint8Array(32).fill(1));
const oracle = ed25519Signer(new Uint8Array(32).fill(2));
const stranger = ed25519Signer(new Uint8Array(32).fill(3));

interface FakeSession {
  readonly options: SessionOptions;
  readonly published: { topic: string; payload: Buffer; retain: boolean; puback: () => void }[];
  readonly subscribed: string[];
  deliver: (topic: string, payload: Uint8Array) => void;
  end: (reason: string) => void;
  aborted: boolean;
  closed: boolean;
}

async function setUp(autoPuback = true) {
  const time = new VirtualClock();
  const { spool } = await openSpool(new CrashDisk(), '/spool', time, () => {}, SEGMENT_BYTES);
  const sessions: FakeSession[] = [];
  const state = { refuse: null as string | null, acknowledged: 0n, autoPuback };
  const open = async (_url: string, options: SessionOptions): Promise<MqttSession> => {
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
  const outbox = new SendScheduler({
    spool,
    meters: [METER_HEX],
    acknowledged: () => state.acknowledged,
    excluded: () => false,
    lag: () => null,
  });
  const counts = new Map<string, number>();
  const acks: Ack[] = [];
  let subscribed = 0;
  const uplink = new Uplink({
    gateway: gateway.publicKey,
    oracles: [oracle.publicKey],
    openBroker: (task) =>
      new BrokerLink({
        ...task,
        ...{ url: 'mqtt://broker', broker: 'broker-name', signer: gateway, clock: time, log: quietLog, open },
        random: { bytes: (length) => new Uint8Array(length).fill(sessions.length), fraction: () => 0.999 },
      }),
    verifier,
    clock: time,
    log: quietLog,
    counters: { add: (name, _labels, by = 1) => void counts.set(name, (counts.get(name) ?? 0) + by) },
    outbox,
    status: (isOnline) => ({ version: '1', name: 'home', problems: isOnline ? ['slow'] : [] }),
    onAck: (_oracle, ack) => acks.push(ack),
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
  return { time, sessions, state, uplink, counts, acks, write, end, subscribed: () => subscribed };
}

const topicOf = (kind: 'reading' | 'backfill') =>
  formatTopic({ kind: 'stream', gateway: gateway.publicKey, meter: Buffer.from(METER_HEX, 'hex'), stream: kind });
const statusTopic = formatTopic({ kind: 'gateway-status', gateway: gateway.publicKey });
const ackTopic = (key: Uint8Array) => formatTopic({ kind: 'ack', gateway: gateway.publicKey, oracle: key });
const ack = (change: Partial<Ack> = {}): Ack => ({
  ledgerId: new Uint8Array(16),
  timeMs: 1,
  gateway: gateway.publicKey,
  meters: new Map(),
  refused: [],
  ...change,
});

describe('a session', () => {
  test('signs in with a new token, leaves a will, subscribes to its own topics only, and says that it is there', async () => {
    const run = await setUp();
    const [session] = run.sessions;
    if (!session) throw new Error('no session');
    const { clientId, username, password, will } = session.options;
    const name = base58Encode(gateway.publicKey);
    expect([clientId, username]).toEqual([name, name]);
    const expected = { broker: 'broker-name', clientId: name, nowSeconds: run.time.nowMs() / 1000, leewaySeconds: 0 };
    const token = openToken(password, gateway.publicKey, verifier, expected);
    expect(session.subscribed).toEqual([`gtx/v1/${name}/ack/+`, `gtx/v1/${name}/command`]);
    const [status] = session.published;
    expect(will?.topic).toBe(statusTopic);
    expect(status).toMatchObject({ topic: statusTopic, retain: true });
    const said = JSON.parse(status?.payload.toString() ?? '');
    expect(said).toMatchObject({ online: true, name: 'home' });
    expect(said.problems).toEqual(['slow']);
    expect(JSON.parse(will?.payload ?? '')).toMatchObject({ online: false, session: said.session, problems: [] });
    expect(run.subscribed()).toBe(1);
    session.end('gone');
    await run.time.advance(1_000);
    expect(run.sessions).toHaveLength(2);
    const second = openToken(run.sessions[1]?.options.password ?? new Uint8Array(), gateway.publicKey, verifier, {
      ...expected,
      nowSeconds: run.time.nowMs() / 1000,
    });
    expect(Buffer.from(second.nonce)).not.toEqual(Buffer.from(token.nonce));
    await run.end();
    expect(JSON.parse(run.sessions[1]?.published.at(-1)?.payload.toString() ?? '')).toMatchObject({ online: false });
    expect(run.sessions[1]?.closed).toBe(true);
  });

  test('is sought again with back-off, without an end', async () => {
    const run = await setUp();
    run.state.refuse = 'Connection refused: Not authorized';
    run.sessions[0]?.end('gone');
    await run.time.advance(10_000);
    expect(run.uplink.problem).toContain('Not authorized');
    // 250, 500, 1000, 2000, 4000 ms: five waits fit into ten seconds.
    expect(run.counts.get('connect_errors')).toBe(5);
    run.state.refuse = null;
    await run.time.advance(10_000);
    expect(run.uplink.online).toBe(true);
    expect(run.uplink.problem).toBeNull();
    await run.end();
  });

  test('sends nothing before it is released, then the spool as backfill and new messages live', async () => {
    const run = await setUp();
    await run.write(1n, 2n);
    const sent = () => run.sessions[0]?.published.filter(({ topic }) => topic !== statusTopic) ?? [];
    expect(sent()).toEqual([]);
    run.uplink.release();
    await settle();
    expect(sent().map(({ topic, payload }) => [topic, payload.length])).toEqual([[topicOf('backfill'), 2 * 171]]);
    await run.write(3n);
    expect(sent().at(-1)).toMatchObject({
      topic: topicOf('reading'),
      payload: Buffer.from(message(3n).bytes),
      retain: false,
    });
    await run.end();
  });

  test('has few packets on the way, and is given up when the broker does not answer', async () => {
    const run = await setUp();
    run.uplink.release();
    await settle();
    run.state.autoPuback = false;
    for (let seq = 1n; seq <= 20n; seq++) await run.write(seq);
    const sent = run.sessions[0]?.published.filter(({ topic }) => topic !== statusTopic) ?? [];
    expect(sent).toHaveLength(8);
    sent[0]?.puback();
    await settle();
    expect(run.sessions[0]?.published.filter(({ topic }) => topic !== statusTopic)).toHaveLength(9);
    run.state.autoPuback = true;
    await run.time.advance(16_000);
    expect(run.sessions[0]?.aborted).toBe(true);
    // The next session sends everything beyond the watermark again: a PUBACK deletes nothing.
    const again = run.sessions[1]?.published.filter(({ topic }) => topic === topicOf('backfill')) ?? [];
    expect(again[0]?.payload).toEqual(
      Buffer.concat(Array.from({ length: 20 }, (_, i) => message(BigInt(i + 1)).bytes)),
    );
    await run.end();
  });
});

describe('an ack', () => {
  test('counts only when a configured oracle signed it for this gateway', async () => {
    const run = await setUp();
    const deliver = (topic: string, payload: Uint8Array) => run.sessions[0]?.deliver(topic, payload);
    const good = signAck(ack(), oracle);
    const damaged = good.slice();
    damaged[40] = (damaged[40] ?? 0) ^ 1;
    deliver(ackTopic(stranger.publicKey), signAck(ack(), stranger));
    deliver(ackTopic(oracle.publicKey), signAck(ack(), stranger));
    deliver(ackTopic(oracle.publicKey), signAck(ack({ gateway: stranger.publicKey }), oracle));
    deliver(ackTopic(oracle.publicKey), damaged);
    deliver(ackTopic(oracle.publicKey), new Uint8Array(0));
    expect([run.acks.length, run.counts.get('acks_ignored')]).toEqual([0, 5]);
    // Only the stranger's own signature proves that it answers here.
    expect(run.uplink.strangers).toEqual([asPublicKeyText(stranger.publicKey)]);
    deliver('gtx/v1/nonsense', good);
    deliver(ackTopic(oracle.publicKey), good);
    expect([run.acks.length, run.counts.get('acks_ignored')]).toEqual([1, 5]);
    await run.end();
  });
});
