import {
  type Ack,
  asPublicKeyText,
  base58Encode,
  ed25519Signer,
  formatTopic,
  openToken,
  signAck,
} from '@gridtokenx/protocol';
import { settle } from '@gridtokenx/testing-kit/virtual-clock';
import { describe, expect, test } from 'vitest';
import { METER_HEX, message } from './support/messages.js';
import { gateway, oracle, setUp, verifier } from './support/uplink-run.js';

const stranger = ed25519Signer(new Uint8Array(32).fill(3));

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
    expect(session.subscribed).toEqual([
      `gtx/v1/${name}/ack/+`,
      `gtx/v1/${name}/command`,
      'gtx/v1/oracle/+/status',
      statusTopic,
    ]);
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

  test('states since when it stands: the will for ever, the status and the farewell with the time of the text', async () => {
    const run = await setUp();
    const startMs = run.time.nowMs();
    const said = (text?: Buffer | string) => JSON.parse(text?.toString() ?? '') as Record<string, unknown>;
    const [session] = run.sessions;
    expect(said(session?.options.will?.payload)).toMatchObject({ sinceMs: startMs, statedMs: startMs });
    await run.time.advance(30_000);
    expect(said(session?.published.at(-1)?.payload)).toMatchObject({
      online: true,
      sinceMs: startMs,
      statedMs: startMs + 30_000,
    });
    session?.end('gone');
    await run.time.advance(10_000);
    const second = said(run.sessions[1]?.options.will?.payload);
    expect(second).toMatchObject({ sinceMs: startMs + 30_250, statedMs: startMs + 30_250 });
    run.state.isSynchronised = false;
    await run.time.advance(30_000);
    expect(Object.keys(said(run.sessions[1]?.published.at(-1)?.payload))).not.toContain('sinceMs');
    run.state.isSynchronised = true;
    const endMs = run.time.nowMs();
    await run.end();
    expect(said(run.sessions[1]?.published.at(-1)?.payload)).toMatchObject({
      online: false,
      sinceMs: startMs + 30_250,
      statedMs: endMs,
    });
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

  test('has 32 packets on the way, and is given up when the broker does not answer', async () => {
    const run = await setUp();
    run.uplink.release();
    await settle();
    run.state.autoPuback = false;
    for (let seq = 1n; seq <= 40n; seq++) await run.write(seq);
    const sent = run.sessions[0]?.published.filter(({ topic }) => topic !== statusTopic) ?? [];
    expect(sent).toHaveLength(32);
    sent[0]?.puback();
    await settle();
    // The eight that waited go together.
    const next = run.sessions[0]?.published.filter(({ topic }) => topic !== statusTopic) ?? [];
    expect([next.length, next[32]?.payload.length]).toEqual([33, 8 * message(1n).bytes.length]);
    run.state.autoPuback = true;
    await run.time.advance(16_000);
    expect(run.sessions[0]?.aborted).toBe(true);
    // The next session sends everything beyond the watermark again: a PUBACK deletes nothing.
    const again = run.sessions[1]?.published.filter(({ topic }) => topic === topicOf('backfill')) ?? [];
    expect(again[0]?.payload).toEqual(
      Buffer.concat(Array.from({ length: 40 }, (_, i) => message(BigInt(i + 1)).bytes)),
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

describe("an oracle's status", () => {
  test('is heard where it is one, and changes nothing of what is acknowledged', async () => {
    const run = await setUp();
    const topic = formatTopic({ kind: 'oracle-status', oracle: oracle.publicKey });
    const hostile = ['', 'null', '[]', '1', '{', '{"online":1}', '{}', `{"online":false,"x":"${'y'.repeat(8_192)}"}`];
    for (const text of [...hostile, '{"online":false,"more":1}', '{"online":true}'])
      run.sessions[0]?.deliver(topic, Buffer.from(text));
    const name = base58Encode(oracle.publicKey);
    expect(run.oracles).toEqual([
      [name, false],
      [name, true],
    ]);
    expect([run.acks.length, run.counts.get('acks_ignored')]).toEqual([0, undefined]);
    await run.end();
  });
});
