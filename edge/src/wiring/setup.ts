import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { base58Encode, fromHex, type MeterId, type Signer, toHex, type Verifier } from '@gridtokenx/protocol';
import type { Clock, ReadingClock } from '@gridtokenx/runtime/core';
import { operatorErrorOf, systemRandom } from '@gridtokenx/runtime/node';

import { nodeDisk } from '../adapters/disk/node-disk.js';
import { KeyStore, type MeterKey } from '../adapters/keys/key-store.js';
import { findSealer } from '../adapters/keys/passphrase.js';
import { lockDirectory } from '../adapters/lock/lock.js';

import { openSpool } from '../adapters/spool/spool.js';
import type { Bus } from '../domain/bus/bus.js';
import type { AckTracker } from '../domain/delivery/ack-tracker.js';
import type { Counters, Disk, Spool, SpoolDamage } from '../domain/ports.js';
import type { SignedMessage } from '../domain/signed-message.js';
import type { Side } from '../domain/signing/connection-point.js';
import { MeterJournal } from '../domain/signing/meter-journal.js';
import { FRESH_STATE, type MeterState } from '../domain/signing/meter-state.js';
import { openFloor, type RecoveredMeter, RecoveryScan } from '../domain/signing/recovery.js';
import { checkBinding, type Hardware } from './binding.js';
import type { GatewayConfig, MeterConfig } from './config.js';
import { checkNetwork, foreignKey, idOf, openKeys } from './open-keys.js';
import { inputsFrom, type PlannedPoint, type SetUpPoint } from './points.js';
import { lineOf, type MeterLine, ownProfileFault, sharedProfiles } from './readers.js';
import { finishRotations } from './rotation.js';
import { diskBudget, RESERVE_BYTES } from './sizes.js';
import { StartError } from './start-error.js';
import { type FoundState, openAcks, readState, stateDir, statePath, storeState, usableState } from './states.js';

export { plateOf } from './open-keys.js';
export { checkProfiles, checkSomeProfile, closeBuses, openBuses, profileOf } from './readers.js';
export { StartError } from './start-error.js';

/** Polls without an answer after which a meter's silence is a gap. */
const GAP_POLLS = 3;

/** Locks the data directory for this process. Throws `OperatorError` when another gateway works in it. */
export async function takeDirectory(config: GatewayConfig): Promise<void> {
  try {
    await nodeDisk.makeDir(config.data_dir);
  } catch (error) {
    const { problem, advice } = operatorErrorOf(error) ?? { problem: (error as Error).message, advice: '' };
    const says = advice === '' ? problem : `${problem}; ${advice}`;
    throw new StartError(`data_dir ${config.data_dir} cannot be created: ${says}`, { cause: error });
  }
  if (!(await lockDirectory(config.data_dir))) {
    throw new StartError(`another gateway process works in ${config.data_dir}: stop it first`);
  }
}

/**
 * Opens the keys. `isSigning` false: encrypted keys need no passphrase, and sign nothing. Throws `OperatorError` for a
 * passphrase that cannot be read.
 */
export function keyStore(config: GatewayConfig, { disk = nodeDisk as Disk, isSigning = true } = {}): KeyStore {
  const sealer = isSigning ? findSealer(config.keys?.passphrase_file, systemRandom) : null;
  return new KeyStore(disk, join(config.data_dir, 'keys'), systemRandom, { sealer, isSigning });
}

/** Returns the directory of the signed messages. */
export const spoolDir = (config: GatewayConfig): string => join(config.data_dir, 'spool');

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
  /** Source of the hardware's number that the keys are bound to, or `unbound`. */
  readonly boundTo: string;
  readonly spool: Spool;
  readonly damage: SpoolDamage;
  readonly meters: readonly SetUpMeter[];
  readonly points: readonly SetUpPoint[];
  /** The newest acks of earlier runs. */
  readonly acks: AckTracker;
  /** Says which meters and points do not run, and why. */
  readonly faults: readonly string[];
  /** Says which meters continue from another state than that of their file. */
  readonly notes: readonly string[];
}

