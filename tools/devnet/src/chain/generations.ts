import { createHash } from 'node:crypto';
import { existsSync, linkSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { accountSizes, decodeConfig, idl, pda } from '@gridtokenx/chain-client';
import { toHex } from '@gridtokenx/protocol';
import { OperatorError } from '@gridtokenx/runtime/core';
import { replacePrivateFile, syncFolder } from '@gridtokenx/runtime/node';
import { PublicKey } from '@solana/web3.js';
import type { Snapshot } from './snapshot.js';

/** 1: one JSON object without a checksum. 2: a header with a checksum on the first line, the accounts below. */
const FORMAT = 2;

/** Hash over names and fields of all accounts, without their descriptions: data of another layout cannot be read. */
const LAYOUT = createHash('sha256')
  .update(
    JSON.stringify([accountSizes, Object.values(idl).map(({ accounts, types }) => [accounts, types])], (key, value) =>
      key === 'docs' ? undefined : value,
    ),
  )
  .digest('hex');

interface Header {
  readonly format: number;
  readonly layout: string;
  readonly sha256: string;
}

/** Content of a snapshot's file. */
export type Generation =
  | { readonly kind: 'none' }
  | { readonly kind: 'good'; readonly snapshot: Snapshot; readonly networkId: string | null }
  | { readonly kind: 'damaged'; readonly why: string }
  /** Made by a version with another format or another account layout. */
  | { readonly kind: 'other version' };

/** The file operations that a snapshot needs; a test substitutes failing ones. */
export interface SnapshotFiles {
  read(path: string): string | null;
  /** Durable when it returns; leaves no file when it throws. */
  write(path: string, text: string): void;
  /** Gives a file a second name, and replaces any file of that name. */
  copyName(from: string, to: string): void;
  rename(from: string, to: string): void;
}

export const diskFiles: SnapshotFiles = {
  read: (path) => (existsSync(path) ? readFileSync(path, 'utf8') : null),
  write: (path, text) => replacePrivateFile(path, Buffer.from(text)),
  copyName(from, to) {
    const temporary = `${to}.tmp`;
    rmSync(temporary, { force: true });
    linkSync(from, temporary);
    renameSync(temporary, to);
  },
  rename(from, to) {
    renameSync(from, to);
    syncFolder(dirname(to));
  },
};

const digest = (layout: string, body: string): string =>
  createHash('sha256').update(`${layout}\n${body}`).digest('hex');

/** Returns the text of a snapshot's file. */
export function encodeSnapshot({ slot, takenAtMs, accounts }: Snapshot): string {
  const body = JSON.stringify({ slot, takenAtMs, accounts });
  const header: Header = { format: FORMAT, layout: LAYOUT, sha256: digest(LAYOUT, body) };
  return `${JSON.stringify(header)}\n${body}\n`;
}

/** Decodes a snapshot's file; never throws for its content. */
export function decodeSnapshot(text: string | null): Generation {
  if (text === null) return { kind: 'none' };
  if (text === '') return { kind: 'damaged', why: 'is empty' };
  // The first version wrote one line without a checksum.
  if (text.startsWith('{"format":1,')) return { kind: 'other version' };
  const end = text.indexOf('\n');
  const [head, body] = [text.slice(0, Math.max(0, end)), text.slice(end + 1).replace(/\n$/, '')];
  let header: Header;
  try {
    header = JSON.parse(head) as Header;
  } catch {
    return { kind: 'damaged', why: 'is truncated or changed' };
  }
  if (digest(header.layout, body) !== header.sha256) return { kind: 'damaged', why: 'is truncated or changed' };
  if (header.format !== FORMAT || header.layout !== LAYOUT) return { kind: 'other version' };
  const snapshot = JSON.parse(body) as Snapshot;
  return { kind: 'good', snapshot, networkId: networkOf(snapshot) };
}

/** Returns the network that a snapshot's registry was initialised for, hex; null where there is no registry yet. */
export function networkOf({ accounts }: Snapshot): string | null {
  const address = pda.config().toBase58();
  const found = accounts.find(({ pubkey }) => pubkey === address)?.account;
  if (!found) return null;
  const data = Buffer.from(found.data[0], 'base64');
  return toHex(decodeConfig({ owner: new PublicKey(found.owner), data }).networkId);
}

/** A snapshot that a start may restore, and its origin. */
export interface Candidate {
  readonly path: string;
  readonly snapshot: Snapshot;
}

/** Snapshots to start from, best first; `words` name the skipped ones. */
export interface SnapshotChoice {
  readonly candidates: readonly Candidate[];
  readonly words: readonly string[];
}

/** Keeps the two newest snapshots of a chain: an invalid snapshot never replaces a valid one. */
export class Generations {
  readonly #path: string;
  readonly #files: SnapshotFiles;
  /** True when the present file is known to be valid; only then it is kept as the previous snapshot. */
  #isCurrentGood = false;

  constructor(path: string, files: SnapshotFiles = diskFiles) {
    this.#path = path;
    this.#files = files;
  }

  get #previous(): string {
    return `${this.#path}.previous`;
  }

  /**
   * Returns the snapshots that a start may restore. `network`: the network of the data directory, hex; null for a new
   * directory. `folder`: named in advice. Throws `OperatorError` where a chain should exist and does not: an empty
   * chain never replaces it.
   */
  choose(network: string | null, folder: string): SnapshotChoice {
    const words: string[] = [];
    const candidates: Candidate[] = [];
    for (const path of [this.#path, this.#previous]) {
      const found = decodeSnapshot(this.#files.read(path));
      if (found.kind === 'none') continue;
      if (found.kind === 'other version') {
        throw earlierVersion(path, folder);
      }
      if (found.kind === 'damaged') words.push(`${path} ${found.why}`);
      else if (network !== null && found.networkId !== network) {
        words.push(`${path} is of network ${found.networkId ?? 'none'}, not of ${network}`);
      } else candidates.push({ path, snapshot: found.snapshot });
    }
    if (candidates.length > 0) return { candidates, words };
    if (network === null && words.length === 0) return { candidates, words };
    throw lost(words.length > 0 ? words.join('; ') : missing(this.#path, network, folder), folder);
  }

  /** Notes that the restored snapshot is valid: the next snapshot may replace it. */
  started(from: Candidate): void {
    this.#isCurrentGood = from.path === this.#path;
  }

  /**
   * Replaces the present snapshot; the previous one stays until the next. Throws the disk's error: then nothing
   * changed.
   */
  write(snapshot: Snapshot): void {
    const temporary = `${this.#path}.tmp`;
    this.#files.write(temporary, encodeSnapshot(snapshot));
    if (this.#isCurrentGood) this.#files.copyName(this.#path, this.#previous);
    else if (this.#files.read(this.#path) !== null) this.#files.copyName(this.#path, `${this.#path}.damaged`);
    this.#files.rename(temporary, this.#path);
    this.#isCurrentGood = true;
  }
}

const missing = (path: string, network: string | null, folder: string) =>
  `${path} is not there, and ${folder} was made for network ${network}`;

function earlierVersion(file: string, folder: string): OperatorError {
  const advice = `give another --data, or delete ${folder}`;
  return new OperatorError({ code: 'earlier-version', file, problem: 'made by an earlier version', advice });
}

/** Returns the error for a chain without a usable snapshot: one line, with the possible remedies. */
export function lost(problem: string, folder: string): OperatorError {
  const advice = `restore it from a backup, or delete ${folder} to begin a new chain`;
  return new OperatorError({ code: 'chain-lost', problem, advice });
}
