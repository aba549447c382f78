import { programIds } from '@gridtokenx/chain-client';
import { type Home, homesOf } from './homes.js';
import { HOST, type Paths, type Ports, pathsIn, portsFrom } from './layout.js';
import type { StartOptions } from './options.js';
import type { Plan } from './plan.js';
import type { WatchedService } from './service-watch.js';
import { INSPECTOR_PORT } from './supervisor.js';

/** Addresses and paths of one start, fixed before anything runs. */
export interface Site {
  readonly options: StartOptions;
  readonly plan: Plan;
  readonly paths: Paths;
  readonly ports: Ports;
  readonly homes: readonly Home[];
  readonly rpcUrl: string;
  readonly webSocketUrl: string;
  readonly pageUrl: string;
  readonly mqttUrl: string;
  readonly chainUrl: string;
}

export function siteOf(options: StartOptions, plan: Plan): Site {
  const ports = portsFrom(options.ports);
  return {
    ...{ options, plan, ports },
    paths: pathsIn(options.data),
    homes: homesOf(plan.profiles, ports),
    rpcUrl: `http://${HOST}:${ports.rpc}`,
    webSocketUrl: `ws://${HOST}:${ports.webSocket}`,
    pageUrl: `http://${HOST}:${ports.page}`,
    mqttUrl: `mqtt://${HOST}:${ports.mqtt}`,
    chainUrl: `http://${HOST}:${ports.chainHttp}`,
  };
}

/** Returns the health address of each service. */
export function healthPages({ ports, homes }: Site): WatchedService[] {
  const { page, brokerHttp, chainHttp, gatewayHttp } = ports;
  const at = (name: string, port: number) => ({ name, url: `http://${HOST}:${port}/readyz` });
  const gateways = homes.map((home, i) => at(`gateway-${home.number}`, gatewayHttp(i)));
  return [at('chain', chainHttp), at('broker', brokerHttp), at('oracle', page), ...gateways];
}

/** Returns the addresses that a person can open or give to a tool. */
export function addresses({ options, ports, pageUrl, rpcUrl, webSocketUrl, mqttUrl }: Site): string[] {
  return [
    `  status page  ${pageUrl}/`,
    `  metrics      ${pageUrl}/metrics (oracle), http://${HOST}:${ports.brokerHttp}/metrics (broker), ` +
      `http://${HOST}:${ports.gatewayHttp(0)}/metrics (gateway 1)`,
    `  chain RPC    ${rpcUrl} (WebSocket ${webSocketUrl})`,
    '               for trials only: any program on this machine may set accounts and time of this chain',
    `  MQTT         ${mqttUrl}`,
    `  oracle       http://${HOST}:${ports.service} (signed time, co-signing)`,
    `  programs     ${Object.entries(programIds)
      .map(([name, id]) => `${name} ${id.toBase58()}`)
      .slice(0, 3)
      .join(', ')}`,
    `  data, logs   ${options.data}`,
    ...(options.inspect === null ? [] : [`  debugger     ${HOST}:${INSPECTOR_PORT} (${options.inspect})`]),
  ];
}
