import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { type MeterWatermark, toHex } from '@gridtokenx/protocol';
import type { MeterKey } from '../adapters/keys/key-store.js';
import { AckTracker, oracleName } from '../domain/delivery/ack-tracker.js';
import type { Disk, Spool } from '../domain/ports.js';
import { LOST_MARGIN, rebuiltState } from '../domain/signing/lost-state.js';
import { decodeState, encodeState, FRESH_STATE, type MeterState } from '../domain/signing/meter-state.js';
import type { RecoveredMeter } from '../domain/signing/recovery.js';
import type { GatewayConfig } from './config.js';

/** A state file as it was found. */
export interface FoundState {
  /** Fresh where the file is absent or lost. */
  readonly state: MeterState;
  /** Says what is wrong with the file; null for a good one, and where there is none. */
  readonly fault: string | null;
  readonly isThere: boolean;
}

export const stateDir = (config: GatewayConfig): string => join(config.data_dir, 'state');
export const statePath = (config: GatewayConfig, { meterId }: MeterKey): string =>
  join(stateDir(config), `${toHex(meterId)}.json`);
export const acksPath = (config: GatewayConfig): string => join(stateDir(config), 'acks.json');

/** Reads a state file. Never rejects: a file that is damaged or cannot be read has a fault. */
export async function readState(disk: Disk, path: string): Promise<FoundState> {
  try {
    const bytes = await disk.read(path);
    if (!bytes) return { state: FRESH_STATE, fault: null, isThere: false };
    return { state: decodeState(checked(Buffer.from(bytes).toString('utf8'))), fault: null, isThere: true };
  } catch (error) {
    return { state: FRESH_STATE, fault: `${path}: ${(error as Error).message}`, isThere: true };
  }
}

/** Opens the tracker of acks with the newest ones of earlier runs. Ignores a file that is damaged or cannot be read. */
export async function openAcks(disk: Disk, config: GatewayConfig): Promise<AckTracker> {
  const acks = new AckTracker(
    config.oracles.map(({ key }) => oracleName(key)),
    config.ack_threshold,
  );
  const saved = await disk.read(acksPath(config)).catch(() => null);
  if (saved) acks.restore(Buffer.from(saved).toString('utf8'));
  return acks;
}

export type UsableState =
  | { readonly state: MeterState; readonly note: string | null }
  | { readonly state: null; readonly note: string };

/**
 * Returns the state that a meter continues from. A lost one is made from its messages and acks; `note` says so. Returns
 * null where nothing tells which seqs were used.
 */
export function usableState(
  name: string,
  { state, fault, isThere }: FoundState,
  recovered: RecoveredMeter,
  seen: MeterWatermark,
): UsableState {
  const isLost = fault !== null || (!isThere && recovered.highestSeq > 0n);
  if (!isLost) return { state, note: null };
  const what = fault ?? `the state file of meter ${name} is missing`;
  const rebuilt = rebuiltState(recovered, seen);
  if (!rebuilt)
    return { state: null, note: `meter ${name} signs nothing, because nothing tells its last seq: ${what}` };
  const seq = rebuilt.reservedThrough + 1n;
  return {
    state: rebuilt,
    note: `meter ${name} continues at seq ${seq}, ${LOST_MARGIN} above the last known: ${what}`,
  };
}

/** Stores a state durably. A full disk first frees what is kept for states. Rejects with the disk's error. */
export async function storeState(disk: Disk, spool: Spool, path: string, state: MeterState): Promise<void> {
  const bytes = Buffer.from(withCrc(encodeState(state)));
  await disk.replace(path, bytes).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOSPC' || !(await spool.relieve())) throw error;
    await disk.replace(path, bytes);
  });
}

const CRC = /^\{"crc":"([0-9a-f]{8})",/;
const crcOf = (text: string) => crc32(text).toString(16).padStart(8, '0');

/** Puts the CRC-32 of everything behind it before the other keys: a flipped digit would be another number. */
const withCrc = (text: string) => `{"crc":"${crcOf(text.slice(1))}",${text.slice(1)}`;

/** Returns the text, whose CRC is right or absent: earlier software wrote none. Throws `RangeError`. */
function checked(text: string): string {
  const found = CRC.exec(text);
  if (found && crcOf(text.slice(found[0].length)) !== found[1]) throw new RangeError('its CRC is wrong');
  return text;
}
