import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type PreparedBroker, prepareMosquitto, prepareOurs } from '../brokers.js';
import type { Measured } from '../processes.js';
import { AckingOracle } from './acking-oracle.js';
import { Arrivals } from './arrivals.js';
import { openSite } from './site.js';
import {
  type BufferStrategy,
  collectTelegraf,
  startTelegraf,
  telegrafConfig,
  writeTelegrafConfig,
} from './telegraf.js';

/** An agent that reads the meters, with its broker and what arrives behind that. */
export interface Agent {
  readonly name: string;
  readonly arrivals: Arrivals;
  startBroker(): Promise<Measured>;
  start(): Promise<Measured>;
  close(): Promise<void>;
}

/** Prepares the gateway: `init` and `enrol` against the meters, our broker, an oracle that acknowledges. */
export async function gatewayAgent(folder: string, ports: readonly number[]): Promise<Agent> {
  mkdirSync(folder, { recursive: true });
  const site = await openSite(folder, ports);
  const broker = await ourBroker(folder, 'broker', site.gateway);
  const oracle = new AckingOracle([broker.port]);
  const url = await oracle.start();
  await site.enrol({ key: oracle.signer.publicKey, url }, [broker.port]);
  return {
    name: 'the gateway',
    arrivals: oracle.arrivals,
    startBroker: () => broker.start(),
    start: () => site.start(),
    close: () => oracle.close(),
  };
}

/** Prepares our broker for a gateway and the acknowledging oracle. */
export function ourBroker(folder: string, name: string, gateway: Uint8Array): Promise<PreparedBroker> {
  const own = join(folder, name);
  mkdirSync(own);
  return prepareOurs(own, [{ publicKey: gateway }], [AckingOracle.signer]);
}

/** Prepares Telegraf with Mosquitto. */
export async function telegrafAgent(
  folder: string,
  ports: readonly number[],
  programs: { readonly telegraf: string; readonly mosquitto: string },
  strategy: BufferStrategy = 'memory',
): Promise<Agent> {
  const buffer = { strategy, folder: join(folder, 'buffer') };
  mkdirSync(buffer.folder, { recursive: true });
  const broker = await prepareMosquitto(programs.mosquitto, folder);
  const file = writeTelegrafConfig(folder, telegrafConfig(ports, broker.port, buffer));
  const arrivals = new Arrivals();
  const end = collectTelegraf(broker.port, arrivals);
  return {
    name: strategy === 'memory' ? 'Telegraf' : 'Telegraf, buffer on disk',
    arrivals,
    startBroker: () => broker.start(),
    start: async () => startTelegraf(programs.telegraf, file),
    close: end,
  };
}
