import { type Ack, concatBytes, formatTopic, fromHex, openAck } from '@gridtokenx/protocol';
import { GATEWAY, verifier } from '@gridtokenx/testing-kit/oracle/ledger';
import type { Signed } from '@gridtokenx/testing-kit/signed-journal';
import mqtt, { type MqttClient } from 'mqtt';
import { Condition, ORACLE_KEY } from './process.js';

/** A test gateway: sends packets and remembers acks. */
export class TestGateway {
  readonly acks: Ack[] = [];
  readonly other: { topic: string; payload: string }[] = [];
  readonly changed = new Condition();
  readonly #client: MqttClient;

  private constructor(client: MqttClient) {
    this.#client = client;
  }

  static async connect(url: string): Promise<TestGateway> {
    const client = await mqtt.connectAsync(url, { protocolVersion: 4, reconnectPeriod: 50 });
    const gateway = new TestGateway(client);
    client.on('message', (topic, payload) => gateway.#received(topic, payload));
    await client.subscribeAsync(
      [formatTopic({ kind: 'ack', gateway: GATEWAY, oracle: ORACLE_KEY }), 'gtx/v1/live/#', 'gtx/v1/oracle/#'],
      { qos: 1 },
    );
    return gateway;
  }

  #received(topic: string, payload: Buffer): void {
    if (topic.includes('/ack/')) this.acks.push(openAck(new Uint8Array(payload), ORACLE_KEY, verifier));
    else this.other.push({ topic, payload: payload.toString() });
    this.changed.poke();
  }

  /** Sends messages as backfill, `size` in a packet, without waiting. */
  send(meterId: string, messages: readonly Signed[], size = 20): void {
    for (let at = 0; at < messages.length; at += size) {
      this.sendRaw(meterId, concatBytes(...messages.slice(at, at + size).map((m) => m.message)));
    }
  }

  sendRaw(meterId: string, bytes: Uint8Array, stream: 'backfill' | 'reading' = 'backfill'): void {
    const topic = formatTopic({ kind: 'stream', gateway: GATEWAY, meter: fromHex(meterId), stream });
    this.#client.publish(topic, Buffer.from(bytes), { qos: 1 });
  }

  status(fields: object): void {
    const topic = formatTopic({ kind: 'gateway-status', gateway: GATEWAY });
    this.#client.publish(topic, JSON.stringify({ online: true, session: 's', version: '1', ...fields }), {
      qos: 1,
      retain: true,
    });
  }

  storedThrough(meterId: string): bigint {
    return this.acks.at(-1)?.meters.get(meterId)?.storedThrough ?? 0n;
  }

  /** Waits until an oracle has subscribed: a broker drops earlier messages. */
  oracleOnline(count: number): Promise<true> {
    const online = () =>
      this.other.filter((m) => m.topic.includes('/oracle/') && m.payload === '{"online":true}').length;
    return this.changed.until('the oracle is online', () => (online() >= count ? true : null));
  }

  async close(): Promise<void> {
    await this.#client.endAsync(true);
  }
}
