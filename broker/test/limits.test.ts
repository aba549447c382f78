import type { Readable } from 'node:stream';
import { until } from '@gridtokenx/testing-kit/until';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { afterEach, describe, expect, it } from 'vitest';
import { enrol, gateway, neighbour, neighbourReading, oracle, reading } from './cast.js';
import { closed, connect, endAll, type Fixture, nextMessage, optionsFor, startFixture } from './harness.js';

let fixture: Fixture;
afterEach(async () => {
  endAll();
  await fixture.close();
});

describe('limits', () => {
  it('takes a packet of the limit and closes at one byte more, before its body', async () => {
    fixture = await startFixture({ limits: { packetBytes: 65_536 } });
    enrol(fixture);
    const sender = await connect(fixture, optionsFor(gateway));
    // 1 type + 3 length + 2 topic length + topic + 2 message id
    const overhead = 8 + reading.length;
    await sender.publishAsync(reading, Buffer.alloc(65_536 - overhead), { qos: 1 });
    const ended = closed(sender);
    sender.publish(reading, Buffer.alloc(65_537 - overhead), { qos: 1 });
    await ended;
    expect(await fixture.figure('gtx_broker_refused_total', { reason: 'oversize_packet' })).toBe(1);
    expect(await fixture.figure('gtx_broker_published_total')).toBe(1);
  });

  it('lets a flood wait without losing any of it, and serves the others meanwhile', async () => {
    const clock = new VirtualClock({ startAtMs: Date.now() });
    fixture = await startFixture({ clock, limits: { messagesPerSecond: 1_000, messageBurst: 100 } });
    enrol(fixture);
    const nowMs = clock.nowMs();
    const reader = await connect(fixture, optionsFor(oracle, { nowMs }));
    await reader.subscribeAsync('gtx/v1/+/+/reading', { qos: 1 });
    let flood = 0;
    reader.on('message', (topic) => {
      if (topic === reading) flood++;
    });
    const sender = await connect(fixture, optionsFor(gateway, { nowMs }));
    const total = 6_000;
    sender.stream.setMaxListeners(0);
    const body = Buffer.alloc(100);
    const sent = Promise.all(Array.from({ length: total }, () => sender.publishAsync(reading, body, { qos: 0 })));
    await until('the flood waits', async () => (await fixture.figure('gtx_broker_throttled_total')) > 0);
    const held = flood;
    expect(held).toBeLessThan(total);
    const other = await connect(fixture, optionsFor(neighbour, { nowMs }));
    const arrived = nextMessage(reader);
    const topic = neighbourReading;
    await other.publishAsync(topic, body, { qos: 1 });
    await arrived;
    // The clock stands still, so the flood must not have moved on by more than what had been read.
    expect(flood).toBeLessThan(total / 2);
    await until(
      'all of the flood arrives',
      () => {
        clock.advanceNow(1_000);
        return flood === total;
      },
      50_000,
    );
    await sent;
  });

  it('drops a subscriber that takes nothing, so that publishers go on', async () => {
    fixture = await startFixture({ limits: { drainSeconds: 1, inFlight: 16, bytesPerSecond: 1e9 } });
    enrol(fixture);
    const stuck = await connect(fixture, optionsFor(oracle));
    await stuck.subscribeAsync('gtx/v1/+/+/reading', { qos: 0 });
    const ended = closed(stuck);
    (stuck.stream as unknown as Readable).pause();
    const sender = await connect(fixture, optionsFor(gateway));
    const body = Buffer.alloc(34_200);
    // More than the buffers of both ends hold: without the rule these would wait for ever, or pile up.
    const sent = Promise.all(Array.from({ length: 500 }, () => sender.publishAsync(reading, body, { qos: 1 })));
    await until(
      'the broker holds the sender back',
      async () => (await fixture.figure('gtx_broker_published_total')) > 0,
    );
    await sent;
    stuck.stream.destroy();
    await ended;
    await until('all is distributed', async () => (await fixture.figure('gtx_broker_published_total')) === 500);
    expect(fixture.lines.filter((line) => /drain timeout/.test(String(line.fields.err))).length).toBe(1);
  });

  it('closes connections beyond the number it takes', async () => {
    fixture = await startFixture({ limits: { connections: 1 } });
    enrol(fixture);
    await connect(fixture, optionsFor(gateway));
    await expect(connect(fixture, optionsFor(neighbour))).rejects.toThrow();
    expect(await fixture.figure('gtx_broker_refused_total', { reason: 'too_many_connections' })).toBe(1);
  });

  it('keeps nothing for a client that is away', async () => {
    fixture = await startFixture();
    enrol(fixture);
    const reader = await connect(fixture, optionsFor(oracle, { clean: false }));
    await reader.subscribeAsync('gtx/v1/+/+/reading', { qos: 1 });
    await reader.endAsync();
    const sender = await connect(fixture, optionsFor(gateway));
    await sender.publishAsync(reading, Buffer.from('lost'), { qos: 1 });
    const again = await connect(fixture, optionsFor(oracle, { clean: false }));
    const seen = nextMessage(again);
    await again.subscribeAsync('gtx/v1/+/+/reading', { qos: 1 });
    await sender.publishAsync(reading, Buffer.from('new'), { qos: 1 });
    expect((await seen).payload.toString()).toBe('new');
  });
});
