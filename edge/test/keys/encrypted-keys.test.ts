import * as crypto from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ed25519Signer, fromHex, toHex } from '@gridtokenx/protocol';
import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { build, command, temporaryDirectory } from '@gridtokenx/testing-kit/processes';
import { Random } from '@gridtokenx/testing-kit/random';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { KeyStore } from '../../src/adapters/keys/key-store.js';
import { findSealer } from '../../src/adapters/keys/passphrase.js';
import { KeySealer, sealedSeedOf } from '../../src/adapters/keys/sealed-seed.js';

const PASSPHRASE = 'correct horse battery staple';
const PLATE = { manufacturer: 'Eastron', model: 'SDM630', serial: '1001' };
const rights = { check: () => {}, makeFolderPrivate: () => {} };
/** The golden file has the full cost; the others have a low one. */
const sealerOf = (text = PASSPHRASE, seed = 9, cost = { passes: 1, memory_kib: 64 }) =>
  new KeySealer(Buffer.from(text), 'a file', new Random(seed, 'passphrase'), cost);
const storeOn = (disk: CrashDisk, sealer: KeySealer | null = null, isSigning = true) =>
  new KeyStore(disk, '/keys', new Random(1, 'keys'), { sealer, rights, isSigning });
const textOf = (disk: CrashDisk, name: string) =>
  Buffer.from(disk.files.get(`/keys/${name}`)?.cache ?? []).toString('utf8');

/** Makes a gateway, a meter and a point; returns their public keys. */
async function open(store: KeyStore, create: boolean): Promise<string[]> {
  const gateway = await store.gateway(create);
  const meter = await store.meter('m', PLATE, create);
  const point = await store.point('p', meter.meterId, new Uint8Array(16), create);
  return [gateway, meter.signer, point.signer].map(({ publicKey }) => toHex(publicKey));
}

/** Copies a disk, and forgets nothing of it. */
const copyOf = (disk: CrashDisk) => CrashDisk.fromImage(disk.image());

describe('a key file of version 2', () => {
  test('has these bytes, which another implementation opens', async () => {
    const disk = new CrashDisk();
    const [, , point] = await open(storeOn(disk, sealerOf(PASSPHRASE, 9, { passes: 3, memory_kib: 65_536 })), true);
    const text = textOf(disk, 'point-p.json');
    expect(text).toMatchInlineSnapshot(`
      "{"version":2,"public_key":"afd539590bde3bc0aa2e1160cba22046b5c90eba95b53effe5e4b1e593b92e8a","point":"4bb46147a76f8d491b1da5ef4421580d","sealed":{"kdf":"argon2id","passes":3,"memory_kib":65536,"salt":"b79826e4e58e4d9844f4612de3cb5a83","cipher":"aes-256-gcm","nonce":"a59014afea30d56eaf6108df","box":"c69b9f1309620d3bea73957c1917bd0375101f44357a07da71e04ee39f6f867131fa3eea913f19d7b22abde941a7eff0"}}
      "
    `);
    const { sealed, public_key: publicKey } = JSON.parse(text);
    // Node's own Argon2 and AES, which the gateway does not use for this.
    const { argon2Sync } = crypto as unknown as { argon2Sync(kind: string, terms: object): Buffer };
    const key = argon2Sync('argon2id', {
      ...{ message: PASSPHRASE, nonce: Buffer.from(sealed.salt, 'hex'), parallelism: 1, tagLength: 32 },
      ...{ memory: sealed.memory_kib, passes: sealed.passes },
    });
    const box = Buffer.from(sealed.box, 'hex');
    const decipher = crypto.createDecipheriv('aes-256-gcm', key, Buffer.from(sealed.nonce, 'hex'));
    decipher.setAAD(Buffer.concat([Buffer.from('gridtokenx/key-file/2\0'), Buffer.from(publicKey, 'hex')]));
    decipher.setAuthTag(box.subarray(32));
    const seed = Buffer.concat([decipher.update(box.subarray(0, 32)), decipher.final()]);
    expect(toHex(ed25519Signer(seed).publicKey)).toBe(point);
  });

  test('holds no seed, and shares one salt of the passphrase with the others', async () => {
    const plain = new CrashDisk();
    const sealed = new CrashDisk();
    await open(storeOn(plain), true);
    await open(storeOn(sealed, sealerOf()), true);
    const salts = new Set<string>();
    const nonces = new Set<string>();
    for (const name of ['gateway.json', 'meter-m.json', 'point-p.json']) {
      const { seed } = JSON.parse(textOf(plain, name));
      const text = textOf(sealed, name);
      expect(text).not.toContain(seed);
      const found = sealedSeedOf(JSON.parse(text).sealed);
      salts.add(found?.salt ?? '');
      nonces.add(found?.nonce ?? '');
    }
    expect([salts.size, nonces.size]).toEqual([1, 3]);
  });

  test('opens with its passphrase only; a message names the file and no secret', async () => {
    const disk = new CrashDisk();
    const before = await open(storeOn(disk, sealerOf()), true);
    expect(await open(storeOn(disk, sealerOf(PASSPHRASE, 77)), false)).toEqual(before);
    await expect(open(storeOn(disk, sealerOf('another')), false)).rejects.toThrow(
      'the passphrase in a file does not open /keys/gateway.json: name the passphrase that encrypted it',
    );
    await expect(open(storeOn(disk), false)).rejects.toThrow(
      '/keys/gateway.json is encrypted: name its passphrase by GTX_KEY_PASSPHRASE_FILE, keys.passphrase_file',
    );
  });

  test('tells its identity without a passphrase, and then signs nothing', async () => {
    const disk = new CrashDisk();
    const before = await open(storeOn(disk, sealerOf()), true);
    const store = storeOn(disk, null, false);
    expect(await open(store, false)).toEqual(before);
    const { signer } = await store.meter('m', PLATE, false);
    expect(() => signer.sign(new Uint8Array(1))).toThrow('was opened for its identity only');
  });

  test('of another key, with a changed digit, or with a cost without bounds is refused', async () => {
    const disk = new CrashDisk();
    await open(storeOn(disk, sealerOf()), true);
    const text = textOf(disk, 'gateway.json');
    const other = JSON.parse(textOf(disk, 'meter-m.json'));
    const value = JSON.parse(text);
    const { sealed } = value;
    const flipped = `${sealed.box.slice(0, -1)}${sealed.box.endsWith('0') ? '1' : '0'}`;
    const changed: [object, string][] = [
      [{ ...value, sealed: other.sealed }, 'does not open'],
      [{ ...value, public_key: other.public_key }, 'does not open'],
      [{ ...value, sealed: { ...sealed, box: flipped } }, 'does not open'],
      [{ ...value, sealed: { ...sealed, memory_kib: 2 ** 31 } }, 'is damaged'],
      [{ ...value, sealed: { ...sealed, passes: 10_000 } }, 'is damaged'],
      [{ ...value, sealed: { ...sealed, salt: '' } }, 'is damaged'],
      [{ ...value, sealed: null }, 'is damaged'],
      [{ ...value, version: 3 }, 'is damaged'],
    ];
    for (const [file, words] of changed) {
      const damaged = copyOf(disk);
      await damaged.replace('/keys/gateway.json', Buffer.from(JSON.stringify(file)));
      await expect(storeOn(damaged, sealerOf()).gateway(false)).rejects.toThrow(words);
    }
  });
});

