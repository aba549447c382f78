import {
  decodeConfig,
  decodeMeter,
  decodePoint,
  decodeUser,
  decodeZone,
  instructions,
  pda,
  UserRole,
} from '@gridtokenx/chain-client';
import { networkId, sha256 } from '@gridtokenx/protocol';
import { type Keypair, PublicKey, TransactionInstruction } from '@solana/web3.js';
import { beforeEach, describe, expect, test } from 'vitest';
import { Chain } from './src/harness.js';
import { hostileVariants, malformedVariants, problem } from './src/hostile.js';
import { keyOf, START, World, windowAt } from './src/world.js';

const text = (value: string) => new TextEncoder().encode(value);
let world: World;

beforeEach(() => {
  world = new World().setUp();
});

/** The name of the programs' error that the transaction ends with. */
function refusal(list: readonly TransactionInstruction[], signers: readonly Keypair[] = []): string {
  const outcome = world.chain.send(list, signers);
  return outcome.ok ? 'accepted' : (outcome.error?.name ?? outcome.message);
}

describe('initialize', () => {
  test('sets network_id of genesis hash, oracle program and salt', () => {
    const config = world.chain.get(pda.config(), decodeConfig);
    const oracle = instructions.createPage({ payer: world.payer, zone: 0, page: 0 }).programId.toBytes();
    expect(config.networkId).toEqual(networkId(sha256(text('genesis')), oracle, sha256(text('salt')).slice(0, 16)));
    expect(config.authority).toEqual(world.authority.publicKey);
    expect(config.development).toBe(false);
  });

  test('is refused to everybody but the upgrade authority, and a second time', () => {
    const other = new World({}, new Chain());
    const upgradeAuthority = keyOf('thief');
    const stolen = instructions.initialize({
      upgradeAuthority: upgradeAuthority.publicKey,
      payer: other.payer,
      authority: upgradeAuthority.publicKey,
      genesisHash: new Uint8Array(32),
      salt: new Uint8Array(16),
      development: true,
    });
    expect(other.chain.send([stolen], [upgradeAuthority]).error?.name).toBe('NotUpgradeAuthority');
    for (const variant of hostileVariants(other.chain, other.initialize())) {
      expect(problem(variant, other.chain.send([variant.instruction], [other.chain.upgradeAuthority]))).toBe('');
    }
    other.chain.must([other.initialize()], [other.chain.upgradeAuthority]);
    expect(other.chain.send([other.initialize()], [other.chain.upgradeAuthority]).error?.name).toBe(
      'AccountAlreadyInitialized',
    );
  });

  test('is refused to all when the program is immutable', () => {
    const other = new World({}, new Chain());
    const address = pda.programData(other.initialize().programId);
    const account = other.chain.account(address);
    if (!account) throw new Error('no ProgramData');
    const data = Uint8Array.from(account.data);
    data[12] = 0;
    other.chain.put(address, { owner: account.owner, data });
    expect(other.chain.send([other.initialize()], [other.chain.upgradeAuthority]).error?.name).toBe(
      'NotUpgradeAuthority',
    );
  });
});

describe('zones and attestors', () => {
  test('only the authority makes zones, each once', () => {
    const foreign = instructions.createZone({
      authority: world.utility.publicKey,
      payer: world.payer,
      zone: 8,
      utility: world.payer,
      capacityW: 1n,
    });
    expect(refusal([foreign], [world.utility])).toBe('InvalidAuthority');
    expect(refusal([world.createZone()], [world.authority])).toBe('AccountAlreadyInitialized');
    const zone = world.chain.get(pda.zone(7), decodeZone);
    expect(zone).toMatchObject({ zone: 7, threshold: 2, epoch: 1, capacityW: 1_000_000n, meterCount: 0, pageCount: 0 });
    expect(zone.attestors).toEqual(world.attestors.map((key) => key.publicKey));
  });

  test('an address that somebody sent lamports to can still become a zone', () => {
    world.chain.svm.airdrop(pda.zone(9).toBytes(), 1_000_000n);
    expect(refusal([world.createZone(9)], [world.authority])).toBe('accepted');
  });

  test('a set is 1 to 7 distinct keys with a threshold of at least 2 that it can reach', () => {
    const keys = Array.from({ length: 8 }, (_, index) => keyOf(`other ${index}`).publicKey);
    world.chain.time = START + 96 * 900;
    for (const [list, threshold] of [
      [[], 0],
      [keys, 2],
      [keys.slice(0, 3), 1],
      [keys.slice(0, 3), 4],
      [[...keys.slice(0, 2), ...keys.slice(0, 1)], 2],
      [[...keys.slice(0, 2), PublicKey.default], 2],
    ] as const) {
      expect(refusal([world.setAttestors([...list], threshold)], [world.authority])).toBe('InvalidAttestorSet');
    }
    const byUtility = instructions.setZoneAttestors({
      authority: world.utility.publicKey,
      zone: 7,
      threshold: 2,
      attestors: keys.slice(0, 2),
    });
    expect(refusal([byUtility], [world.utility])).toBe('InvalidAuthority');
    expect(refusal([world.setAttestors(keys.slice(0, 7), 7)], [world.authority])).toBe('accepted');
    const zone = world.chain.get(pda.zone(7), decodeZone);
    expect(zone).toMatchObject({ epoch: 2, threshold: 7, previousThreshold: 2, changedWindow: windowAt(START) + 96 });
    expect(zone.previousAttestors).toEqual(world.attestors.map((key) => key.publicKey));
  });

  test('a set stays 96 windows, except in development', () => {
    world.chain.time = START + 96 * 900 - 900;
    expect(refusal([world.setAttestors()], [world.authority])).toBe('AttestorSetLocked');
    world.chain.time = START + 96 * 900;
    expect(refusal([world.setAttestors()], [world.authority])).toBe('accepted');
    world = new World({ development: true, attestors: 1, threshold: 1 }).setUp();
    expect(refusal([world.setAttestors()], [world.authority])).toBe('accepted');
  });

  test('every wrong account is refused', () => {
    world.chain.time = START + 96 * 900;
    for (const instruction of [world.setAttestors(), world.createZone(12)]) {
      for (const variant of [...hostileVariants(world.chain, instruction), ...malformedVariants(instruction)]) {
        expect(problem(variant, world.chain.send([variant.instruction], [world.authority]))).toBe('');
      }
      expect(refusal([instruction], [world.authority])).toBe('accepted');
    }
  });
});

