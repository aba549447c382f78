import { chmodSync } from 'node:fs';
import { equalBytes, fromHex, isTorsionFreeKey, type Signer, toHex } from '@gridtokenx/protocol';
import { refuseReadableByOthers, sodiumSigner } from '@gridtokenx/runtime/node';
import type { Disk } from '../../domain/ports.js';
import { KeyError } from './key-error.js';
import { PASSPHRASE_PLACES } from './passphrase.js';
import { type KeySealer, sealedSeedOf } from './sealed-seed.js';

/** The keys of one file's JSON object. */
export type KeyFields = Readonly<Record<string, unknown>>;

export interface KeyFilesOptions {
  /** Opens and makes files of version 2; null: new files have version 1. */
  readonly sealer?: KeySealer | null;
  /** False: a sealed key needs no passphrase, and signs nothing. */
  readonly isSigning?: boolean;
  /** Checks the rights of an existing file, and sets those of the folder. Tests without a file system replace it. */
  readonly rights?: KeyRights;
}

interface KeyRights {
  /** Throws `OperatorError` when others may read the file. */
  check(path: string): void;
  makeFolderPrivate(path: string): void;
}

const systemRights: KeyRights = {
  check: (path) => refuseReadableByOthers(path),
  makeFolderPrivate: (path) => {
    if (process.platform !== 'win32') chmodSync(path, 0o700);
  },
};

const RESTORE = 'restore it from a backup of the data directory';

/** Reads and writes the key files of one folder, of version 1 (the seed as it is) and 2 (sealed) [gateway §2]. */
export class KeyFiles {
  readonly #disk: Disk;
  readonly dir: string;
  readonly #sealer: KeySealer | null;
  readonly #isSigning: boolean;
  readonly #rights: KeyRights;

  constructor(disk: Disk, dir: string, options: KeyFilesOptions = {}) {
    this.#disk = disk;
    this.dir = dir;
    this.#sealer = options.sealer ?? null;
    this.#isSigning = options.isSigning ?? true;
    this.#rights = options.rights ?? systemRights;
  }

  /** Returns a file's keys; null when there is none. Throws `KeyError`, and `OperatorError` when others may read it. */
  async read(file: string): Promise<KeyFields | null> {
    const path = `${this.dir}/${file}`;
    const bytes = await this.#disk.read(path);
    if (!bytes) return null;
    this.#rights.check(path);
    try {
      const value = JSON.parse(Buffer.from(bytes).toString('utf8')) as KeyFields;
      if (value.version === 1 || value.version === 2) return value;
    } catch {
      // Falls through to the message below.
    }
    throw new KeyError(`${path} is damaged: ${RESTORE}`, true);
  }

