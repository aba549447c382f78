import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '@gridtokenx/devnet/root';
import { ed25519Signer, formatTopic, fromHex, openAck, subscriptions, toHex } from '@gridtokenx/protocol';
import { freePort } from '@gridtokenx/testing-kit/free-port';
import { type RunningBroker, seedOf, signIn, startOurs } from './brokers.js';
import type { LoadClient } from './mqtt-client.js';
import { benchBare } from './oracle/hot-path.js';
import * as bench from './oracle/logs.js';
import { startService } from './processes.js';
import { type BenchRow, figure, median, ratioText } from './table.js';

const ROUNDS = 3;
const GATEWAYS = 4;
const METERS = 20;
const IN_FLIGHT = 32;
/** Messages in a packet, and messages of each meter. */
const LOADS = [
  { name: 'live: packets of 171 bytes', size: 1, each: 400 },
  { name: 'backfill: packets of 3,420 bytes', size: 20, each: 1_000 },
];
const DEADLINE_MS = 120_000;

type MeterJournal = ReturnType<typeof bench.signedJournals>[number];

interface Round {
  readonly rate: number;
  readonly bare: number;
  readonly oracleMb: number;
  /** CPU time of the oracle for each message, microseconds. */
  readonly cpuUs: number;
}

/**
 * Measures signed messages a second from gateways to their acks. Publishers, our broker and an oracle are separate
 * processes; each round has a new ledger and syncs its commits. The time ends when a signed ack has told each gateway
 * that all messages of its meters are stored.
 */
export async function benchAck(folder: string): Promise<BenchRow[]> {
  const brokerFolder = join(folder, 'broker');
  mkdirSync(brokerFolder);
  const gateways = Array.from({ length: GATEWAYS }, (_, i) => ed25519Signer(seedOf(i + 1)));
  const broker = await startOurs(brokerFolder, gateways, [ed25519Signer(seedOf(0))]);
  const rows: BenchRow[] = [];
  let oracleMb = 0;
  try {
    for (const { name, size, each } of LOADS) {
      const logs = bench.signedJournals(METERS, each);
      const rounds: Round[] = [];
      for (let i = 0; i < ROUNDS; i++) {
        const bare = benchBare(2_000);
        rounds.push({ bare, ...(await oneRound(broker, mkdtempSync(join(folder, 'oracle-')), logs, size)) });
      }
      const ratios = rounds.map(({ rate, bare }) => rate / bare);
      const toBeat = `${figure(median(rounds.map(({ bare }) => bare)))}/s bare libsodium`;
      rows.push(
        { name, value: median(rounds.map(({ rate }) => rate)), unit: '/s', toBeat, goal: '' },
        { name: '  as part of bare libsodium', value: median(ratios), unit: '', toBeat: ratioText(ratios), goal: '' },
        {
          name: "  the oracle's CPU for each message",
          value: median(rounds.map(({ cpuUs }) => cpuUs)),
          unit: 'us',
          toBeat: '',
          goal: '',
        },
      );
      oracleMb = Math.max(oracleMb, ...rounds.map((round) => round.oracleMb));
    }
    const brokerMb = broker.process.peakMb() ?? Number.NaN;
    rows.push(
      { name: 'oracle: largest memory under this load', value: oracleMb, unit: 'MB', toBeat: '', goal: '' },
      { name: 'broker: largest memory under this load', value: brokerMb, unit: 'MB', toBeat: '', goal: '' },
    );
  } finally {
    await broker.process.stop();
  }
  return rows;
}

