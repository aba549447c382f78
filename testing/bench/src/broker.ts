import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ed25519Signer, formatTopic, SIGN1_BYTES, subscriptions } from '@gridtokenx/protocol';
import {
  findMosquitto,
  MOSQUITTO_MISSING,
  type RunningBroker,
  seedOf,
  signIn,
  startMosquitto,
  startOurs,
} from './brokers.js';
import { type BenchRow, figure, median, ratioText } from './table.js';

const ROUNDS = 5;
const PUBLISHERS = 4;
const IN_FLIGHT = 64;
/** Sizes of a packet in messages of 171 bytes, and how many packets each publisher sends in a round. */
const LOADS = [
  { messages: 1, packets: 6_000 },
  { messages: 20, packets: 3_000 },
];

/**
 * Measures packets a second through a broker: `PUBLISHERS` gateways publish with QoS 1, one oracle is subscribed to all
 * with QoS 1. The time ends when the oracle has every packet and every publisher its last PUBACK.
 */
async function throughput(port: number, messages: number, packets: number): Promise<number> {
  let missing = packets * PUBLISHERS;
  let gotAll: () => void = () => {};
  const all = new Promise<void>((resolve) => {
    gotAll = resolve;
  });
  const oracle = await signIn(port, seedOf(0), () => {
    if (--missing === 0) gotAll();
  });
  await oracle.subscribe(subscriptions.oracle());
  const payload = new Uint8Array(messages * SIGN1_BYTES).fill(0xd2);
  const gateways = await Promise.all(
    Array.from({ length: PUBLISHERS }, async (_, i) => {
      const gateway = ed25519Signer(seedOf(i + 1)).publicKey;
      const topic = formatTopic({ kind: 'stream', gateway, meter: new Uint8Array(16).fill(i), stream: 'backfill' });
      return { client: await signIn(port, seedOf(i + 1)), topic };
    }),
  );
  const began = performance.now();
  const sent = gateways.map(({ client, topic }) => client.publishAll(repeat({ topic, payload }, packets), IN_FLIGHT));
  await Promise.race([Promise.all([all, ...sent]), oracle.failed]);
  const seconds = (performance.now() - began) / 1000;
  for (const client of [oracle, ...gateways.map((gateway) => gateway.client)]) client.close();
  return (packets * PUBLISHERS) / seconds;
}

function* repeat<T>(value: T, times: number): Generator<T> {
  for (let i = 0; i < times; i++) yield value;
}

/** Measures our broker and Mosquitto under the same load, in turn. Throws when Mosquitto is missing. */
export async function benchBroker(folder: string): Promise<BenchRow[]> {
  const command = findMosquitto();
  if (!command) throw new Error(MOSQUITTO_MISSING);
  mkdirSync(join(folder, 'broker'));
  const gateways = Array.from({ length: PUBLISHERS }, (_, i) => ed25519Signer(seedOf(i + 1)));
  const ours = await startOurs(join(folder, 'broker'), gateways, [ed25519Signer(seedOf(0))]);
  const rows: BenchRow[] = [];
  try {
    const mosquitto = await startMosquitto(command, folder);
    try {
      for (const load of LOADS) rows.push(...(await compare(ours, mosquitto, load)));
      const memory = (broker: RunningBroker) => broker.process.peakMb() ?? Number.NaN;
      const toBeat = `${figure(memory(mosquitto))} MB, Mosquitto`;
      rows.push({ name: 'broker: largest memory under this load', value: memory(ours), unit: 'MB', toBeat, goal: '' });
    } finally {
      await mosquitto.process.stop();
    }
  } finally {
    await ours.process.stop();
  }
  return rows;
}

type Measurement = Awaited<ReturnType<typeof measure>>;

/** Measures packets a second, and the broker's CPU time for each packet in microseconds. */
async function measure({ port, process }: RunningBroker, { messages, packets }: (typeof LOADS)[number]) {
  const before = process.cpuMs();
  const rate = await throughput(port, messages, packets);
  const after = process.cpuMs();
  const cpuMs = before === null || after === null ? Number.NaN : after - before;
  return { rate, cpuUs: (cpuMs * 1_000) / (packets * PUBLISHERS) };
}

async function compare(ours: RunningBroker, peer: RunningBroker, load: (typeof LOADS)[number]): Promise<BenchRow[]> {
  const pairs: { ours: Measurement; peer: Measurement }[] = [];
  await throughput(ours.port, load.messages, load.packets);
  for (let round = 0; round < ROUNDS; round++) {
    pairs.push({ ours: await measure(ours, load), peer: await measure(peer, load) });
  }
  const rates = pairs.map((pair) => pair.ours.rate / pair.peer.rate);
  const costs = pairs.map((pair) => pair.ours.cpuUs / pair.peer.cpuUs);
  const of = (who: 'ours' | 'peer', what: 'rate' | 'cpuUs') => median(pairs.map((pair) => pair[who][what]));
  const name = `packets of ${load.messages * SIGN1_BYTES} bytes, QoS 1 in and out`;
  const row = (name: string, value: number, unit: string, toBeat: string): BenchRow => ({
    name,
    value,
    unit,
    toBeat,
    goal: '',
  });
  return [
    row(name, of('ours', 'rate'), '/s', `${figure(of('peer', 'rate'))}/s, Mosquitto`),
    row('  as part of Mosquitto', median(rates), '', ratioText(rates)),
    row("  the broker's CPU for each", of('ours', 'cpuUs'), 'us', `${figure(of('peer', 'cpuUs'))} us, Mosquitto`),
    row('  as part of Mosquitto', median(costs), '', ratioText(costs)),
  ];
}
