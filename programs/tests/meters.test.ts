import { decodeMeter, decodePoint, decodeZone, instructions, pda, UserRole } from '@gridtokenx/chain-client';
import { hostileVariants, malformedVariants, problem } from '@gridtokenx/testing-kit/chain/hostile';
import { refusal as outcomeOf, setStatus } from '@gridtokenx/testing-kit/chain/telemetry';
import { keyOf, START, type TestMeter, World, windowAt } from '@gridtokenx/testing-kit/chain/world';
import { type Keypair, type PublicKey, TransactionInstruction } from '@solana/web3.js';
import { beforeEach, describe, expect, test } from 'vitest';

let world: World;

beforeEach(() => {
  world = new World().setUp();
});

const refusal = (list: readonly TransactionInstruction[], signers: readonly Keypair[] = []) =>
  outcomeOf(world, list, signers);

describe('register_meter', () => {
  test('records what the device signed and what the utility says', () => {
    const meter = world.meter('a');
    world.chain.must(world.register(meter, { message: { deviceSigned: true } }), world.staff);
    expect(world.chain.get(pda.meter(world.zone, meter.id), decodeMeter)).toMatchObject({
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
      keyEpoch: 0,
      confirmedWindow: windowAt(START),
      baselineWindow: 0,
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
    world.chain.must(world.register(production, { message: { role: 1 } }), world.staff);
    world.chain.must(world.register(point), world.staff);
    expect(world.chain.get(pda.meter(world.zone, production.id), decodeMeter)).toMatchObject({
      slot: 0xffff,
      page: 0xffff_ffff,
    });
    expect(world.chain.get(pda.meter(world.zone, point.id), decodeMeter)).toMatchObject({ slot: 0, page: 0 });
    expect(world.chain.get(pda.zone(7), decodeZone)).toMatchObject({ meterCount: 1, evidenceCount: 1 });
    const second = { ...world.meter('second'), commitment: point.commitment };
    expect(refusal(world.register(second), world.staff)).toBe('PointTaken');
  });

  test('a confirmed meter is not registered again', () => {
    const meter = world.meter('a');
    world.chain.must(world.register(meter), world.staff);
    const again = { ...meter, commitment: world.meter('b').commitment };
    expect(refusal(world.register(again, { pending: true }), world.staff)).toBe('AccountAlreadyInitialized');
  });

  test('messages for elsewhere or another time are refused', () => {
    const meter = world.meter('a');
    const now = windowAt(START);
    for (const [message, name] of [
      [{ networkId: new Uint8Array(8) }, 'WrongNetwork'],
      [{ zone: 8 }, 'ZoneMismatch'],
      [{ keyEpoch: 1 }, 'KeyEpochMismatch'],
      [{ exportWh: 1n << 63n }, 'MalformedMessage'],
      [{ window: now + 1 }, 'EnrolmentWindowOutOfRange'],
      [{ window: now - 97 }, 'EnrolmentWindowOutOfRange'],
      [{ owner: keyOf('stranger').publicKey.toBytes() }, 'AccountKeyMismatch'],
      [{ meterId: world.meter('b').id }, 'AccountKeyMismatch'],
    ] as const) {
      expect(refusal(world.register(meter, { message }), world.staff), name).toBe(name);
    }
    expect(refusal(world.register(meter, { message: { window: now - 96 } }), world.staff)).toBe('accepted');
  });

  test('in development the past is open, the future is not; a window may begin 60 s ahead', () => {
    world = new World({ development: true }).setUp();
    const now = windowAt(START);
    expect(refusal(world.register(world.meter('a'), { message: { window: 1 } }), world.staff)).toBe('accepted');
    world.chain.time = (now + 1) * 900 - 61;
    expect(refusal(world.register(world.meter('b'), { message: { window: now + 1 } }), world.staff)).toBe(
      'EnrolmentWindowOutOfRange',
    );
    world.chain.time = (now + 1) * 900 - 60;
    expect(refusal(world.register(world.meter('b'), { message: { window: now + 1 } }), world.staff)).toBe('accepted');
  });

  test('the owner must be a registered user, the signer an installer or the utility', () => {
    const stranger = keyOf('stranger');
    expect(refusal(world.register(world.meter('a', stranger)), world.staff)).toBe('AccountOwnerMismatch');
    const [verify, register] = world.register(world.meter('a'));
    if (!verify || !register) throw new Error('two instructions');
    const as = (authority: PublicKey, user: PublicKey) => {
      const keys = register.keys.map((meta, index) =>
        index === 0 ? { ...meta, pubkey: authority } : index === 4 ? { ...meta, pubkey: user } : meta,
      );
      return [verify, new TransactionInstruction({ programId: register.programId, keys, data: register.data })];
    };
    const owner = world.owner.publicKey;
    expect(refusal(as(owner, pda.user(world.zone, owner)), [world.owner])).toBe('InvalidAuthority');
    expect(refusal(as(owner, pda.user(world.zone, world.installer.publicKey)), [world.owner])).toBe(
      'AccountKeyMismatch',
    );
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
    expect(refusal(as(other.publicKey, pda.user(8, other.publicKey)), [other])).toBe('ZoneMismatch');
    const suspended = pda.user(world.zone, world.installer.publicKey);
    const account = world.chain.account(suspended);
    if (!account) throw new Error('no user');
    const data = Uint8Array.from(account.data);
    data[79] = 2;
    world.chain.put(suspended, { owner: account.owner, data });
    expect(refusal(world.register(world.meter('a')), world.staff)).toBe('UserNotActive');
    world.chain.put(suspended, account);
    expect(refusal(as(world.utility.publicKey, register.programId), [world.utility])).toBe('accepted');
  });

  test('every wrong account is refused', () => {
    const meter = world.meter('a');
    // An owner who is not the installer's user, and an existing point: so a test can put each account in another's place.
    world.chain.must(
      world.register({ ...world.meter('b'), commitment: meter.commitment }, { message: { role: 2 } }),
      world.staff,
    );
    const [verify, register] = world.register(meter);
    if (!verify || !register) throw new Error('two instructions');
    for (const variant of [...hostileVariants(world.chain, register), ...malformedVariants(register)]) {
      expect(problem(variant, world.chain.send([verify, variant.instruction], world.staff))).toBe('');
    }
    expect(refusal([verify, register], world.staff)).toBe('accepted');
  });
});

describe('confirm_meter', () => {
  const pending = (name: string, message = {}) => {
    const meter = world.meter(name);
    world.chain.must(world.register(meter, { pending: true, message }), world.staff);
    return meter;
  };
  const recordOf = (meter: TestMeter) => world.chain.get(pda.meter(7, meter.id), decodeMeter);
  const zone = () => world.chain.get(pda.zone(7), decodeZone);

  test('until the utility confirms it, a meter has no slot, no limits, no point, and cannot be activated', () => {
    const meter = pending('a');
    expect(recordOf(meter)).toMatchObject({ status: 5, slot: 0xffff, page: 0xffff_ffff, exportLimitW: 0 });
    expect(zone()).toMatchObject({ meterCount: 0, confirmedExportW: 0n });
    expect(world.chain.get(pda.point(7, meter.commitment), decodePoint).meterId).toEqual(new Uint8Array(16));
    world.createPages();
    const activate = instructions.activateSlot({ meterId: meter.id, zone: 7, page: 0 });
    expect(refusal([activate])).toBe('MeterHasNoSlot');
    const byInstaller = new TransactionInstruction({
      ...world.confirm(meter),
      keys: world
        .confirm(meter)
        .keys.map((meta, at) => (at === 0 ? { ...meta, pubkey: world.installer.publicKey } : meta)),
    });
    expect(refusal([byInstaller], world.staff)).toBe('InvalidAuthority');
    expect(refusal([world.confirm(meter)], world.staff)).toBe('accepted');
    expect(recordOf(meter)).toMatchObject({ status: 1, slot: 0, page: 0, exportLimitW: 5_000 });
    expect(zone()).toMatchObject({ meterCount: 1, confirmedExportW: 5_004n });
    expect(refusal([world.confirm(meter)], world.staff)).toBe('MeterNotPending');
    expect(refusal([activate])).toBe('accepted');
  });

  test('confirms only the key that the utility looked at', () => {
    const meter = pending('a');
    const swapped = { ...meter, key: keyOf('made by the installer') };
    world.chain.must(world.register(swapped, { pending: true }), world.staff);
    expect(refusal([world.confirm(meter)], world.staff)).toBe('UnauthorizedMeter');
    expect(refusal([world.confirm(swapped)], world.staff)).toBe('accepted');
  });

  test('confirms only the enrolment that the utility looked at: owner, registers and window stand in it', () => {
    const meter = pending('a');
    const { enrolment } = recordOf(meter);
    world.chain.must([world.registerUser(keyOf('thief').publicKey, UserRole.owner)], [world.utility]);
    const stolen = { ...meter, owner: keyOf('thief') };
    world.chain.must(world.register(stolen, { pending: true }), world.staff);
    expect(refusal([world.confirm(meter, { enrolment })], world.staff)).toBe('UnauthorizedMeter');
    expect(refusal([world.confirm(meter)], world.staff)).toBe('accepted');
  });

  test('device-signed stands only when the device claims it and the utility accepts it', () => {
    const plain = pending('a');
    const claim = { message: { deviceSigned: true } };
    expect(refusal([world.confirm(plain, claim)], world.staff)).toBe('MalformedMessage');
    const claiming = pending('b', { deviceSigned: true });
    expect(refusal([world.confirm(claiming)], world.staff)).toBe('accepted');
    expect(recordOf(claiming).signerLevel).toBe('gateway');
  });

  test('limits fit a slot, a tariff and the zone: the sum of confirmed export stays within its capacity', () => {
    const meter = pending('a');
    for (const options of [
      { registerStepWh: 1_001 },
      { registerStepWh: 0xffff_ffff },
      { exportLimitW: 0xffff_ffff, registerStepWh: 1_000 },
    ]) {
      const name = options.exportLimitW === undefined ? 'LimitOutOfRange' : 'CapacityExceeded';
      expect(refusal([world.confirm(meter, options)], world.staff)).toBe(name);
    }
    const tariff = world.confirm(meter);
    tariff.data.writeUInt16LE(16, tariff.data.length - 3);
    expect(refusal([tariff], world.staff)).toBe('LimitOutOfRange');
    expect(refusal([world.confirm(meter, { exportLimitW: 1_999_991 })], world.staff)).toBe('accepted');
    const second = pending('b');
    expect(refusal([world.confirm(second, { exportLimitW: 2 })], world.staff)).toBe('CapacityExceeded');
    expect(refusal([world.confirm(second, { exportLimitW: 1 })], world.staff)).toBe('accepted');
    world.createPages();
    world.chain.must([setStatus(world, meter, 'closed')], [world.utility]);
    expect(zone().confirmedExportW).toBe(5n);
  });

  test('two pending meters at one point: the second confirmation is refused, the point is not lost', () => {
    const first = pending('a');
    const second = { ...world.meter('b'), commitment: first.commitment };
    world.chain.must(world.register(second, { pending: true }), world.staff);
    expect(refusal([world.confirm(first)], world.staff)).toBe('accepted');
    expect(refusal([world.confirm(second)], world.staff)).toBe('PointTaken');
  });

  test('what was never confirmed is registered anew by its installer or the utility, by others once it is refused', () => {
    const meter = pending('a');
    const colleague = keyOf('colleague');
    world.chain.must([world.registerUser(colleague.publicKey, UserRole.installer)], [world.utility]);
    const by = (key: Keypair) => {
      const [verify, register] = world.register(meter, { pending: true });
      if (!verify || !register) throw new Error('two instructions');
      const keys = register.keys.map((meta, at) =>
        at === 0
          ? { ...meta, pubkey: key.publicKey }
          : at === 4
            ? { ...meta, pubkey: pda.user(7, key.publicKey) }
            : meta,
      );
      return refusal([verify, new TransactionInstruction({ ...register, keys })], [key]);
    };
    expect(by(world.installer)).toBe('accepted');
    expect(by(colleague)).toBe('AccountAlreadyInitialized');
    world.chain.must([setStatus(world, meter, 'closed', undefined, null)], [world.utility]);
    expect(by(colleague)).toBe('accepted');
    expect(refusal([world.confirm(meter)], world.staff)).toBe('accepted');
  });

  test('another zone takes neither a wallet nor a meter id away', () => {
    world.chain.must([world.createZone(8)], [world.authority]);
    const other = new World({ zone: 8 }, world.chain);
    const [wallet, meter] = [keyOf('new home'), world.meter('a')];
    world.chain.must([other.registerUser(wallet.publicKey, UserRole.owner)], [world.utility]);
    world.chain.must([other.registerUser(world.installer.publicKey, UserRole.installer)], [world.utility]);
    world.chain.must([other.registerUser(world.owner.publicKey, UserRole.owner)], [world.utility]);
    world.chain.must(other.register({ ...meter, key: keyOf('squatter') }), world.staff);
    expect(refusal([world.registerUser(wallet.publicKey, UserRole.owner)], [world.utility])).toBe('accepted');
    expect(refusal(world.register(meter), world.staff)).toBe('accepted');
    // A user of another zone cannot be an owner here.
    const foreign = world.meter('b', keyOf('foreign'));
    world.chain.must([other.registerUser(foreign.owner.publicKey, UserRole.owner)], [world.utility]);
    expect(refusal(world.register(foreign), world.staff)).toBe('AccountOwnerMismatch');
  });

  test('every wrong account, every malformed form', () => {
    const meter = pending('a');
    const instruction = world.confirm(meter);
    for (const variant of [...hostileVariants(world.chain, instruction), ...malformedVariants(instruction)]) {
      expect(problem(variant, world.chain.send([variant.instruction], world.staff))).toBe('');
    }
    expect(refusal([instruction], world.staff)).toBe('accepted');
  });
});
