import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '@gridtokenx/runtime/core';
import { systemClock } from '@gridtokenx/runtime/node';
import { boundaryLeadMs, type Profile } from '@gridtokenx/simulators';
import { readJson, writeJson, writeYaml } from '../files.js';
import { projectRoot } from '../root.js';
import { type EnrolledMeter, ZONE } from './deployment.js';
import { BROKER_NAME, HOST, type Paths, type Ports } from './layout.js';
import { runOnce } from './supervisor.js';

const GATEWAY = join(projectRoot, 'edge/dist/main.js');
/** A home of this kind is connected at 100 A, three phases: its power never exceeds this limit. */
const LIMIT_W = 69_000;

/** One home of a start; its profile's name is also its folder's name. */
export interface Home {
  readonly name: string;
  /** 1, 2, 3 ... as people read it in the lines of the log. */
  readonly number: number;
  readonly folder: string;
  readonly model: 'SDM630' | 'SDM120';
  readonly transport: 'tcp' | 'rtu-over-tcp';
  readonly serial: string;
  readonly httpPort: number;
  readonly meterPort: number;
  /** Registers at the first start: an old meter's, and below 16,000 kWh. */
  readonly initialImportWh: number;
  readonly initialExportWh: number;
  /**
   * Destination of minted tokens: every third owner keeps them in the own wallet, the others leave them in the pool.
   */
  readonly destination: 'pool' | 'wallet';
}

/** Returns the homes of a profile; the same profile always gives the same homes. */
export function homesOf(profiles: readonly Profile[], ports: Ports): Home[] {
  return profiles.map((profile, i) => ({
    name: profile.home,
    number: i + 1,
    folder: `home-${i + 1}`,
    model: i % 3 === 1 ? 'SDM120' : 'SDM630',
    transport: i % 3 === 2 ? 'rtu-over-tcp' : 'tcp',
    serial: String(20_110_700 + i),
    httpPort: ports.gatewayHttp(i),
    meterPort: ports.meter(i),
    initialImportWh: 4_321_000 + 111_111 * (i % 50),
    initialExportWh: 1_234_000 + 77_777 * (i % 50),
    destination: i % 3 === 2 ? 'wallet' : 'pool',
  }));
}

/** Values of a gateway's configuration from the rest of the system. */
export interface GatewayContext {
  readonly paths: Paths;
  readonly ports: Ports;
  readonly networkId: string;
  readonly oracleKey: string;
  readonly speed: number;
}

/** Writes the home's gateway configuration. Clock and broker are those of this start. */
export function writeGatewayConfig(home: Home, owner: string, context: GatewayContext): string {
  const { paths, ports } = context;
  const path = paths.gatewayConfig(home.folder);
  writeYaml(path, {
    name: home.folder,
    network_id: context.networkId,
    data_dir: paths.gatewayData(home.folder),
    broker: { url: `mqtt://${HOST}:${ports.mqtt}`, name: BROKER_NAME },
    oracles: [{ key: context.oracleKey, url: `http://${HOST}:${ports.service}` }],
    ack_threshold: 1,
    clock: { simulated: paths.clock },
    boundary_lead_seconds: Math.round(boundaryLeadMs(context.speed) / 1000),
    http: { host: HOST, port: home.httpPort },
    // The simulated meters restart with everything else: no answer to an earlier process can arrive.
    buses: [{ name: 'bus-1', transport: home.transport, host: HOST, port: home.meterPort, rest_at_start_ms: 0 }],
    meters: [
      {
        name: home.folder,
        manufacturer: 'Eastron',
        model: home.model,
        serial: home.serial,
        profile: `eastron-${home.model.toLowerCase()}`,
        bus: 'bus-1',
        unit: home.number % 240 || 1,
        poll_seconds: pollSeconds(context.speed),
        owner,
        zone: ZONE,
        source: 'solar',
        role: 'point',
        export_limit_w: LIMIT_W,
        import_limit_w: LIMIT_W,
      },
    ],
  });
  return path;
}

/**
 * Returns the poll period: a minute, but at most two polls in a real second: a fast clock must not become a load test.
 */
export function pollSeconds(speed: number): number {
  return Math.min(450, Math.max(60, Math.ceil(speed / 2)));
}

/** Limits of the connection, for the registry. */
export const connectionLimits = { exportLimitW: LIMIT_W, importLimitW: LIMIT_W } as const;

/** Writes the configuration of the process that plays all meters. */
export function writeMetersConfig(homes: readonly Home[], profiles: string, paths: Paths, ports: Ports): void {
  writeJson(paths.metersConfig, {
    clock: paths.clock,
    profiles,
    http: { host: HOST, port: ports.metersHttp },
    meters: homes.map((home) => ({
      home: home.name,
      model: `eastron-${home.model.toLowerCase()}`,
      transport: home.transport,
      host: HOST,
      port: home.meterPort,
      unit: home.number % 240 || 1,
      serial: Number(home.serial),
      initial_import_wh: home.initialImportWh,
      initial_export_wh: home.initialExportWh,
    })),
  });
}

const LOCKED_ATTEMPTS = 15;
const LOCKED_PAUSE_MS = 1_000;

/** Makes the gateway's keys if they are missing and returns its public key in base58. */
export async function initGateway(config: string): Promise<string> {
  const identity = JSON.parse(await runGateway(['init', '--config', config])) as { gateway: string };
  return identity.gateway;
}

/** Lets the gateway read its meter's registers and sign the enrolment; a second call gives the same message. */
export async function enrolGateway(config: string, out: string): Promise<EnrolledMeter> {
  if (!existsSync(out)) await runGateway(['enrol', '--config', config, '--out', out]);
  const [meter] = readJson<EnrolledMeter[]>(out) ?? [];
  if (!meter) throw new Error(`${out} names no meter`);
  return meter;
}

/**
 * Runs a command of the gateway. A command that a killed launcher left may still hold the data folder: this waits until
 * it ends by itself.
 */
async function runGateway(args: readonly string[]): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await runOnce(GATEWAY, args);
    } catch (error) {
      if (attempt === LOCKED_ATTEMPTS || !String(error).includes('another gateway process')) throw error;
      await sleep(systemClock, LOCKED_PAUSE_MS);
    }
  }
}

export const gatewayScript = GATEWAY;
