import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  base58Encode,
  fromHex,
  proveVerifier,
  type Signer,
  type SodiumVerify,
  sodiumVerifier,
  toHex,
  type Verifier,
  verifyVectors,
} from '@gridtokenx/protocol';
import { FileClock } from './adapters/clock/simulated.js';
import { SystemClock } from './adapters/clock/system.js';
import { nodeDisk } from './adapters/disk/node-disk.js';
import { KeyStore, type MeterKey } from './adapters/keys/key-store.js';
import { lockDirectory } from './adapters/lock.js';
import { Bus } from './adapters/modbus/bus.js';
import { busOpener } from './adapters/modbus/connections.js';
import { meterProfiles } from './adapters/modbus/profiles.js';
import { ModbusMeterReader } from './adapters/modbus/reader.js';
import { systemRandom } from './adapters/random.js';
import { openSpool, type SpoolDamage } from './adapters/spool/spool.js';
import type { BusConfig, GatewayConfig, MeterConfig } from './config.js';
import { MeterLog } from './domain/meter-log.js';
import { decodeState, encodeState, FRESH_STATE, type MeterState } from './domain/meter-state.js';
import { type RecoveredMeter, RecoveryScan } from './domain/recovery.js';
import type { Counters, MeterReader, ReadingClock, RealTime, Spool } from './ports.js';

/** A meter that was silent for longer than this many polls has left a gap. */
const GAP_POLLS = 3;

/** Why nothing can start; the message says what to do. Exit code 2. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/** The strict signature check, proved on the golden cases. Throws `StartError` when it fails one, or is not there. */
export function provedVerifier(): Verifier {
  try {
    const verifier = sodiumVerifier(createRequire(import.meta.url)('sodium-native') as SodiumVerify);
    proveVerifier(verifier, verifyVectors);
    return verifier;
  } catch (error) {
    throw new StartError(`the signature check cannot be trusted: ${error instanceof Error ? error.message : error}`);
  }
}

/** Takes the data directory for this process. Throws `StartError` when another gateway works in it. */
export async function takeDirectory(config: GatewayConfig): Promise<void> {
  try {
    await nodeDisk.makeDir(config.data_dir);
  } catch (error) {
    throw new StartError(`data_dir ${config.data_dir} cannot be made: ${(error as Error).message}`);
  }
  if (!(await lockDirectory(config.data_dir))) {
    throw new StartError(`another gateway process works in ${config.data_dir}: stop it first`);
  }
}

export function keyStore(config: GatewayConfig): KeyStore {
  return new KeyStore(nodeDisk, join(config.data_dir, 'keys'), systemRandom);
}

/** The clock that drives readings. Throws `StartError` when the simulated one has no usable file. */
export function readingClock(config: GatewayConfig, real: RealTime): FileClock | SystemClock {
  if (!config.clock) return new SystemClock(real);
  try {
    return new FileClock(config.clock.simulated, () => real.nowMs());
  } catch (error) {
    throw new StartError(`${config.clock.simulated}: no usable simulated clock: ${(error as Error).message}`);
  }
}

/** The buses of a configuration, by name. Nothing is opened before the first read. */
export function openBuses(config: GatewayConfig, real: RealTime): Map<string, Bus> {
  const requestMs = config.request_timeout_ms;
  return new Map(
    config.buses.map((bus) => {
      const open = busOpener(addressOf(bus), requestMs);
      return [bus.name, new Bus({ name: bus.name, open, real, random: systemRandom, requestMs, connectMs: 3_000 })];
    }),
  );
}

function addressOf(bus: BusConfig) {
  if (bus.transport !== 'serial') return { transport: bus.transport, host: bus.host, port: bus.port };
  return { transport: bus.transport, path: bus.path, baud: bus.baud, parity: bus.parity, stopBits: bus.stop_bits };
}

/** A meter of the configuration with everything that was found on disk. */
export interface SetUpMeter {
  readonly config: MeterConfig;
  readonly key: MeterKey;
  readonly log: MeterLog;
  readonly recovered: RecoveredMeter;
  readonly reader: MeterReader;
}

