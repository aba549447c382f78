import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { MeterId } from '@gridtokenx/protocol';
import { errorText } from '@gridtokenx/runtime/core';
import { systemClock } from '@gridtokenx/runtime/node';
import { nodeDisk } from '../adapters/disk/node-disk.js';
import { scanSegment } from '../adapters/spool/record.js';
import { isSegmentName } from '../adapters/spool/segment.js';
import { openSpool } from '../adapters/spool/spool.js';
import type { Disk, Spool } from '../domain/ports.js';
import { readSigned, type SignedMessage } from '../domain/signed-message.js';
import type { GatewayConfig } from '../wiring/config.js';
import { StartError, spoolDir, takeDirectory } from '../wiring/setup.js';
import { SEGMENT_BYTES } from '../wiring/sizes.js';
import { stateDir } from '../wiring/states.js';

/** Bytes of a block that is read alone where the disk reports an error. */
const BLOCK_BYTES = 4_096;

/** Lists what a recovery found. */
export interface Recovered {
  readonly keys: number;
  readonly states: number;
  readonly records: number;
  /** Bytes of segments that belong to no whole record, or that the disk does not read. */
  readonly lostBytes: number;
  /** Says what could not be read, a line each. */
  readonly notes: readonly string[];
}

/**
 * Copies what can still be read of another data directory, such as that of a damaged card, into the empty `data_dir`:
 * keys, states, and each whole signed record. A run on it declares what is lost, and uses no seq again: it continues
 * above all that the files and the oracles know [gateway §3.2]. Throws `StartError`.
 */
export async function recover(config: GatewayConfig, from: string, disk: Disk = nodeDisk): Promise<Recovered> {
  await checkFolders(config, from, disk);
  await takeDirectory(config);
  const notes: string[] = [];
  const copy = (folder: string, wanted: RegExp) => copyFiles(disk, from, config.data_dir, folder, wanted, notes);
  const keys = await copy('keys', /\.json$/);
  const states = await copy('state', /^([0-9a-f]{32}|acks|floor)\.json$/);
  const dir = spoolDir(config);
  const { spool } = await openSpool(disk, dir, systemClock, () => {}, SEGMENT_BYTES);
  const source = join(from, 'spool');
  let [records, lostBytes] = [0, 0];
  const meters = new Set<MeterId>();
  const names = (await listed(disk, source, notes)).filter(isSegmentName);
  // Statements and events first: the opening of a spool reads them in this order.
  for (const name of [...names.filter((one) => one[0] === 's'), ...names.filter((one) => one[0] === 'r')]) {
    const salvaged = await salvage(disk, join(source, name), notes);
    lostBytes += salvaged.lostBytes;
    records += await store(spool, salvaged.messages);
    for (const { meterId } of salvaged.messages) meters.add(meterId);
    console.error(`${name}: ${salvaged.messages.length} records, ${salvaged.lostBytes} bytes lost`);
  }
  await spool.close();
  await markLost(disk, stateDir(config), meters, notes);
  return { keys, states, records, lostBytes, notes };
}

/**
 * Leaves an empty state file for each key that has messages and no state: a run then counts it as lost. Without a file
 * the key would count as fresh, and seqs could be used twice.
 */
async function markLost(disk: Disk, dir: string, meters: ReadonlySet<MeterId>, notes: string[]): Promise<void> {
  const there = await disk.list(dir);
  for (const meterId of meters) {
    const name = `${meterId}.json`;
    if (there.includes(name)) continue;
    await disk.replace(join(dir, name), new Uint8Array());
    notes.push(
      `state of ${meterId}: lost; the gateway continues above all seqs that its messages and the oracles show`,
    );
  }
}

async function checkFolders(config: GatewayConfig, from: string, disk: Disk): Promise<void> {
  const found = await disk.list(from).catch((error: Error) => {
    throw new StartError(`--from ${from}: cannot be read: ${error.message}`);
  });
  if (!found.includes('keys') && !found.includes('spool'))
    throw new StartError(`--from ${from}: is no data directory: it has neither keys nor spool`);
  const isSame = (await disk.list(config.data_dir)).length > 0 && realpathSync(config.data_dir) === realpathSync(from);
  if (isSame) throw new StartError('--from is data_dir itself: recover copies into another, empty folder');
  for (const folder of ['keys', 'spool', 'state']) {
    if ((await disk.list(join(config.data_dir, folder))).length > 0)
      throw new StartError(
        `${join(config.data_dir, folder)} is not empty: give an empty data_dir in the configuration`,
      );
  }
}

async function listed(disk: Disk, dir: string, notes: string[]): Promise<string[]> {
  return disk.list(dir).catch((error: unknown) => {
    notes.push(`${dir}: cannot be listed: ${errorText(error)}`);
    return [];
  });
}

/** Copies whole files; a file that cannot be read, or is no JSON, is noted and omitted. Returns the number of copies. */
async function copyFiles(
  disk: Disk,
  from: string,
  to: string,
  folder: string,
  wanted: RegExp,
  notes: string[],
): Promise<number> {
  let copied = 0;
  await disk.makeDir(join(to, folder));
  for (const name of (await listed(disk, join(from, folder), notes)).filter((one) => wanted.test(one))) {
    const path = join(from, folder, name);
    try {
      const bytes = await disk.read(path);
      JSON.parse(Buffer.from(bytes ?? '').toString('utf8'));
      await disk.replace(join(to, folder, name), bytes ?? new Uint8Array());
      copied++;
    } catch (error) {
      // The words of a parser would quote the file, which may be a key.
      notes.push(`${path}: ${error instanceof SyntaxError ? 'is damaged' : errorText(error)}: omitted`);
    }
  }
  return copied;
}

/** Reads a segment, block by block where the disk reports errors; a block that it does not read counts as zeros. */
async function salvage(disk: Disk, path: string, notes: string[]) {
  const bytes = await disk.read(path).catch(async (error: unknown) => {
    notes.push(`${path}: ${errorText(error)}: read block by block`);
    return readBlocks(disk, path);
  });
  const scan = scanSegment(bytes ?? new Uint8Array());
  const messages = scan.records.flatMap(({ seq, bytes: found }) => {
    const message = readSigned(found);
    return message?.seq === seq ? [message] : [];
  });
  return { messages, lostBytes: scan.damagedBytes + scan.tornBytes };
}

async function readBlocks(disk: Disk, path: string): Promise<Uint8Array> {
  const blocks: Uint8Array[] = [];
  for (let offset = 0; offset < 2 * SEGMENT_BYTES; offset += BLOCK_BYTES) {
    const block = await disk.readAt(path, offset, BLOCK_BYTES).catch(() => new Uint8Array(BLOCK_BYTES));
    blocks.push(block);
    if (block.length < BLOCK_BYTES) break;
  }
  return Buffer.concat(blocks);
}

/** Appends messages that the spool lacks; returns their number. */
async function store(spool: Spool, messages: readonly SignedMessage[]): Promise<number> {
  const fresh = new Map<string, SignedMessage>();
  for (const message of messages) {
    const key = `${message.meterId} ${message.seq}`;
    if (!spool.has(message.meterId, message.seq) && !fresh.has(key)) fresh.set(key, message);
  }
  if (fresh.size > 0) await spool.append([...fresh.values()]);
  return fresh.size;
}
