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

/** Names and fields of all accounts, without their descriptions: data of another layout cannot be read. */
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

/** What a snapshot's file holds. */
export type Generation =
  | { readonly kind: 'none' }
  | { readonly kind: 'good'; readonly snapshot: Snapshot; readonly networkId: string | null }
  | { readonly kind: 'damaged'; readonly why: string }
  /** Made by a version that writes another format or has another account layout. */
  | { readonly kind: 'other version' };

/** The file operations that a snapshot needs; a test puts failing ones in their place. */
export interface SnapshotFiles {
  read(path: string): string | null;
  /** Durable when it returns; nothing is left behind when it throws. */
  write(path: string, text: string): void;
  /** Gives a file a second name, in place of what has that name. */
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

/** The text of a snapshot's file. */
export function encodeSnapshot({ slot, takenAtMs, accounts }: Snapshot): string {
  const body = JSON.stringify({ slot, takenAtMs, accounts });
  const header: Header = { format: FORMAT, layout: LAYOUT, sha256: digest(LAYOUT, body) };
  return `${JSON.stringify(header)}\n${body}\n`;
}

/** Reads a snapshot's file back; never throws for what is in it. */
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
    return { kind: 'damaged', why: 'is cut off or changed' };
  }
  if (digest(header.layout, body) !== header.sha256) return { kind: 'damaged', why: 'is cut off or changed' };
  if (header.format !== FORMAT || header.layout !== LAYOUT) return { kind: 'other version' };
  const snapshot = JSON.parse(body) as Snapshot;
  return { kind: 'good', snapshot, networkId: networkOf(snapshot) };
}

/** The network that a snapshot's registry was initialised for, hex; null where there is no registry yet. */
export function networkOf({ accounts }: Snapshot): string | null {
  const address = pda.config().toBase58();
  const found = accounts.find(({ pubkey }) => pubkey === address)?.account;
  if (!found) return null;
  const data = Buffer.from(found.data[0], 'base64');
  return toHex(decodeConfig({ owner: new PublicKey(found.owner), data }).networkId);
}

/** A snapshot that may be put back, and where it was. */
export interface Candidate {
  readonly path: string;
  readonly snapshot: Snapshot;
}

/** What there is to start from, best first; `words` say what was passed over. */
export interface SnapshotChoice {
  readonly candidates: readonly Candidate[];
  readonly words: readonly string[];
}

/** The two newest snapshots of a chain: one that does not hold never takes the place of one that does. */
export class Generations {
  readonly #path: string;
  readonly #files: SnapshotFiles;
  /** Where the present file is known to hold; only then it is kept as the one before. */
  #isCurrentGood = false;

  constructor(path: string, files: SnapshotFiles = diskFiles) {
    this.#path = path;
    this.#files = files;
  }

  get #previous(): string {
    return `${this.#path}.previous`;
  }

  /**
   * What a start may put back. `network`: the one that the data directory was made for, hex; null for a new one.
   * `folder`: named in advice. Throws `OperatorError` where a chain should be there and is not: an empty one is never begun
   * in its place.
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

  /** The snapshot that was put back holds: the next one may be written over it. */
  started(from: Candidate): void {
    this.#isCurrentGood = from.path === this.#path;
  }

  /** Replaces the present snapshot; the one before stays until the next. Throws the disk's error: then nothing changed. */
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

/** No snapshot can be put back: one line, with the ways out. */
export function lost(problem: string, folder: string): OperatorError {
  const advice = `bring it back from a backup, or delete ${folder} to begin a new chain`;
  return new OperatorError({ code: 'chain-lost', problem, advice });
}
