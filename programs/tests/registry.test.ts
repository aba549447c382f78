import { decodeConfig, decodeUser, decodeZone, instructions, pda, UserRole } from '@gridtokenx/chain-client';
import { networkId, sha256 } from '@gridtokenx/protocol';
import { Chain } from '@gridtokenx/testing-kit/chain/harness';
import { hostileVariants, malformedVariants, problem } from '@gridtokenx/testing-kit/chain/hostile';
import { refusal as outcomeOf } from '@gridtokenx/testing-kit/chain/telemetry';
import { keyOf, START, World, windowAt, ZONE_CAPACITY_W } from '@gridtokenx/testing-kit/chain/world';
import { type Keypair, PublicKey, type TransactionInstruction } from '@solana/web3.js';
import { beforeEach, describe, expect, test } from 'vitest';

const text = (value: string) => new TextEncoder().encode(value);
let world: World;

beforeEach(() => {
  world = new World().setUp();
});

const refusal = (list: readonly TransactionInstruction[], signers: readonly Keypair[] = []) =>
  outcomeOf(world, list, signers);

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
    const zoneWith = (utility: PublicKey, capacityW: bigint) =>
      instructions.createZone({
        authority: world.authority.publicKey,
        payer: world.payer,
        zone: 8,
        utility,
        capacityW,
      });
    expect(refusal([zoneWith(PublicKey.default, 1n)], [world.authority])).toBe('KeyIsZero');
    expect(refusal([zoneWith(world.payer, 10_000_000_001n)], [world.authority])).toBe('LimitOutOfRange');
    const zone = world.chain.get(pda.zone(7), decodeZone);
    expect(zone).toMatchObject({ zone: 7, threshold: 2, epoch: 1, capacityW: ZONE_CAPACITY_W, meterCount: 0 });
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
      expect(refusal([world.announceAttestors([...list], threshold)], [world.authority])).toBe('InvalidAttestorSet');
    }
    const byUtility = instructions.announceAttestors({
      authority: world.utility.publicKey,
      zone: 7,
      threshold: 2,
      attestors: keys.slice(0, 2),
    });
    expect(refusal([byUtility], [world.utility])).toBe('InvalidAuthority');
    expect(refusal([world.announceAttestors(keys.slice(0, 7), 7)], [world.authority])).toBe('accepted');
    expect(world.chain.get(pda.zone(7), decodeZone)).toMatchObject({ epoch: 1, threshold: 2 });
  });

  const install = () => refusal([instructions.installAttestors({ zone: 7 })]);
  const cancel = (signers: readonly Keypair[]) =>
    refusal([instructions.cancelAttestors({ zone: 7, signers: signers.map((key) => key.publicKey) })], signers);
  const hostile = () => [keyOf('hostile 0').publicKey, keyOf('hostile 1').publicKey];

  test("an announced set waits 96 windows, in development too; a zone's first set does not wait", () => {
    for (const options of [{}, { development: true, attestors: 1, threshold: 1 }]) {
      world = new World(options).setUp();
      expect(world.chain.get(pda.zone(7), decodeZone)).toMatchObject({ epoch: 1, announced: null });
      expect(install()).toBe('NoAttestorSetAnnounced');
      expect(refusal([world.announceAttestors(hostile(), 2)], [world.authority])).toBe('accepted');
      world.chain.time = windowAt(START + 96 * 900) * 900 - 1;
      expect(install()).toBe('AttestorSetTooEarly');
      world.chain.time += 1;
      expect(install()).toBe('accepted');
      const zone = world.chain.get(pda.zone(7), decodeZone);
      expect(zone).toMatchObject({ epoch: 2, threshold: 2, changedWindow: windowAt(START) + 96, announced: null });
      expect(zone.attestors).toEqual(hostile());
      expect(zone.previousAttestors).toEqual(world.attestors.map((key) => key.publicKey));
      expect(install()).toBe('NoAttestorSetAnnounced');
    }
  });

  test('the utility or the set in force takes a hostile announcement back, and is not locked out by it', () => {
    const announce = () => refusal([world.announceAttestors(hostile(), 2)], [world.authority]);
    expect(cancel([world.utility])).toBe('NoAttestorSetAnnounced');
    for (const signers of [[world.utility], world.attestors.slice(0, 2), world.attestors]) {
      expect(announce()).toBe('accepted');
      expect(cancel([keyOf('stranger')])).toBe('UnknownAttestor');
      expect(cancel(world.attestors.slice(0, 1))).toBe('ThresholdNotMet');
      expect(cancel([world.authority])).toBe('UnknownAttestor');
      expect(cancel([keyOf('hostile 0'), keyOf('hostile 1')])).toBe('UnknownAttestor');
      expect(cancel([])).toBe('MissingAccount');
      expect(cancel(signers)).toBe('accepted');
      world.chain.time += 97 * 900;
      expect(install()).toBe('NoAttestorSetAnnounced');
    }
  });

  test('a second announcement takes the place of the first and waits anew', () => {
    expect(refusal([world.announceAttestors(hostile(), 2)], [world.authority])).toBe('accepted');
    world.chain.time += 95 * 900;
    expect(refusal([world.announceAttestors()], [world.authority])).toBe('accepted');
    world.chain.time += 2 * 900;
    expect(install()).toBe('AttestorSetTooEarly');
  });

  test('every wrong account is refused', () => {
    world.chain.time = START + 96 * 900;
    world.chain.must([world.announceAttestors()], [world.authority]);
    world.chain.time += 96 * 900;
    const { utility } = world;
    for (const instruction of [
      world.announceAttestors(),
      world.createZone(12),
      instructions.cancelAttestors({ zone: 7, signers: [utility.publicKey] }),
    ]) {
      for (const variant of [...hostileVariants(world.chain, instruction), ...malformedVariants(instruction)]) {
        expect(problem(variant, world.chain.send([variant.instruction], [world.authority, utility]))).toBe('');
      }
      expect(refusal([instruction], [world.authority, utility])).toBe('accepted');
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
    expect(refusal([by(world.installer.publicKey, 1)], world.staff)).toBe('InvalidAuthority');
    expect(refusal([by(world.utility.publicKey, 0)], [world.utility])).toBe('InvalidRole');
    expect(refusal([by(world.utility.publicKey, 4)], [world.utility])).toBe('InvalidRole');
    expect(refusal([world.registerUser(PublicKey.default, UserRole.owner)], [world.utility])).toBe('KeyIsZero');
    for (const variant of [
      ...hostileVariants(world.chain, by(world.utility.publicKey, 1)),
      ...malformedVariants(by(world.utility.publicKey, 1)),
    ]) {
      expect(problem(variant, world.chain.send([variant.instruction], [world.utility]))).toBe('');
    }
    expect(refusal([by(world.authority.publicKey, 3)], [world.authority])).toBe('accepted');
    expect(refusal([by(world.utility.publicKey, 3)], [world.utility])).toBe('AccountAlreadyInitialized');
    expect(world.chain.get(pda.user(world.zone, wallet), decodeUser)).toMatchObject({
      wallet,
      role: 3,
      status: 1,
      zone: 7,
      registeredWindow: windowAt(START),
    });
  });
});