test('a file that a proved passphrase does not open is damaged: its meter does not run, and the others do', async () => {
  const disk = new CrashDisk();
  await open(storeOn(disk, sealerOf()), true);
  const value = JSON.parse(textOf(disk, 'meter-m.json'));
  value.sealed.box = 'f'.repeat(96);
  await disk.replace('/keys/meter-m.json', Buffer.from(JSON.stringify(value)));
  const store = storeOn(disk, sealerOf());
  await expect(store.meter('m', PLATE, false)).rejects.toMatchObject({ isDamage: false });
  await store.gateway(false);
  await expect(store.meter('m', PLATE, false)).rejects.toMatchObject({ isDamage: true });
});

describe('encrypt-keys', () => {
  test('cut at every call leaves keys that open, and a repeated call ends it', async () => {
    const whole = new CrashDisk();
    const before = await open(storeOn(whole), true);
    await whole.replace('/keys/gateway.json.new', Buffer.from('{"seed":"left by a power cut"'));
    const calls = copyOf(whole);
    expect(await storeOn(calls, sealerOf()).files.encrypt()).toHaveLength(3);
    expect(calls.changes).toBeGreaterThanOrEqual(5);
    for (let fuse = 0; fuse < calls.changes; fuse++) {
      const disk = copyOf(whole);
      disk.fuse = fuse;
      await expect(storeOn(disk, sealerOf()).files.encrypt()).rejects.toThrow('the power');
      disk.restart();
      expect(await open(storeOn(disk, sealerOf()), false), `cut ${fuse}`).toEqual(before);
      await storeOn(disk, sealerOf()).files.encrypt();
      expect(await open(storeOn(disk, sealerOf()), false)).toEqual(before);
      for (const name of ['gateway.json', 'meter-m.json', 'point-p.json'])
        expect(textOf(disk, name)).toContain('"version":2');
      expect([...disk.files.keys()].filter((name) => name.endsWith('.new'))).toEqual([]);
    }
  });

  test('with another passphrase than that of an encrypted file changes nothing', async () => {
    const disk = new CrashDisk();
    await storeOn(disk).meter('m', PLATE, true);
    await storeOn(disk, sealerOf()).gateway(true);
    const before = disk.image();
    await expect(storeOn(disk, sealerOf('another')).files.encrypt()).rejects.toThrow('does not open');
    await expect(storeOn(disk).files.encrypt()).rejects.toThrow('there is no passphrase: name one by');
    expect(disk.image()).toEqual(before);
  });

  test('reads files that earlier versions made, without public key and meter_id', async () => {
    const disk = new CrashDisk();
    const before = await open(storeOn(disk), true);
    for (const name of ['gateway.json', 'meter-m.json', 'point-p.json']) {
      const { public_key: _key, meter_id: _id, ...then } = JSON.parse(textOf(disk, name));
      await disk.replace(`/keys/${name}`, Buffer.from(JSON.stringify(then)));
    }
    await storeOn(disk, sealerOf()).files.encrypt();
    expect(await open(storeOn(disk, sealerOf()), false)).toEqual(before);
  });
});

