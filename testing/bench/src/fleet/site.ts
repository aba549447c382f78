import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '@gridtokenx/devnet/root';
import { base58Encode, fromHex, toHex } from '@gridtokenx/protocol';
import { command } from '@gridtokenx/testing-kit/processes';
import { NETWORK } from '@gridtokenx/testing-kit/signed-journal';
import { BROKER_NAME, seedOf } from '../brokers.js';
import { type Measured, startService } from '../processes.js';
import { FLEET_MAKER, FLEET_MODEL, FLEET_PROFILE, profileText } from './meter-table.js';

const METERS = join(projectRoot, 'testing/bench/dist/fleet/meters-child.js');
const GATEWAY = join(projectRoot, 'edge/dist/main.js');
/** Bound of the gateway's data, bytes: the default for so many meters is above what a machine for tests has free. */
const SPOOL_MAX_BYTES = 2e9;

/** Meters of Modbus TCP in a process of their own. */
export interface FleetMeters {
  readonly ports: readonly number[];
  end(): Promise<void>;
}

export async function startMeters(count: number): Promise<FleetMeters> {
  const child: ChildProcess = fork(METERS, [String(count)], { execArgv: [] });
  const [{ ports }] = (await once(child, 'message')) as [{ ports: number[] }];
  return {
    ports,
    async end() {
      const exited = once(child, 'exit');
      child.disconnect();
      await exited;
    },
  };
}

/** A gateway's folder with profile, keys and configuration. */
export interface FleetSite {
  /** The gateway's public key, 32 bytes. */
  readonly gateway: Uint8Array;
  /** Runs `enrol`, which reads every meter. */
  enrol(oracle: { readonly key: Uint8Array; readonly url: string }, brokers: readonly number[]): Promise<void>;
  /** Starts the gateway with the configuration of `enrol`; resolves when it serves. */
  start(): Promise<Measured>;
}

async function gatewayCommand(args: readonly string[]): Promise<void> {
  const { code, output } = await command(GATEWAY, args);
  if (code !== 0) throw new Error(`gateway ${args[0]} ended with ${code}: ${output.slice(-2_000)}`);
}

/** Creates the folder and its keys for meters at these ports, each polled once a second. */
export async function openSite(folder: string, ports: readonly number[]): Promise<FleetSite> {
  const profiles = join(folder, 'profiles');
  mkdirSync(profiles, { recursive: true });
  writeFileSync(join(profiles, `${FLEET_PROFILE}.yaml`), profileText());
  const file = join(folder, 'gateway.json');
  const write = (oracle: { key: Uint8Array; url?: string }, brokers: readonly number[]) =>
    writeFileSync(file, JSON.stringify(configOf(folder, ports, oracle, brokers)));
  write({ key: seedOf(0) }, [1]);
  await gatewayCommand(['init', '--config', file]);
  const key = JSON.parse(readFileSync(join(folder, 'data/keys/gateway.json'), 'utf8')) as { public_key: string };
  return {
    gateway: fromHex(key.public_key),
    async enrol(oracle, brokers) {
      write(oracle, brokers);
      await gatewayCommand(['enrol', '--config', file, '--out', join(folder, 'enrolment.json')]);
    },
    start: () => startService(GATEWAY, ['run', '--config', file]),
  };
}

function configOf(
  folder: string,
  ports: readonly number[],
  oracle: { readonly key: Uint8Array; readonly url?: string },
  brokers: readonly number[],
): object {
  const owner = base58Encode(seedOf(1));
  return {
    network_id: toHex(NETWORK),
    data_dir: join(folder, 'data'),
    name: 'fleet',
    profiles_dir: join(folder, 'profiles'),
    brokers: brokers.map((port) => ({ url: `mqtt://127.0.0.1:${port}`, name: BROKER_NAME })),
    oracles: [{ ...oracle, key: base58Encode(oracle.key) }],
    spool_max_bytes: SPOOL_MAX_BYTES,
    buses: ports.map((port, i) => ({ name: `bus-${i}`, transport: 'tcp', host: '127.0.0.1', port })),
    meters: ports.map((_, i) => ({
      ...{ name: `meter-${i}`, manufacturer: FLEET_MAKER, model: FLEET_MODEL, serial: String(1_000 + i) },
      ...{ profile: FLEET_PROFILE, bus: `bus-${i}`, unit: 1, poll_seconds: 1, owner, zone: 1, role: 'point' },
      ...{ export_limit_w: 20_000, import_limit_w: 20_000 },
    })),
  };
}
