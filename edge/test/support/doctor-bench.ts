import { once } from 'node:events';
import { createServer as createHttpServer, type Server as HttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import {
  asMeterId,
  asWindow,
  base58Encode,
  formatTopic,
  type MeterId,
  type MeterWatermark,
  type Signer,
  signAck,
  signTime,
} from '@gridtokenx/protocol';
import { systemClock } from '@gridtokenx/runtime/node';
import { type ModbusServer, type ModbusUnit, simulateMeter } from '@gridtokenx/simulators';
import { build, command, writeJson } from '@gridtokenx/testing-kit/processes';
import { BROKER, connect, type Fixture, optionsFor, signerOf, startFixture } from '../../../broker/test/harness.js';
import { loadSunspecModels } from '../../src/adapters/profiles/files.js';
import type { DoctorPorts } from '../../src/cli/doctor/check.js';
import { MACHINE } from '../../src/cli/doctor-command.js';
import { type GatewayConfig, parseGatewayConfig } from '../../src/wiring/config.js';
import { keyStore, plateOf } from '../../src/wiring/setup.js';
import { TcpSite } from './tcp-site.js';

export type MeterSource = ConstructorParameters<typeof ModbusServer>[1];

/** Looks quickly: the meters of the bench answer at once. */
export const PORTS: DoctorPorts = {
  ...MACHINE,
  timeService: async () => null,
  times: { listenMs: 20, lookMs: 0 },
  acksMs: 300,
};

/**
 * A whole site without a fault: a meter on Modbus TCP, keys and enrolment on disk, a real broker, and an oracle that
 * signs its time and has acknowledged the meter.
 */
export class DoctorBench {
  readonly site = new TcpSite();
  readonly oracle = signerOf('oracle');
  broker!: Fixture;
  gateway!: Signer;
  meterId!: MeterId;
  values!: Record<string, unknown>;
  #servers: (Server | HttpServer)[] = [];
  #sockets = new Set<Socket>();

  async start(): Promise<void> {
    const port = await this.site.serve([simulateMeter({ profile: 'eastron-sdm120', unit: 1 })]);
    this.broker = await startFixture();
    const url = await this.timeServer(this.oracle);
    this.values = this.site.values(port, {
      broker: { url: `mqtt://127.0.0.1:${this.broker.port}`, name: BROKER },
      oracles: [{ key: base58Encode(this.oracle.publicKey), url }],
      request_timeout_ms: 300,
    });
    const config = this.config();
    const keys = keyStore(config);
    this.gateway = await keys.gateway(true);
    const [meter] = config.meters;
    if (!meter) throw new Error('the bench has one meter');
    this.meterId = asMeterId((await keys.meter(meter.name, plateOf(meter), true)).meterId);
    build();
    // In a process of its own: the lock of the data directory lasts as long as the process.
    const file = writeJson(this.site.path('gateway.json'), this.values);
    const { code, output } = await command('edge/dist/main.js', [
      'enrol',
      '--config',
      file,
      '--out',
      this.site.path('e'),
    ]);
    if (code !== 0) throw new Error(output);
    this.broker.keys.set(this.gateway, 'gateway');
    this.broker.keys.set(this.oracle, 'oracle');
    await this.acknowledge();
  }

  /** Publishes an ack for everything that the meter has sent. */
  acknowledge(): Promise<void> {
    return this.ack(new Map([[this.meterId, { storedThrough: 1n, highestSeen: 1n, highestWindow: asWindow(0) }]]));
  }

  config(change: object = {}): GatewayConfig {
    return parseGatewayConfig(JSON.stringify({ ...this.values, ...change }), 'gateway.json');
  }

  /** Changes the only entry of a list of the configuration. */
  first(key: 'meters' | 'buses' | 'oracles', change: object): object {
    const [entry] = this.values[key] as object[];
    return { [key]: [{ ...entry, ...change }] };
  }

  /** Publishes the oracle's retained ack; a null ack removes it. */
  async ack(meters: ReadonlyMap<MeterId, MeterWatermark>, signer = this.oracle): Promise<void> {
    const client = await connect(this.broker, optionsFor(signer));
    const gateway = this.gateway.publicKey;
    const topic = formatTopic({ kind: 'ack', gateway, oracle: signer.publicKey });
    const ack = { gateway, ledgerId: new Uint8Array(16), timeMs: Date.now(), meters, refused: [] };
    await client.publishAsync(topic, Buffer.from(signAck(ack, signer)), { qos: 1, retain: true });
    await client.endAsync();
  }

  /** Serves signed time like an oracle; returns its URL. */
  timeServer(signer: Signer): Promise<string> {
    return this.http(async (request, response) => {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part as Buffer);
      response.end(signTime({ timeMs: Date.now(), nonce: new Uint8Array(Buffer.concat(parts)) }, signer));
    });
  }

  /** Serves HTTP; returns its URL. */
  async http(listener: RequestListener): Promise<string> {
    const server = createHttpServer(listener);
    return `http://127.0.0.1:${await this.#listen(server)}`;
  }

  /** Serves a device on TCP that does what `serve` does; returns its port. */
  device(serve: (socket: Socket) => void): Promise<number> {
    return this.#listen(
      createServer((socket) => {
        this.#sockets.add(socket.on('error', () => {}));
        serve(socket);
      }),
    );
  }

  async #listen(server: Server | HttpServer): Promise<number> {
    this.#servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  async end(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    for (const server of this.#servers) {
      if ('closeAllConnections' in server) server.closeAllConnections();
      server.close();
    }
    await this.broker.close();
    await this.site.end();
  }
}

/** The machine's clock, shifted. */
export const shifted = (ms: number): DoctorPorts['clock'] => ({
  nowMs: () => systemClock.nowMs() + ms,
  monotonicMs: () => systemClock.monotonicMs(),
  after: (delayMs, task) => systemClock.after(delayMs, task),
});

/** An inverter of SunSpec model 103 that has fed in 5,000 Wh. */
export function sunspecInverter(): ModbusUnit {
  const { models } = loadSunspecModels();
  const words = new Map<number, number>([
    [40_000, 0x5375],
    [40_001, 0x6e53],
  ]);
  let address = 40_002;
  for (const id of [1, 103]) {
    const { size = 2, points = {} } = models[id] ?? {};
    for (let i = 0; i < size; i++) words.set(address + i, 0);
    words.set(address, id).set(address + 1, size - 2);
    const energy = points.WH;
    if (energy) words.set(address + energy[0] + 1, 5_000);
    address += size;
  }
  words.set(address, 0xffff).set(address + 1, 0);
  return {
    read: (code, from, count) => {
      const found = Array.from({ length: count }, (_, i) => words.get(from + i));
      return code === 3 && found.every((word) => word !== undefined) ? Uint16Array.from(found) : 2;
    },
  };
}