describe('users', () => {
  test('are registered by the utility or the authority, once, with a known role', () => {
    const wallet = keyOf('new').publicKey;
    const by = (authority: PublicKey, role: number) =>
      instructions.registerUser({
        authority,
        payer: world.payer,
        zone: 7,
        wallet,
        commitment: new Uint8Array(32).fill(3),
        role: role as UserRole,
      });
    expect(refusal([by(world.installer.publicKey, 1)], [world.installer])).toBe('InvalidAuthority');
    expect(refusal([by(world.utility.publicKey, 0)], [world.utility])).toBe('InvalidRole');
    expect(refusal([by(world.utility.publicKey, 4)], [world.utility])).toBe('InvalidRole');
    for (const variant of [
      ...hostileVariants(world.chain, by(world.utility.publicKey, 1)),
      ...malformedVariants(by(world.utility.publicKey, 1)),
    ]) {
      expect(problem(variant, world.chain.send([variant.instruction], [world.utility]))).toBe('');
    }
    expect(refusal([by(world.authority.publicKey, 3)], [world.authority])).toBe('accepted');
    expect(refusal([by(world.utility.publicKey, 3)], [world.utility])).toBe('AccountAlreadyInitialized');
    expect(world.chain.get(pda.user(wallet), decodeUser)).toMatchObject({
      wallet,
      role: 3,
      status: 1,
      zone: 7,
      registeredWindow: windowAt(START),
    });
  });
});

