import { chmodSync } from 'node:fs';
import { fromHex, isTorsionFreeKey, meterId, pointId, type Signer, toHex } from '@gridtokenx/protocol';
import { OperatorError, type Random } from '@gridtokenx/runtime/core';
import { refuseReadableByOthers, sodiumSigner } from '@gridtokenx/runtime/node';
import type { Disk } from '../../domain/ports.js';

/** Reports a key that cannot be used; the message says what to do. */
export class KeyError extends OperatorError {
  override readonly name = 'KeyError';

  /** True where the file was good once and is not any more. */
  readonly isDamage: boolean;

  constructor(problem: string, isDamage = false) {
    super({ code: 'key', problem, advice: '' });
    this.isDamage = isDamage;
  }
}

export interface Plate {
  readonly manufacturer: string;
  readonly model: string;
  readonly serial: string;
}

/** The key that a gateway signs with for one meter, and the id derived from the meter's nameplate. */
export interface MeterKey {
  readonly signer: Signer;
  readonly meterId: Uint8Array;
  /** Path of the key's file, for messages. */
  readonly file: string;
}

/**
 * Keeps keys as files of mode 0600 below `dir` [gateway §2]. Keys are created here and never leave; a meter's salt is
 * stored with its key. Hardware keys will implement the same `Signer` port later.
 */
export class KeyStore {
  readonly #disk: Disk;
  readonly #dir: string;
  readonly #random: Random;

  constructor(disk: Disk, dir: string, random: Random) {
    this.#disk = disk;
    this.#dir = dir;
    this.#random = random;
  }

  /** Returns the gateway's own key; creates it if `create` and there is none. Throws `KeyError`. */
  async gateway(create: boolean): Promise<Signer> {
    const found = await this.#read('gateway.json');
    if (found) return this.#signerOf(found, 'gateway.json');
    if (!create) throw new KeyError('there is no gateway key yet: run "init" first');
    const seed = this.#random.bytes(32);
    const signer = sodiumSigner(seed);
    await this.#write('gateway.json', { version: 1, seed: toHex(seed), public_key: toHex(signer.publicKey) });
    return signer;
  }

  /**
   * Returns the key of one meter; creates it if `create` and there is none. Throws `KeyError`, also for another
   * nameplate.
   */
  async meter(name: string, plate: Plate, create: boolean): Promise<MeterKey> {
    const file = `meter-${name}.json`;
    let found = await this.#read(file);
    if (!found) {
      if (!create) throw new KeyError(`there is no key for meter ${name} yet: run "init" first`);
      const [pair, salt] = [this.#newPair(), this.#random.bytes(16)];
      found = { version: 1, ...pair, salt: toHex(salt), ...plate, meter_id: toHex(meterId({ salt, ...plate })) };
      await this.#write(file, found);
    }
    for (const part of ['manufacturer', 'model', 'serial'] as const) {
      if (found[part] !== plate[part]) {
        const what = `the key of meter ${name} was made for ${part} "${String(found[part])}", the configuration says "${plate[part]}"`;
        throw new KeyError(`${what}: one key serves one meter; give an exchanged meter a new name`);
      }
    }
    const salt = hex(found.salt, 16, file);
    const id = meterId({ salt, ...plate });
    this.#check(found.meter_id, id, `${this.#dir}/${file}: its salt does not match its meter_id`);
    return { signer: this.#signerOf(found, file), meterId: id, file: `${this.#dir}/${file}` };
  }

  /**
   * Returns the key of a point that is derived from two meters; creates it if `create` and there is none. Throws
   * `KeyError`, also when the key was created for other meters.
   */
  async point(name: string, production: Uint8Array, consumption: Uint8Array, create: boolean): Promise<MeterKey> {
    const file = `point-${name}.json`;
    const id = pointId(production, consumption);
    let found = await this.#read(file);
    if (!found) {
      if (!create) throw new KeyError(`there is no key for point ${name} yet: run "init" first`);
      found = { version: 1, ...this.#newPair(), point: toHex(id) };
      await this.#write(file, found);
    }
    if (found.point !== toHex(id)) {
      const what = `the key of point ${name} was made for other meters than the configuration names`;
      throw new KeyError(`${what}: one key serves one point; give the new point a new name`);
    }
    return { signer: this.#signerOf(found, file), meterId: id, file: `${this.#dir}/${file}` };
  }

  #newPair(): { readonly seed: string; readonly public_key: string } {
    const seed = this.#random.bytes(32);
    return { seed: toHex(seed), public_key: toHex(sodiumSigner(seed).publicKey) };
  }

  #signerOf(found: Record<string, unknown>, file: string): Signer {
    const signer = sodiumSigner(hex(found.seed, 32, file));
    if (!isTorsionFreeKey(signer.publicKey)) throw new KeyError(`${file} holds no usable key`);
    this.#check(found.public_key, signer.publicKey, `${this.#dir}/${file}: its seed does not match its public_key`);
    return signer;
  }

  /**
   * Compares a derived value with its record: any digits make a seed and a salt, so only derived values reveal a
   * change.
   */
  #check(recorded: unknown, made: Uint8Array, problem: string): void {
    // Files of earlier versions record neither.
    if (recorded === undefined || recorded === toHex(made)) return;
    throw new KeyError(`${problem}: restore it from a backup of the data directory`, true);
  }

  async #read(file: string): Promise<Record<string, unknown> | null> {
    const path = `${this.#dir}/${file}`;
    const bytes = await this.#disk.read(path);
    if (!bytes) return null;
    refuseReadableByOthers(path);
    try {
      const value = JSON.parse(Buffer.from(bytes).toString('utf8')) as Record<string, unknown>;
      if (value.version === 1) return value;
    } catch {
      // Falls through to the message below.
    }
    throw new KeyError(`${path} is damaged: restore it from a backup of the data directory`, true);
  }

  async #write(file: string, value: Record<string, unknown>): Promise<void> {
    await this.#disk.makeDir(this.#dir);
    if (process.platform !== 'win32') chmodSync(this.#dir, 0o700);
    await this.#disk.replace(`${this.#dir}/${file}`, Buffer.from(`${JSON.stringify(value)}\n`));
  }
}

function hex(value: unknown, length: number, file: string): Uint8Array {
  if (typeof value === 'string' && /^[0-9a-f]*$/.test(value) && value.length === 2 * length) return fromHex(value);
  throw new KeyError(`${file} is damaged: restore it from a backup of the data directory`, true);
}