async function oneRound(
  broker: RunningBroker,
  folder: string,
  logs: readonly MeterJournal[],
  size: number,
): Promise<Omit<Round, 'bare'>> {
  const oracle = await startService(join(projectRoot, 'oracle/dist/main.js'), [
    'run',
    '--config',
    await oracleConfig(folder, broker.port, toHex(bench.NETWORK), bench.metersFile(logs)),
  ]);
  const fleet: Gateway[] = [];
  try {
    for (let i = 0; i < GATEWAYS; i++) {
      const mine = logs.filter((_, meter) => meter % GATEWAYS === i);
      fleet.push(await gatewayOf(broker.port, i + 1, mine, size));
    }
    await inTime(Promise.all(fleet.map((gateway) => gateway.oracleIsThere)), 'the oracle is not online');
    const cpuBefore = oracle.cpuMs() ?? Number.NaN;
    const began = performance.now();
    const work = fleet.map((gateway) => Promise.all([gateway.send(), gateway.allStored]));
    await inTime(Promise.all(work), 'not everything was acknowledged');
    const seconds = (performance.now() - began) / 1_000;
    const messages = logs.reduce((sum, log) => sum + log.messages.length, 0);
    const cpuUs = (((oracle.cpuMs() ?? Number.NaN) - cpuBefore) * 1_000) / messages;
    return { rate: messages / seconds, cpuUs, oracleMb: oracle.peakMb() ?? Number.NaN };
  } finally {
    for (const gateway of fleet) gateway.client.close();
    await oracle.stop();
  }
}

async function oracleConfig(folder: string, brokerPort: number, network: string, meters: string): Promise<string> {
  writeFileSync(join(folder, 'key'), `${toHex(seedOf(0))}\n`, { mode: 0o600 });
  writeFileSync(join(folder, 'meters.json'), meters);
  const config = {
    network_id: network,
    data_dir: 'data',
    key_file: 'key',
    meters_file: 'meters.json',
    broker: { url: `mqtt://127.0.0.1:${brokerPort}`, name: 'bench' },
    page: { port: await freePort() },
  };
  const file = join(folder, 'oracle.json');
  writeFileSync(file, JSON.stringify(config));
  return file;
}

interface Gateway {
  readonly client: LoadClient;
  readonly oracleIsThere: Promise<void>;
  /** Resolves with the ack that states that the last message of every meter is stored. */
  readonly allStored: Promise<void>;
  send(): Promise<void>;
}

async function gatewayOf(port: number, number: number, logs: readonly MeterJournal[], size: number) {
  const verifier = bench.provedVerifier();
  const gateway = ed25519Signer(seedOf(number)).publicKey;
  const oracleKey = ed25519Signer(seedOf(0)).publicKey;
  const oracleTopic = formatTopic({ kind: 'oracle-status', oracle: oracleKey });
  let sentAtMs = Number.POSITIVE_INFINITY;
  const arrived = Promise.withResolvers<void>();
  const stored = Promise.withResolvers<void>();
  const isStored = (bytes: Buffer) => {
    const { meters, refused, timeMs } = openAck(new Uint8Array(bytes), oracleKey, verifier);
    // An ack that the broker retained from the previous round names a ledger that is gone.
    if (timeMs < sentAtMs) return false;
    if (refused.length > 0) stored.reject(new Error(`refused with reason ${refused[0]?.reason}`));
    return logs.every((log) => meters.get(log.record.meterId)?.storedThrough === BigInt(log.messages.length));
  };
  const client = await signIn(port, seedOf(number), (topic, payload) => {
    if (topic.includes('/ack/')) {
      if (isStored(payload)) stored.resolve();
    } else if (topic === oracleTopic && payload.toString() === '{"online":true}') arrived.resolve();
  });
  await client.subscribe([...subscriptions.gateway(gateway).slice(0, 1), 'gtx/v1/oracle/+/status']);
  const packets = logs.map((log) => {
    const topic = formatTopic({
      kind: 'stream',
      gateway,
      meter: fromHex(log.record.meterId),
      stream: size === 1 ? 'reading' : 'backfill',
    });
    return bench.packetsOf(log, size).map((payload) => ({ topic, payload }));
  });
  return {
    client,
    oracleIsThere: arrived.promise,
    allStored: stored.promise,
    send: () => {
      sentAtMs = Date.now();
      return client.publishAll(inTurn(packets), IN_FLIGHT);
    },
  };
}

/** Yields the first of each list, then the second of each, and so on. */
function* inTurn<T>(lists: readonly (readonly T[])[]): Generator<T> {
  const longest = Math.max(...lists.map((list) => list.length));
  for (let at = 0; at < longest; at++) {
    for (const list of lists) {
      const item = list[at];
      if (item !== undefined) yield item;
    }
  }
}

async function inTime<T>(work: Promise<T>, otherwise: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${otherwise} within ${DEADLINE_MS / 1_000} s`)), DEADLINE_MS);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
