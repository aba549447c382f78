import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  asMeterId,
  base58Encode,
  fromHex,
  type MeterId,
  parseSign1,
  type Signer,
  sigStructure,
  toHex,
  type Verifier,
} from '@gridtokenx/protocol';
import type { Clock, ReadingClock } from '@gridtokenx/runtime/core';
import { systemRandom } from '@gridtokenx/runtime/node';

import { nodeDisk } from '../adapters/disk/node-disk.js';
import { KeyStore, type MeterKey } from '../adapters/keys/key-store.js';
import { lockDirectory } from '../adapters/lock.js';

import { openSpool } from '../adapters/spool/spool.js';
import type { Bus } from '../domain/bus/bus.js';
import type { Counters, Spool, SpoolDamage } from '../domain/ports.js';
import type { SignedMessage } from '../domain/signed-message.js';
import type { Side } from '../domain/signing/connection-point.js';
import { MeterJournal } from '../domain/signing/meter-journal.js';
import { decodeState, encodeState, FRESH_STATE, type MeterState } from '../domain/signing/meter-state.js';
import { openFloor, type RecoveredMeter, RecoveryScan } from '../domain/signing/recovery.js';
import type { GatewayConfig, MeterConfig } from './config.js';
import { inputsFrom, planPoints, type SetUpPoint } from './points.js';
import { lineOf, type MeterLine } from './readers.js';
import { diskBudget, RESERVE_BYTES } from './sizes.js';
import { StartError } from './start-error.js';

export { closeBuses, openBuses, profileOf } from './readers.js';
export { StartError } from './start-error.js';

/** Polls without an answer after which a meter's silence is a gap. */
const GAP_POLLS = 3;

/** Locks the data directory for this process. Throws `StartError` when another gateway works in it. */
export async function takeDirectory(config: GatewayConfig): Promise<void> {
  try {
    await nodeDisk.makeDir(config.data_dir);
  } catch (error) {
    throw new StartError(`data_dir ${config.data_dir} cannot be created: ${(error as Error).message}`);
  }
  if (!(await lockDirectory(config.data_dir))) {
    throw new StartError(`another gateway process works in ${config.data_dir}: stop it first`);
  }
}

export function keyStore(config: GatewayConfig): KeyStore {
  return new KeyStore(nodeDisk, join(config.data_dir, 'keys'), systemRandom);
}

/** Returns the directory of the meters' raw replies of the last day. */
export function framesDir(config: GatewayConfig): string {
  return join(config.data_dir, 'frames');
}

/** A meter of the configuration with everything that its disk holds. */
export interface SetUpMeter {
  readonly config: MeterConfig;
  readonly key: MeterKey;
  readonly journal: MeterJournal;
  readonly recovered: RecoveredMeter;
  readonly line: MeterLine;
}

export interface SetUp {
  readonly gateway: Signer;
  readonly spool: Spool;
  readonly damage: SpoolDamage;
  readonly meters: readonly SetUpMeter[];
  readonly points: readonly SetUpPoint[];
}

export interface SetUpPorts {
  readonly readingClock: ReadingClock;
  readonly clock: Clock;
  readonly verifier: Verifier;
  readonly counters: Counters;
  readonly buses: ReadonlyMap<string, Bus>;
  readonly committed: (message: SignedMessage) => void;
}