export interface SetUpPorts {
  /** Default: the machine's disk. */
  readonly disk?: Disk;
  /** Default: the machine's hardware. */
  readonly hardware?: Hardware;
  readonly readingClock: ReadingClock;
  readonly clock: Clock;
  readonly verifier: Verifier;
  readonly counters: Counters;
  readonly buses: ReadonlyMap<string, Bus>;
  readonly committed: (message: SignedMessage) => void;
}

/** A meter or point with its key and its state file. */
interface Keyed {
  readonly config: { readonly name: string };
  readonly key: MeterKey;
}

/**
 * Opens keys, spool and state of every meter. A meter whose files cannot be used does not run, and the others do. Throws
 * `StartError`, `KeyError`, or the disk's error where it cannot list the spool.
 */
export async function setUp(config: GatewayConfig, ports: SetUpPorts): Promise<SetUp> {
  const { disk = nodeDisk } = ports;
  const keys = keyStore(config, { disk });
  const gateway = await keys.gateway(false);
  const boundTo = await checkBinding(keys, ports.hardware);
  await disk.makeDir(stateDir(config)).catch(() => {});
  const keyed = await openKeys(config, keys, (meter) => ownProfileFault(meter, config.profiles_dir));
  const states = new Map<MeterId, FoundState>();
  for (const { key } of [...keyed.meters, ...keyed.points])
    states.set(idOf(key), await readState(disk, statePath(config, key)));
  const foundOf = (key: MeterKey) => states.get(idOf(key)) ?? { state: FRESH_STATE, fault: null, isThere: false };
  const planned = keyed.points.map((point): PlannedPoint => ({ ...point, state: foundOf(point.key).state }));
  const needed = inputsFrom(planned);
  const scan = new RecoveryScan({
    inputsFrom: (id) => needed.get(id),
    floor: (id) => openFloor(states.get(id)?.state ?? FRESH_STATE),
  });
  const { segmentBytes } = diskBudget(config);
  const kept = { commitMs: config.commit_ms, reserveBytes: RESERVE_BYTES };
  const { spool, damage } = await openSpool(disk, spoolDir(config), ports.clock, scan, segmentBytes, kept);
  const acks = await openAcks(disk, config);
  const faults: string[] = [...keyed.faults];
  const notes: string[] = [];
  /** Returns the journal of a key; null where its files cannot be used. */
  const open = (of: Keyed, gapMs?: number) => {
    const { name } = of.config;
    const recovered = scan.result(idOf(of.key));
    checkNetwork(recovered, config, name);
    const usable = usableState(name, foundOf(of.key), recovered, acks.highest(idOf(of.key)));
    const fault = foreignKey(recovered, of.key, name, ports.verifier);
    if (fault !== null) faults.push(fault);
    if (usable.note !== null) (usable.state === null ? faults : notes).push(usable.note);
    if (fault !== null || usable.state === null) return null;
    const identity = { networkId: fromHex(config.network_id), meterId: of.key.meterId };
    const store = (next: MeterState) => storeState(disk, spool, statePath(config, of.key), next);
    const parts = { ...ports, signer: of.key.signer, spool, store, ...(gapMs === undefined ? {} : { gapMs }) };
    return { journal: new MeterJournal(identity, usable.state, recovered, parts), recovered };
  };
  const inForce = await finishRotations(keyed.meters, { keys, spool, open });
  for (const { key } of inForce) states.set(idOf(key), await readState(disk, statePath(config, key)));
  const find = sharedProfiles();
  const meters = inForce.flatMap((one): SetUpMeter[] => {
    const opened = open(one, GAP_POLLS * one.config.poll_seconds * 1000);
    return opened ? [{ ...one, ...opened, line: lineOf(config, one.config, ports, find) }] : [];
  });
  const points = planned.flatMap((point): SetUpPoint[] => {
    const opened = open(point);
    const inputs = (side: Side) => scan.result(point.meters[side].id).inputs;
    const found = { production: inputs('production'), consumption: inputs('consumption') };
    return opened ? [{ ...point, ...opened, inputs: found }] : [];
  });
  const said = { faults: [...new Set(faults)], notes: [...new Set(notes)] };
  return { gateway, boundTo, spool, damage, acks, meters, points, ...said };
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
