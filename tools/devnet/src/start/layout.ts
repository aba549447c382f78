import { createServer } from 'node:net';
import { join } from 'node:path';
import { OperatorError } from '@gridtokenx/runtime/core';

export const HOST = '127.0.0.1';
/** Tokens for the broker are made for this name. */
export const BROKER_NAME = 'gridtokenx-development';
/** Maximum number of homes in one start, limited by the port range. */
export const MAX_HOMES = 200;

/** Returns all ports, from one base: the same ports at every start. */
export function portsFrom(base: number) {
  return {
    page: base,
    rpc: base + 1,
    // web3.js expects the WebSocket one above the RPC.
    webSocket: base + 2,
    mqtt: base + 3,
    brokerHttp: base + 4,
    chainHttp: base + 5,
    metersHttp: base + 6,
    service: base + 7,
    gatewayHttp: (home: number) => base + 10 + home,
    meter: (home: number) => base + 10 + MAX_HOMES + home,
  };
}
export type Ports = ReturnType<typeof portsFrom>;

/** Returns files and folders below `--data`. */
export function pathsIn(data: string) {
  return {
    data,
    lock: join(data, 'running.json'),
    identity: join(data, 'start.json'),
    clock: join(data, 'clock.json'),
    logs: join(data, 'logs'),
    key: (name: string) => join(data, 'keys', `${name}.json`),
    chainConfig: join(data, 'chain', 'config.json'),
    snapshot: join(data, 'chain', 'snapshot.json'),
    brokerConfig: join(data, 'broker', 'config.yaml'),
    brokerKeys: join(data, 'broker', 'keys.json'),
    oracleConfig: join(data, 'oracle', 'config.yaml'),
    oracleData: join(data, 'oracle'),
    oracleKey: join(data, 'oracle', 'identity.key'),
    metersConfig: join(data, 'meters', 'config.json'),
    gatewayConfig: (home: string) => join(data, 'homes', home, 'gateway.yaml'),
    gatewayData: (home: string) => join(data, 'homes', home, 'data'),
    enrolment: (home: string) => join(data, 'homes', home, 'enrolment.json'),
  };
}
export type Paths = ReturnType<typeof pathsIn>;

/** Rejects with `OperatorError` naming the first port on which another process listens. */
export async function checkPorts(ports: Ports, homes: number): Promise<void> {
  const wanted: [string, number][] = [
    ['the status page', ports.page],
    ['the chain RPC', ports.rpc],
    ['the chain WebSocket', ports.webSocket],
    ['MQTT', ports.mqtt],
    ['the broker metrics', ports.brokerHttp],
    ['the chain control', ports.chainHttp],
    ['the meter simulator', ports.metersHttp],
    ['the oracle service', ports.service],
  ];
  for (let home = 0; home < homes; home++) {
    wanted.push([`gateway ${home + 1}`, ports.gatewayHttp(home)], [`meter ${home + 1}`, ports.meter(home)]);
  }
  for (const [what, port] of wanted) {
    const where = `port ${port} (${what})`;
    const code = await tryPort(port);
    if (code === 'EADDRINUSE') {
      const advice = 'stop what listens there, or give another range with --ports';
      throw new OperatorError({ code: 'port-taken', key: '--ports', problem: `${where} is taken`, advice });
    }
    if (code !== null) {
      const advice = 'give another range with --ports';
      throw new OperatorError({ code: 'port-forbidden', key: '--ports', problem: `${where}: ${code}`, advice });
    }
  }
}

function tryPort(port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen(port, HOST, () => server.close(() => resolve(null)));
  });
}
