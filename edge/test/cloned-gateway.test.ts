import { ed25519Signer, formatTopic } from '@gridtokenx/protocol';
import { BrokerLink, openSession, provedVerifier, systemClock, systemRandom } from '@gridtokenx/runtime/node';
import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { until } from '@gridtokenx/testing-kit/until';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BROKER, connect, endAll, type Fixture, optionsFor, startFixture } from '../../broker/test/harness.js';
import { openSpool } from '../src/adapters/spool/spool.js';
import { SendScheduler } from '../src/domain/delivery/send-scheduler.js';
import { Uplink } from '../src/domain/delivery/uplink.js';
import { SEGMENT_BYTES } from '../src/wiring/sizes.js';
import { METER_HEX, message } from './support/messages.js';

const gateway = ed25519Signer(new Uint8Array(32).fill(1));
const oracle = ed25519Signer(new Uint8Array(32).fill(2));
let fixture: Fixture;
const running: { stop(): Promise<void> }[] = [];
beforeEach(async () => {
  fixture = await startFixture();
  fixture.keys.set(gateway, 'gateway');
  fixture.keys.set(oracle, 'oracle');
});
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
  endAll();
  await fixture.close();
});

/** A gateway with the key of `gateway` and a spool of its own. Its connection has real time; its work has `time`. */
async function start() {
  const time = new VirtualClock();
  const { spool } = await openSpool(new CrashDisk(), '/spool', time, () => {}, SEGMENT_BYTES);
  const none = { acknowledged: () => 0n, excluded: () => false, lag: () => null };
  const outbox = new SendScheduler({ spool, meters: [METER_HEX], ...none });
  const own = { url: `mqtt://127.0.0.1:${fixture.port}`, broker: BROKER, signer: gateway };
  const uplink = new Uplink({
    ...{ gateway: gateway.publicKey, oracles: [oracle.publicKey], verifier: provedVerifier(), clock: time },
    ...{ log: quietLog, counters: { add: () => {} }, outbox, onAck: () => {}, onSubscribed: () => {} },
    openBroker: (task) =>
      new BrokerLink({ ...own, ...task, clock: systemClock, random: systemRandom, log: quietLog, open: openSession }),
    onOracleStatus: () => {},
    onDisconnected: () => {},
    status: () => ({ version: '1', problems: [] }),
  });
  const end = new AbortController();
  const done = uplink.run(end.signal);
  uplink.release();
  const write = async (seq: bigint) => {
    await spool.append([message(seq)]);
    outbox.committed(message(seq));
    uplink.poke();
  };
  const stop = async () => {
    end.abort();
    await time.advance(1_000);
    await done;
  };
  const started = { uplink, time, write, stop };
  running.push(started);
  await until('the first connect', () => uplink.online);
  return started;
}

/** Records the seqs that reach an oracle. */
async function listen(): Promise<bigint[]> {
  const client = await connect(fixture, optionsFor(oracle));
  const seqs: bigint[] = [];
  client.on('message', (_, payload) => {
    for (let at = 0; at < payload.length; at += 171) seqs.push(payload.readBigUInt64LE(at + 9 + 28));
  });
  await client.subscribeAsync(['gtx/v1/+/+/reading', 'gtx/v1/+/+/backfill'], { qos: 1 });
  return seqs;
}

describe('two gateways with one key on a real broker', () => {
  test('notice each other, and send nothing until one of them is gone', async () => {
    const heard = await listen();
    const first = await start();
    await first.write(1n);
    await until('the first message', () => heard.length > 0);
    const second = await start();
    await until('both notice', () => first.uplink.cloneProblem !== null && second.uplink.cloneProblem !== null);
    expect(first.uplink.cloneProblem).toContain('another gateway with this key is online');
    heard.length = 0;
    await first.write(2n);
    await second.write(2n);
    for (const one of [first, second]) {
      await until('a connection again', () => one.uplink.online);
      await one.time.advance(5_000);
    }
    expect(heard).toEqual([]);
    await second.stop();
    running.splice(running.indexOf(second), 1);
    await until('the first alone', () => first.uplink.online);
    await first.time.advance(660_000);
    await until('its messages', () => heard.includes(2n));
    expect(first.uplink.cloneProblem).toBeNull();
  }, 60_000);

  test('a restart of the same gateway is no other gateway', async () => {
    const heard = await listen();
    const first = await start();
    await first.write(1n);
    await until('the first message', () => heard.length > 0);
    await first.stop();
    running.pop();
    const again = await start();
    await again.write(2n);
    await until('the second message', () => heard.includes(2n));
    expect(again.uplink.cloneProblem).toBeNull();
  }, 60_000);

  test('a connection that breaks is no other gateway', async () => {
    const first = await start();
    fixture.keys.set(gateway, 'gateway', 'revoked');
    await until('the end of the session', () => !first.uplink.online);
    fixture.keys.set(gateway, 'gateway');
    await until('the next session', () => first.uplink.online);
    const topic = formatTopic({ kind: 'gateway-status', gateway: gateway.publicKey });
    const client = await connect(fixture, optionsFor(oracle));
    const statuses: string[] = [];
    client.on('message', (_, payload) => statuses.push(String(payload)));
    await client.subscribeAsync('gtx/v1/+/status', { qos: 1 });
    await until(`a status on ${topic}`, () => statuses.length > 0);
    expect(first.uplink.cloneProblem).toBeNull();
  }, 60_000);
});