/** Opens keys, spool and state of every meter. Throws `StartError`, `KeyError` or the disk's error. */
export async function setUp(config: GatewayConfig, ports: SetUpPorts): Promise<SetUp> {
  const keys = keyStore(config);
  const gateway = await keys.gateway(false);
  const stateDir = join(config.data_dir, 'state');
  await nodeDisk.makeDir(stateDir);
  const keyed: { config: MeterConfig; key: MeterKey }[] = [];
  for (const meter of config.meters)
    keyed.push({ config: meter, key: await keys.meter(meter.name, plateOf(meter), false) });
  const planned = await planPoints(config, keys, keyed, stateDir, loadState);
  const states = new Map<MeterId, MeterState>(planned.map(({ key, state }) => [asMeterId(key.meterId), state]));
  const pathOf = ({ meterId }: MeterKey) => join(stateDir, `${toHex(meterId)}.json`);
  for (const { key } of keyed) states.set(asMeterId(key.meterId), await loadState(pathOf(key)));
  const stateOf = ({ meterId }: MeterKey) => states.get(asMeterId(meterId)) ?? FRESH_STATE;
  const needed = inputsFrom(planned);
  const scan = new RecoveryScan({
    inputsFrom: (id) => needed.get(id),
    floor: (id) => openFloor(states.get(id) ?? FRESH_STATE),
  });
  const dir = join(config.data_dir, 'spool');
  const { spool, damage } = await openSpool(nodeDisk, dir, ports.clock, scan, diskBudget(config).segmentBytes, {
    commitMs: config.commit_ms,
    reserveBytes: RESERVE_BYTES,
  });
  const journalOf = (
    of: { config: { name: string }; key: MeterKey },
    state: MeterState,
    path: string,
    gapMs?: number,
  ) => {
    const recovered = scan.result(asMeterId(of.key.meterId));
    checkNetwork(recovered, config, of.config.name);
    checkKey(recovered, of, ports.verifier);
    const identity = { networkId: fromHex(config.network_id), meterId: of.key.meterId };
    const journal = new MeterJournal(identity, state, recovered, {
      signer: of.key.signer,
      spool,
      readingClock: ports.readingClock,
      counters: ports.counters,
      ...(gapMs === undefined ? {} : { gapMs }),
      store: (next) => storeState(spool, path, next),
      committed: ports.committed,
    });
    return { journal, recovered };
  };
  const meters: SetUpMeter[] = [];
  for (const one of keyed) {
    const { config: meter, key } = one;
    const gapMs = GAP_POLLS * meter.poll_seconds * 1000;
    const { journal, recovered } = journalOf(one, stateOf(key), pathOf(key), gapMs);
    const line = lineOf(config, meter, ports);
    meters.push({ config: meter, key, journal, recovered, line });
  }
  const points = planned.map((point): SetUpPoint => {
    const inputs = (side: Side) => scan.result(point.meters[side].id).inputs;
    const found = { production: inputs('production'), consumption: inputs('consumption') };
    return { ...point, ...journalOf(point, point.state, point.statePath), inputs: found };
  });
  return { gateway, spool, damage, meters, points };
}

export const plateOf = ({ manufacturer, model, serial }: MeterConfig) => ({ manufacturer, model, serial });

/**
 * Throws for a key that was enrolled in another network: that network would refuse its messages, and its seqs would be
 * used up.
 */
function checkNetwork({ enrolment }: RecoveredMeter, config: GatewayConfig, name: string): void {
  if (!enrolment) return;
  const enrolled = toHex(enrolment.payload.networkId);
  if (enrolled === config.network_id.toLowerCase()) return;
  throw new StartError(
    `meter ${name} is enrolled in network ${enrolled}, not ${config.network_id}: use another data_dir`,
  );
}

/** Throws when another key signed the spool's enrolment, which is kept for good: the key file was replaced. */
function checkKey({ enrolment }: RecoveredMeter, of: { config: { name: string }; key: MeterKey }, verifier: Verifier) {
  if (!enrolment) return;
  const { payload, signature } = parseSign1(enrolment.message.bytes);
  if (verifier.verify(signature, sigStructure(payload), of.key.signer.publicKey)) return;
  const what = `the key in ${of.key.file} did not enrol ${of.config.name}`;
  throw new StartError(`${what}: restore the file from a backup of the data directory`);
}

/** Stores a state durably. A full disk first frees what is kept for states. */
async function storeState(spool: Spool, path: string, state: MeterState): Promise<void> {
  const bytes = Buffer.from(encodeState(state));
  await nodeDisk.replace(path, bytes).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOSPC' || !(await spool.relieve())) throw error;
    await nodeDisk.replace(path, bytes);
  });
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

/** Returns the first 16 bytes of SHA-256 over this program's files, in the order of their names. */
export function softwareHash(): Uint8Array {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const hash = createHash('sha256');
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => /\.(js|ts)$/.test(name));
  for (const name of names.sort()) hash.update(`${name}\0`).update(readFileSync(join(root, name)));
  return new Uint8Array(hash.digest().subarray(0, 16));
}

/** Returns the first 16 bytes of SHA-256 over the parsed configuration: order and comments do not count. */
export function configHash(config: GatewayConfig): Uint8Array {
  return new Uint8Array(createHash('sha256').update(canonical(config)).digest().subarray(0, 16));
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`).join(',')}}`;
}

/** Describes the identity of a gateway, its meters and its derived points, as `init` prints it. */
export function identityOf(gateway: Signer, meters: readonly { config: { name: string }; key: MeterKey }[]) {
  return {
    gateway: base58Encode(gateway.publicKey),
    meters: meters.map(({ config, key }) => ({
      name: config.name,
      meter_id: toHex(key.meterId),
      key: base58Encode(key.signer.publicKey),
    })),
  };
}