  /** Returns the signer of a file's key. Throws `KeyError`. */
  signerOf(found: KeyFields, file: string): Signer {
    if (found.version === 2 && !this.#isSigning) return lockedSigner(hex(found.public_key, 32, file), file);
    const signer = sodiumSigner(this.#seedOf(found, file));
    if (!isTorsionFreeKey(signer.publicKey)) throw new KeyError(`${file} holds no usable key`);
    // Files of earlier versions have no public key.
    if (found.public_key !== undefined && found.public_key !== toHex(signer.publicKey))
      throw new KeyError(`${this.dir}/${file}: its seed does not match its public_key: ${RESTORE}`, true);
    return signer;
  }

  #seedOf(found: KeyFields, file: string): Uint8Array {
    if (found.version === 1) return hex(found.seed, 32, file);
    const path = `${this.dir}/${file}`;
    const sealed = sealedSeedOf(found.sealed);
    if (!sealed) throw new KeyError(`${path} is damaged: ${RESTORE}`, true);
    if (!this.#sealer) throw new KeyError(`${path} is encrypted: name its passphrase by ${PASSPHRASE_PLACES}`);
    const seed = this.#sealer.open(sealed, hex(found.public_key, 32, file));
    if (seed) return seed;
    const advice = 'name the passphrase that encrypted it, or restore the file from a backup';
    throw new KeyError(
      `the passphrase in ${this.#sealer.source} does not open ${path}: ${advice}`,
      this.#sealer.hasOpened,
    );
  }

  /** Writes a file durably, sealed where there is a passphrase; returns its keys. `fields`: all but version and seed. */
  async write(file: string, seed: Uint8Array, fields: KeyFields): Promise<KeyFields> {
    await this.#disk.makeDir(this.dir);
    this.#rights.makeFolderPrivate(this.dir);
    const value = this.#fieldsOf(seed, fields);
    await this.#put(file, value);
    return value;
  }

  /** Replaces the keys of a file that are no secret, durably. */
  async change(file: string, found: KeyFields, fields: KeyFields): Promise<void> {
    await this.#put(file, { ...found, ...fields });
  }

  /** Replaces a file as a whole, durably, by keys that `read` returned. */
  replace(file: string, found: KeyFields): Promise<void> {
    return this.#put(file, found);
  }

  /** Removes a file durably. */
  async remove(file: string): Promise<void> {
    await this.#disk.remove(`${this.dir}/${file}`);
    await this.#disk.syncDir(this.dir);
  }

  #put(file: string, value: KeyFields): Promise<void> {
    return this.#disk.replace(`${this.dir}/${file}`, Buffer.from(`${JSON.stringify(value)}\n`));
  }

  #fieldsOf(seed: Uint8Array, fields: KeyFields): KeyFields {
    const { publicKey } = sodiumSigner(seed);
    const { version: _version, seed: _seed, public_key: _key, ...rest } = fields;
    const known = { public_key: toHex(publicKey), ...rest };
    if (!this.#sealer) return { version: 1, seed: toHex(seed), ...known };
    return { version: 2, ...known, sealed: this.#sealer.seal(seed, publicKey) };
  }

  /** Lists the key files. */
  async names(): Promise<string[]> {
    return (await this.#disk.list(this.dir)).filter((name) => name.endsWith('.json'));
  }

  /**
   * Rewrites each file of version 1 as version 2; returns their names. Opens every file before it changes the first, so
   * a wrong passphrase changes nothing. A cut leaves each file old or new, and a repeated call goes on. Throws
   * `KeyError` without a passphrase, and for a file that it cannot open.
   */
  async encrypt(): Promise<string[]> {
    if (!this.#sealer) throw new KeyError(`there is no passphrase: name one by ${PASSPHRASE_PLACES}`);
    const plain: { file: string; found: KeyFields; signer: Signer }[] = [];
    for (const file of await this.names()) {
      const found = await this.read(file);
      if (!found) continue;
      const signer = this.signerOf(found, file);
      if (found.version === 1) plain.push({ file, found, signer });
    }
    for (const { file, found, signer } of plain) {
      const made = this.#fieldsOf(this.#seedOf(found, file), found);
      if (!equalBytes(this.signerOf(made, file).publicKey, signer.publicKey))
        throw new Error(`${file}: the encrypted key is another one`);
      await this.#put(file, made);
    }
    await this.#removeRemains();
    return plain.map(({ file }) => file);
  }

  /** Removes what writes that a power cut ended have left: it may hold a seed. */
  async #removeRemains(): Promise<void> {
    for (const name of await this.#disk.list(this.dir))
      if (name.endsWith('.json.new')) await this.#disk.remove(`${this.dir}/${name}`);
    await this.#disk.syncDir(this.dir);
  }
}

/** Knows its public key, and refuses to sign. */
function lockedSigner(publicKey: Uint8Array, file: string): Signer {
  return {
    publicKey,
    sign: () => {
      throw new KeyError(`${file} is encrypted and was opened for its identity only`);
    },
  };
}

/** Decodes a value of `length` bytes. Throws `KeyError` for another form. */
export function hex(value: unknown, length: number, file: string): Uint8Array {
  if (typeof value === 'string' && /^[0-9a-f]*$/.test(value) && value.length === 2 * length) return fromHex(value);
  throw new KeyError(`${file} is damaged: ${RESTORE}`, true);
}
