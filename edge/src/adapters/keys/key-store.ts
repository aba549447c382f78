import { fromHex, meterId, PAYLOAD_BYTES, pointId, type Signer, toHex } from '@gridtokenx/protocol';
import type { Random } from '@gridtokenx/runtime/core';
import type { Disk } from '../../domain/ports.js';
import { KeyError } from './key-error.js';
import { hex, type KeyFields, KeyFiles, type KeyFilesOptions } from './key-files.js';

export { KeyError } from './key-error.js';

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

/** The key that follows a meter's present one. */
export interface NextKey {
  readonly signer: Signer;
  /** Payload of its enrolment, 96 bytes. */
  readonly enrolment: Uint8Array;
  readonly isApproved: boolean;
}

const ENROLMENT = new RegExp(`^[0-9a-f]{${2 * PAYLOAD_BYTES}}$`);
const meterFile = (name: string) => `meter-${name}.json`;
const nextFile = (name: string) => `next-${name}.json`;

/** Returns the keys of a meter's file that its next key shares: salt, nameplate, and id. */
function publicFields({ salt, manufacturer, model, serial, meter_id: id }: KeyFields): KeyFields {
  return { salt, manufacturer, model, serial, meter_id: id };
}

/** Name of the file with the gateway's own key. */
export const GATEWAY_FILE = 'gateway.json';

/**
 * Keeps keys as files of mode 0600 below `dir` [gateway §2]. Keys are created here and never leave; a meter's salt is
 * stored with its key. Hardware keys will implement the same `Signer` port later.
 */
export class KeyStore {
  readonly files: KeyFiles;
  readonly #random: Random;

  constructor(disk: Disk, dir: string, random: Random, options: KeyFilesOptions = {}) {
    this.files = new KeyFiles(disk, dir, options);
    this.#random = random;
  }

  /**
   * Returns the gateway's own key; creates it if `create` and there is none, with `fields` beside it. Throws `KeyError`.
   */
  async gateway(create: boolean, fields: KeyFields = {}): Promise<Signer> {
    const found = await this.files.read(GATEWAY_FILE);
    if (found) return this.files.signerOf(found, GATEWAY_FILE);
    if (!create) throw new KeyError('there is no gateway key yet: run "init" first');
    return this.files.signerOf(await this.files.write(GATEWAY_FILE, this.#random.bytes(32), fields), GATEWAY_FILE);
  }

  /**
   * Returns the key of one meter; creates it if `create` and there is none. Throws `KeyError`, also for another
   * nameplate.
   */
  async meter(name: string, plate: Plate, create: boolean): Promise<MeterKey> {
    const file = meterFile(name);
    let found = await this.files.read(file);
    if (!found) {
      if (!create) throw new KeyError(`there is no key for meter ${name} yet: run "init" first`);
      const [seed, salt] = [this.#random.bytes(32), this.#random.bytes(16)];
      const fields = { salt: toHex(salt), ...plate, meter_id: toHex(meterId({ salt, ...plate })) };
      found = await this.files.write(file, seed, fields);
    }
    for (const part of ['manufacturer', 'model', 'serial'] as const) {
      if (found[part] !== plate[part]) {
        const what = `the key of meter ${name} was made for ${part} "${String(found[part])}", the configuration says "${plate[part]}"`;
        throw new KeyError(`${what}: one key serves one meter; give an exchanged meter a new name`);
      }
    }
    const salt = hex(found.salt, 16, file);
    const id = meterId({ salt, ...plate });
    this.#check(found.meter_id, id, `${this.files.dir}/${file}: its salt does not match its meter_id`);
    return { signer: this.files.signerOf(found, file), meterId: id, file: `${this.files.dir}/${file}` };
  }

  /** Returns the next key of a meter, which waits for its turn; null for none. Throws `KeyError`. */
  async next(name: string): Promise<NextKey | null> {
    const file = nextFile(name);
    const found = await this.files.read(file);
    if (!found) return null;
    const { enrolment, approved } = found;
    if (typeof enrolment !== 'string' || !ENROLMENT.test(enrolment))
      throw new KeyError(`${this.files.dir}/${file} is damaged: restore it from a backup of the data directory`, true);
    const signer = this.files.signerOf(found, file);
    return { signer, enrolment: fromHex(enrolment), isApproved: approved === true };
  }

  /**
   * Stores the next key of a meter beside the present one, with the payload of its enrolment. Makes the key where there
   * is none. Throws `KeyError`.
   */
  async keepNext(name: string, enrolment: Uint8Array): Promise<NextKey> {
    const file = nextFile(name);
    const found = await this.files.read(file);
    const present = await this.files.read(meterFile(name));
    if (found) await this.files.change(file, found, { enrolment: toHex(enrolment) });
    else if (present)
      await this.files.write(file, this.#random.bytes(32), { ...publicFields(present), enrolment: toHex(enrolment) });
    return (await this.next(name)) as NextKey;
  }

  /** Records that the utility has approved the next key. */
  async approveNext(name: string): Promise<void> {
    const found = await this.files.read(nextFile(name));
    if (found) await this.files.change(nextFile(name), found, { approved: true });
  }

  /** Puts the next key of a meter in the place of the present one, then removes its file. A cut leaves one of both. */
  async promoteNext(name: string): Promise<void> {
    const found = await this.files.read(nextFile(name));
    if (!found) return;
    const { enrolment: _enrolment, approved: _approved, ...fields } = found;
    await this.files.replace(meterFile(name), fields);
    await this.files.remove(nextFile(name));
  }

  /**
   * Returns the key of a point that is derived from two meters; creates it if `create` and there is none. Throws
   * `KeyError`, also when the key was created for other meters.
   */
  async point(name: string, production: Uint8Array, consumption: Uint8Array, create: boolean): Promise<MeterKey> {
    const file = `point-${name}.json`;
    const id = pointId(production, consumption);
    let found = await this.files.read(file);
    if (!found) {
      if (!create) throw new KeyError(`there is no key for point ${name} yet: run "init" first`);
      found = await this.files.write(file, this.#random.bytes(32), { point: toHex(id) });
    }
    if (found.point !== toHex(id)) {
      const what = `the key of point ${name} was made for other meters than the configuration names`;
      throw new KeyError(`${what}: one key serves one point; give the new point a new name`);
    }
    return { signer: this.files.signerOf(found, file), meterId: id, file: `${this.files.dir}/${file}` };
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
}