describe('the passphrase', () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  beforeAll(build);
  beforeEach(() => {
    directory = temporaryDirectory();
  });
  afterEach(() => directory.remove());

  function write(name: string, text: string, mode = 0o600): string {
    const path = join(directory.path, name);
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  }

  test('comes from the environment, then the configuration, then the systemd credential', () => {
    const random = new Random(1, 'r');
    const file = write('a', 'one');
    const other = write('b', 'two');
    const credential = write('gridtokenx-keys', 'three', 0o440);
    const env = { GTX_KEY_PASSPHRASE_FILE: file, CREDENTIALS_DIRECTORY: directory.path };
    expect(findSealer(other, random, env)?.source).toBe(file);
    expect(findSealer(other, random, { ...env, GTX_KEY_PASSPHRASE_FILE: '' })?.source).toBe(other);
    expect(findSealer(undefined, random, { CREDENTIALS_DIRECTORY: directory.path })?.source).toBe(credential);
    expect(findSealer(undefined, random, { CREDENTIALS_DIRECTORY: join(directory.path, 'none') })).toBeNull();
    expect(findSealer(undefined, random, {})).toBeNull();
  });

  test('loses one line end, and nothing else', async () => {
    const disk = new CrashDisk();
    const before = await open(storeOn(disk, sealerOf('words ')), true);
    const opened = (text: string) => {
      const sealer = findSealer(write('phrase', text), new Random(2, 'r'), {});
      return open(storeOn(disk, sealer), false);
    };
    expect(await opened('words \n')).toEqual(before);
    expect(await opened('words \r\n')).toEqual(before);
    await expect(opened('words')).rejects.toThrow('does not open');
    await expect(opened('words \n\n')).rejects.toThrow('does not open');
  });

  test.each([
    ['missing', null, 0o600, 'the passphrase file is missing'],
    ['readable by others', 'secret-words', 0o644, 'others may read this passphrase'],
    ['empty', '\n', 0o600, 'expected a passphrase of 1 to 4096 bytes'],
  ])('in a file that is %s is refused', (_, text, mode, words) => {
    const path = text === null ? join(directory.path, 'none') : write('phrase', text, mode);
    expect(() => findSealer(path, new Random(1, 'r'), {})).toThrow(words);
  });

  test('at the command: wrong is one line and exit 2, right encrypts, and no line has a secret', async () => {
    const data = join(directory.path, 'data');
    mkdirSync(data, { mode: 0o700 });
    const key = '11111111111111111111111111111112';
    const configOf = (file: string | null) =>
      write(
        'gateway.json',
        JSON.stringify({
          ...{ network_id: '0102030405060708', data_dir: data, name: 'home', oracles: [{ key }] },
          ...(file === null ? {} : { keys: { passphrase_file: file } }),
          broker: { url: 'mqtt://127.0.0.1:1', name: 'broker' },
          buses: [{ transport: 'tcp', name: 'lan', host: '127.0.0.1', port: 1 }],
          meters: [
            {
              ...{ name: 'main', ...PLATE, profile: 'eastron-sdm630', bus: 'lan', unit: 1, owner: key, zone: 1 },
              ...{ export_limit_w: 1000, import_limit_w: 1000 },
            },
          ],
        }),
      );
    const right = write('right', 'the-right-words\n');
    const wrong = write('wrong', 'the-wrong-words\n');
    const gateway = (name: string, file: string | null) =>
      command('edge/dist/main.js', [name, '--config', configOf(file)]);
    const made = await gateway('init', null);
    expect(made.code, made.output).toBe(0);
    const seed = JSON.parse(readFileSync(join(data, 'keys', 'gateway.json'), 'utf8')).seed as string;
    expect(fromHex(seed)).toHaveLength(32);
    expect(await gateway('encrypt-keys', right)).toMatchObject({ code: 0 });
    expect(await gateway('init', right)).toEqual(made);
    for (const [name, file] of [
      ['encrypt-keys', wrong],
      ['init', wrong],
      ['init', null],
    ] as const) {
      const { code, output } = await gateway(name, file);
      expect([name, code, output.trim().split('\n').length]).toEqual([name, 2, 1]);
      for (const secret of [seed, 'the-right-words', 'the-wrong-words']) expect(output).not.toContain(secret);
    }
    expect(existsSync(join(data, 'keys', 'gateway.json.new'))).toBe(false);
  }, 60_000);
});