describe('register_meter', () => {
  test('records what the device signed and what the utility says', () => {
    const meter = world.meter('a');
    world.chain.must(world.register(meter, { message: { deviceSigned: true, keyEpoch: 4 } }), [world.installer]);
    expect(world.chain.get(pda.meter(meter.id), decodeMeter)).toMatchObject({
      meterId: meter.id,
      owner: meter.owner.publicKey,
      deviceKey: meter.key.publicKey,
      installer: world.installer.publicKey,
      point: pda.point(7, meter.commitment),
      zone: 7,
      page: 0,
      slot: 0,
      exportLimitW: 5_000,
      importLimitW: 10_000,
      registerStepWh: 1,
      enrolmentWindow: windowAt(START),
      firstValidWindow: windowAt(START) + 1,
      keyEpoch: 4,
      baselineImportWh: 1_000n,
      baselineExportWh: 2_000n,
      carriedImportWh: 0n,
      signerLevel: 'device',
      role: 0,
      source: 1,
      status: 1,
      alg: 1,
    });
    expect(world.chain.get(pda.point(7, meter.commitment), decodePoint).meterId).toEqual(meter.id);
    expect(world.chain.get(pda.zone(7), decodeZone)).toMatchObject({ meterCount: 1, pageCount: 1 });
  });

  test('only role point gets a slot and takes the point; evidence shares it', () => {
    const point = world.meter('point');
    const production = { ...world.meter('production'), commitment: point.commitment };
    world.chain.must(world.register(production, { message: { role: 1 } }), [world.installer]);
    world.chain.must(world.register(point), [world.installer]);
    expect(world.chain.get(pda.meter(production.id), decodeMeter)).toMatchObject({ slot: 0xffff, page: 0xffff_ffff });
    expect(world.chain.get(pda.meter(point.id), decodeMeter)).toMatchObject({ slot: 0, page: 0 });
    expect(world.chain.get(pda.zone(7), decodeZone)).toMatchObject({ meterCount: 1, evidenceCount: 1 });
    const second = { ...world.meter('second'), commitment: point.commitment };
    expect(refusal(world.register(second), [world.installer])).toBe('PointTaken');
  });

  test('the same meter twice is refused', () => {
    const meter = world.meter('a');
    world.chain.must(world.register(meter), [world.installer]);
    const again = { ...meter, commitment: world.meter('b').commitment };
    expect(refusal(world.register(again), [world.installer])).toBe('AccountAlreadyInitialized');
  });

  test('messages for elsewhere or another time are refused', () => {
    const meter = world.meter('a');
    const now = windowAt(START);
    for (const [message, name] of [
      [{ networkId: new Uint8Array(8) }, 'WrongNetwork'],
      [{ zone: 8 }, 'ZoneMismatch'],
      [{ window: now + 1 }, 'EnrolmentWindowOutOfRange'],
      [{ window: now - 97 }, 'EnrolmentWindowOutOfRange'],
      [{ owner: keyOf('stranger').publicKey.toBytes() }, 'AccountKeyMismatch'],
      [{ meterId: world.meter('b').id }, 'AccountKeyMismatch'],
    ] as const) {
      expect(refusal(world.register(meter, { message }), [world.installer]), name).toBe(name);
    }
    expect(refusal(world.register(meter, { message: { window: now - 96 } }), [world.installer])).toBe('accepted');
  });

  test('in development the past is open, the future is not; a window may begin 60 s ahead', () => {
    world = new World({ development: true }).setUp();
    const now = windowAt(START);
    expect(refusal(world.register(world.meter('a'), { message: { window: 1 } }), [world.installer])).toBe('accepted');
    world.chain.time = (now + 1) * 900 - 61;
    expect(refusal(world.register(world.meter('b'), { message: { window: now + 1 } }), [world.installer])).toBe(
      'EnrolmentWindowOutOfRange',
    );
    world.chain.time = (now + 1) * 900 - 60;
    expect(refusal(world.register(world.meter('b'), { message: { window: now + 1 } }), [world.installer])).toBe(
      'accepted',
    );
  });

  test('the owner must be a registered user, the signer an installer or the utility', () => {
    const stranger = keyOf('stranger');
    expect(refusal(world.register(world.meter('a', stranger)), [world.installer])).toBe('AccountOwnerMismatch');
    const [verify, register] = world.register(world.meter('a'));
    if (!verify || !register) throw new Error('two instructions');
    const as = (authority: PublicKey, user: PublicKey) => {
      const keys = register.keys.map((meta, index) =>
        index === 0 ? { ...meta, pubkey: authority } : index === 4 ? { ...meta, pubkey: user } : meta,
      );
      return [verify, new TransactionInstruction({ programId: register.programId, keys, data: register.data })];
    };
    const owner = world.owner.publicKey;
    expect(refusal(as(owner, pda.user(owner)), [world.owner])).toBe('InvalidAuthority');
    expect(refusal(as(owner, pda.user(world.installer.publicKey)), [world.owner])).toBe('AccountKeyMismatch');
    world.chain.must([world.createZone(8)], [world.authority]);
    const other = keyOf('installer of zone 8');
    const elsewhere = instructions.registerUser({
      authority: world.utility.publicKey,
      payer: world.payer,
      zone: 8,
      wallet: other.publicKey,
      commitment: new Uint8Array(32),
      role: UserRole.installer,
    });
    world.chain.must([elsewhere], [world.utility]);
    expect(refusal(as(other.publicKey, pda.user(other.publicKey)), [other])).toBe('ZoneMismatch');
    const suspended = pda.user(world.installer.publicKey);
    const account = world.chain.account(suspended);
    if (!account) throw new Error('no user');
    const data = Uint8Array.from(account.data);
    data[79] = 2;
    world.chain.put(suspended, { owner: account.owner, data });
    expect(refusal(world.register(world.meter('a')), [world.installer])).toBe('UserNotActive');
    world.chain.put(suspended, account);
    expect(refusal(as(world.utility.publicKey, register.programId), [world.utility])).toBe('accepted');
  });

  test('every wrong account is refused', () => {
    const meter = world.meter('a');
    // An owner who is not the installer's user and a point that exists, so that each account can be mistaken for another.
    world.chain.must(world.register({ ...world.meter('b'), commitment: meter.commitment }, { message: { role: 2 } }), [
      world.installer,
    ]);
    const [verify, register] = world.register(meter);
    if (!verify || !register) throw new Error('two instructions');
    for (const variant of [...hostileVariants(world.chain, register), ...malformedVariants(register)]) {
      expect(problem(variant, world.chain.send([verify, variant.instruction], [world.installer]))).toBe('');
    }
    expect(refusal([verify, register], [world.installer])).toBe('accepted');
  });
});
