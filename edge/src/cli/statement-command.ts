import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  base58Encode,
  isAttestable,
  Kind,
  parseSign1,
  type Statement,
  sigStructure,
  toHex,
  type Window,
} from '@gridtokenx/protocol';
import { provedVerifier } from '@gridtokenx/runtime/node';
import { nodeDisk } from '../adapters/disk/node-disk.js';
import type { MeterKey } from '../adapters/keys/key-store.js';
import { scanSegment } from '../adapters/spool/record.js';
import type { Disk } from '../domain/ports.js';
import { contentOf, readSigned, type SignedMessage } from '../domain/signed-message.js';
import type { GatewayConfig } from '../wiring/config.js';
import { pointKeys } from '../wiring/points.js';
import { keyStore, plateOf, StartError, spoolDir } from '../wiring/setup.js';
import { readState, stateDir } from '../wiring/states.js';

export interface StatementOptions {
  readonly window: number;
  /** Name of a meter or a derived point; optional where there is only one. */
  readonly meter?: string;
  readonly out: string;
}

/** The file that `statement` writes and `submit-statement` reads [wire §10.3]. */
export interface StatementFile {
  readonly version: 1;
  readonly meter_id: string;
  /** Public key of the signer, base58. */
  readonly key: string;
  readonly window: Window;
  readonly import_wh: string;
  readonly export_wh: string;
  /** Wh by which signed registers are above the meter's own; absent where they are equal. */
  readonly offsets?: readonly [importWh: string, exportWh: string];
  /** The 171 signed bytes, hex. */
  readonly message: string;
}

/**
 * Writes the statement that the gateway signed for a window, as the spool holds it. Signs and changes nothing, so it
 * may run beside the gateway. Throws `StartError` where there is no such statement.
 */
export async function writeStatement(config: GatewayConfig, options: StatementOptions): Promise<void> {
  const { name, key } = await chooseKey(config, options.meter);
  const found = await findStatements(nodeDisk, spoolDir(config), toHex(key.meterId));
  const wanted = found.find(({ statement }) => statement.window === options.window);
  if (!wanted) throw new StartError(missing(name, options.window, found));
  const { message, statement } = wanted;
  const { payload, signature } = parseSign1(message.bytes);
  const { publicKey } = key.signer;
  if (!provedVerifier().verify(signature, sigStructure(payload), publicKey)) {
    throw new StartError(`the statement of meter ${name} for window ${options.window} was signed by another key`);
  }
  const file: StatementFile = {
    version: 1,
    meter_id: toHex(key.meterId),
    key: base58Encode(publicKey),
    window: statement.window,
    import_wh: String(statement.importWh),
    export_wh: String(statement.exportWh),
    ...(await offsetsOf(config, toHex(key.meterId))),
    message: toHex(message.bytes),
  };
  writeFileSync(options.out, `${JSON.stringify(file, null, 2)}\n`);
  if (!isAttestable(statement.quality)) {
    console.error('note: its quality is stale, unsynchronised or after a discontinuity: no chain accepts it');
  }
}

/** Reads the offsets that a person accepted; nothing where there are none, or where the state cannot be read. */
async function offsetsOf(config: GatewayConfig, meterId: string): Promise<Pick<StatementFile, 'offsets'>> {
  const { state } = await readState(nodeDisk, join(stateDir(config), `${meterId}.json`));
  const { importWh, exportWh } = state.offsets;
  return importWh === 0n && exportWh === 0n ? {} : { offsets: [`${importWh}`, `${exportWh}`] };
}

async function chooseKey(config: GatewayConfig, wanted: string | undefined): Promise<{ name: string; key: MeterKey }> {
  const keys = keyStore(config, { isSigning: false });
  const meters = [];
  for (const meter of config.meters)
    meters.push({ config: meter, key: await keys.meter(meter.name, plateOf(meter), false) });
  const points = await pointKeys(config, keys, meters, false);
  const all = [...points, ...meters].map((one) => ({ name: one.config.name, key: one.key }));
  // Only the point has a meter slot on the chain, so it is the default.
  const chosen =
    wanted === undefined ? all.slice(0, all.length === 1 || points.length === 1 ? 1 : 0) : named(all, wanted);
  const [one] = chosen;
  if (one) return one;
  const names = all.map(({ name }) => name).join(', ');
  throw new StartError(
    wanted === undefined
      ? `give --meter: the configuration has ${names}`
      : `there is no meter "${wanted}": the configuration has ${names}`,
  );
}

const named = <T extends { name: string }>(all: readonly T[], wanted: string) =>
  all.filter(({ name }) => name === wanted);

interface Found {
  readonly message: SignedMessage;
  readonly statement: Statement;
}

/** Finds the statements of a meter in a spool. Only reads: torn tails and damage stay as they are. */
export async function findStatements(disk: Disk, dir: string, meterId: string): Promise<Found[]> {
  const found: Found[] = [];
  for await (const message of messagesIn(disk, dir)) {
    const statement = message.meterId === meterId ? contentOf(message) : null;
    if (statement?.kind === Kind.statement) found.push({ message, statement });
  }
  return found;
}

/** Returns the meters whose enrolment a spool holds, by id in hex. Only reads. */
export async function findEnrolled(disk: Disk, dir: string): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for await (const { kind, meterId } of messagesIn(disk, dir)) if (kind === Kind.enrolment) found.add(meterId);
  return found;
}

/** Reads the statements, events and enrolments of a spool. */
async function* messagesIn(disk: Disk, dir: string): AsyncGenerator<SignedMessage> {
  for (const name of (await disk.list(dir)).filter((one) => /^s-\d{8}\.seg$/.test(one))) {
    const bytes = (await disk.read(join(dir, name))) ?? new Uint8Array(0);
    for (const record of scanSegment(bytes).records) {
      const message = readSigned(record.bytes);
      if (message) yield message;
    }
  }
}

function missing(name: string, window: number, found: readonly Found[]): string {
  const what = `there is no statement of meter ${name} for window ${window}`;
  if (found.length === 0) return `${what}: the spool has none of this meter`;
  const windows = found.map(({ statement }) => statement.window);
  const [oldest, newest] = [Math.min(...windows), Math.max(...windows)];
  if (window > newest) return `${what}: the newest signed statement is of window ${newest}`;
  if (window < oldest) return `${what}: the spool no longer has it, the oldest is of window ${oldest}`;
  return `${what}: the gateway signed none, or its record is damaged (the spool has only some of the windows ${oldest} to ${newest})`;
}