export interface SetUp {
  readonly gateway: Signer;
  readonly spool: Spool;
  readonly damage: SpoolDamage;
  readonly meters: readonly SetUpMeter[];
}

export interface SetUpPorts {
  readonly clock: ReadingClock;
  readonly real: RealTime;
  readonly counters: Counters;
  readonly buses: ReadonlyMap<string, Bus>;
  readonly committed: (meter: string, message: Uint8Array, kind: number) => void;
}

/** Opens keys, spool and state of every meter. Throws `StartError`, `KeyError` or the disk's error. */
export async function setUp(config: GatewayConfig, ports: SetUpPorts): Promise<SetUp> {
  const keys = keyStore(config);
  const gateway = await keys.gateway(false);
  const scan = new RecoveryScan();
  const dir = join(config.data_dir, 'spool');
  const { spool, damage } = await openSpool(nodeDisk, dir, ports.real, (message) => scan.visit(message));
  const stateDir = join(config.data_dir, 'state');
  await nodeDisk.makeDir(stateDir);
  const meters: SetUpMeter[] = [];
  for (const meter of config.meters) {
    const key = await keys.meter(meter.name, plateOf(meter), false);
    const id = toHex(key.meterId);
    const statePath = join(stateDir, `${id}.json`);
    const recovered = scan.result(id);
    const identity = { networkId: fromHex(config.network_id), meterId: key.meterId };
    checkNetwork(recovered, config, meter.name);
    const log = new MeterLog(identity, await loadState(statePath), recovered, {
      signer: key.signer,
      spool,
      clock: ports.clock,
      counters: ports.counters,
      gapMs: GAP_POLLS * meter.poll_seconds * 1000,
      store: (state) => nodeDisk.replace(statePath, Buffer.from(encodeState(state))),
      committed: ports.committed,
    });
    const bus = ports.buses.get(meter.bus);
    if (!bus) throw new StartError(`there is no bus "${meter.bus}"`);
    const reader = new ModbusMeterReader(bus, meter.unit, meterProfiles[meter.profile], ports.clock);
    meters.push({ config: meter, key, log, recovered, reader });
  }
  return { gateway, spool, damage, meters };
}

export const plateOf = ({ manufacturer, model, serial }: MeterConfig) => ({ manufacturer, model, serial });

/** A key is enrolled in one network: what it signs for another would be refused there, and use up its seqs here. */
function checkNetwork({ enrolment }: RecoveredMeter, config: GatewayConfig, name: string): void {
  if (!enrolment) return;
  const enrolled = toHex(enrolment.payload.networkId);
  if (enrolled === config.network_id.toLowerCase()) return;
  throw new StartError(
    `meter ${name} is enrolled in network ${enrolled}, not ${config.network_id}: use another data_dir`,
  );
}

async function loadState(path: string): Promise<MeterState> {
  const bytes = await nodeDisk.read(path);
  if (!bytes) return FRESH_STATE;
  try {
    return decodeState(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    throw new StartError(`${path}: ${(error as Error).message}`);
  }
}

/** First 16 bytes of SHA-256 over this program's files, in the order of their names. */
export function softwareHash(): Uint8Array {
  const root = dirname(fileURLToPath(import.meta.url));
  const hash = createHash('sha256');
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => /\.(js|ts)$/.test(name));
  for (const name of names.sort()) hash.update(`${name}\0`).update(readFileSync(join(root, name)));
  return new Uint8Array(hash.digest().subarray(0, 16));
}

/** The identity of a gateway and its meters, as `init` prints it. */
export function identityOf(gateway: Signer, meters: readonly { config: MeterConfig; key: MeterKey }[]) {
  return {
    gateway: base58Encode(gateway.publicKey),
    meters: meters.map(({ config, key }) => ({
      name: config.name,
      meter_id: toHex(key.meterId),
      key: base58Encode(key.signer.publicKey),
    })),
  };
}
