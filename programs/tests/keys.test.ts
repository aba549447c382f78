import { decodeMeter, decodePoint, instructions, pda, SlotFlag, Status } from '@gridtokenx/chain-client';
import { hostileVariants, malformedVariants, problem } from '@gridtokenx/testing-kit/chain/hostile';
import {
  BASELINE,
  type Rotation,
  reactivate,
  refusal,
  replace,
  rotate,
  type Said,
  setStatus,
  slotAt,
  submit,
  sync,
} from '@gridtokenx/testing-kit/chain/telemetry';
import { keyOf, START, type TestMeter, World, windowAt } from '@gridtokenx/testing-kit/chain/world';
import { type Keypair, TransactionInstruction } from '@solana/web3.js';
import { beforeEach, describe, expect, test } from 'vitest';

const ENROLLED = windowAt(START);
const next = keyOf('next');
let world: World;
let device: TestMeter;

beforeEach(() => {
  world = new World().setUp();
  [device] = world.addMeters(1, { message: { deviceSigned: true } }) as [TestMeter];
  world.addMeters(1, {}, 1);
  world.chain.time = START + 900 * 20;
});

const said = (step: number, exportWh: bigint, rest: Partial<Said> = {}): Said => ({
  window: ENROLLED + step,
  exportWh,
  importWh: 7n,
  ...rest,
});
const record = (meter = device) => world.chain.get(pda.meter(world.zone, meter.id), decodeMeter);
const send = (list: readonly TransactionInstruction[], signers?: readonly Keypair[]) => refusal(world, list, signers);
const turn = (rotation: Partial<Rotation> = {}) => send(rotate(world, device, { key: next, ...rotation }));
const to = (status: Parameters<typeof setStatus>[2], meter = device) => send([setStatus(world, meter, status)]);
/** Reactivates on the strength of a statement. */
/** Suspended, brought to the slot, closed. */
function close(): void {
  expect(to('suspended')).toBe('accepted');
  expect(send([sync(world, device)])).toBe('accepted');
  expect(to('closed')).toBe('accepted');
}
const resume = (what: Said, meter = device) => send(reactivate(world, meter, what));

/** Every account of the last instruction wrong in every way, and every malformed form. */
function checkHostile(list: readonly TransactionInstruction[], signers = [world.utility, world.authority]): void {
  const last = list.at(-1) as TransactionInstruction;
  for (const variant of [...hostileVariants(world.chain, last), ...malformedVariants(last)]) {
    const outcome = world.chain.send([...list.slice(0, -1), variant.instruction], signers);
    expect(problem(variant, outcome)).toBe('');
  }
}

describe('rotate_key', () => {
  test('utility and old key: the new key speaks from the next window on, the old one no more', () => {
    const window = windowAt(world.chain.time);
    expect(turn()).toBe('accepted');
    expect(record()).toMatchObject({
      deviceKey: next.publicKey,
      previousKey: device.key.publicKey,
      previousKeyLastWindow: window + 1,
      keyEpoch: 1,
      firstValidWindow: window + 2,
      lastRotationWindow: window,
      status: Status.active,
    });
    world.chain.time += 2_700;
    expect(send(submit(world, device, said(19, 100n)))).toBe('UnauthorizedMeter');
    expect(send(submit(world, device, said(21, 100n, { key: next })))).toBe('BeforeFirstWindow');
    expect(send(submit(world, device, said(22, 100n, { key: next })))).toBe('accepted');
  });

  test('recovery: the old key is lost, and the authority signs beside the utility', () => {
    expect(send(rotate(world, device, { key: next, recovery: true }).slice(1))).toBe('SignatureMissing');
    const list = rotate(world, device, { key: next, recovery: true });
    const last = list.at(-1) as TransactionInstruction;
    const keys = last.keys.map((meta, index) => (index === 1 ? { ...meta, pubkey: world.owner.publicKey } : meta));
    const byOwner = new TransactionInstruction({ programId: last.programId, keys, data: last.data });
    expect(send([...list.slice(0, -1), byOwner], [world.utility, world.owner])).toBe('InvalidAuthority');
    expect(send(list)).toBe('accepted');
    expect(record().deviceKey).toEqual(next.publicKey);
  });

  test('the old key must have signed the same message', () => {
    const [old, , last] = rotate(world, device, { key: next }) as [TransactionInstruction, unknown, never];
    const [, other] = rotate(world, device, { key: next, message: { seq: 3n } }) as [unknown, TransactionInstruction];
    expect(send([old, other, last])).toBe('SignatureMessageMismatch');
    expect(send([other, last])).toBe('SignatureMissing');
    const stranger = { ...device, key: keyOf('stranger') };
    expect(send(rotate(world, stranger, { key: next }))).toBe('UnauthorizedMeter');
  });

  test('the message: this meter and owner, role and level as they are, the next epoch, another key, its window', () => {
    const now = windowAt(world.chain.time);
    for (const [message, name] of [
      [{ meterId: world.meter('1').id }, 'UnauthorizedMeter'],
      [{ owner: keyOf('x').publicKey.toBytes() }, 'UnauthorizedMeter'],
      [{ role: 1 }, 'MalformedMessage'],
      [{ deviceSigned: false }, 'MalformedMessage'],
      [{ keyEpoch: 0 }, 'KeyEpochMismatch'],
      [{ keyEpoch: 2 }, 'KeyEpochMismatch'],
      [{ networkId: new Uint8Array(8) }, 'WrongNetwork'],
      [{ zone: 8 }, 'ZoneMismatch'],
      [{ window: now + 1 }, 'EnrolmentWindowOutOfRange'],
      [{ window: now - 97 }, 'EnrolmentWindowOutOfRange'],
      [{ window: ENROLLED - 1 }, 'EnrolmentWindowOutOfRange'],
    ] as const) {
      expect(turn({ message }), name).toBe(name);
    }
    expect(turn({ key: device.key })).toBe('KeyUnchanged');
    expect(turn({ message: { window: ENROLLED } })).toBe('accepted');
  });

  test('not within 96 windows of the last change, and not back to the previous key', () => {
    expect(turn()).toBe('accepted');
    const changed = { ...device, key: next };
    const third = keyOf('third');
    world.chain.time = (record().lastRotationWindow + 96) * 900 - 1;
    expect(send(rotate(world, changed, { key: third }))).toBe('KeyRotatedRecently');
    expect(to('closed')).toBe('KeyRotatedRecently');
    world.chain.time += 1;
    expect(send(rotate(world, changed, { key: device.key }))).toBe('KeyUnchanged');
    expect(send(rotate(world, changed, { key: third }))).toBe('accepted');
    expect(record()).toMatchObject({ keyEpoch: 2, previousKey: next.publicKey });
  });

  test('what the slot stands on stays evidence: the old key speaks up to the slot, whatever window the message names', () => {
    expect(send(submit(world, device, said(9, 500n)))).toBe('accepted');
    expect(turn({ message: { window: ENROLLED + 3 } })).toBe('accepted');
    // What attestors have under way may still land: the old key speaks through the window after the running one.
    expect(record()).toMatchObject({ previousKeyLastWindow: ENROLLED + 21, firstValidWindow: ENROLLED + 22 });
  });

  test('one previous key is on record: a further rotation waits until the slot has moved under the present key', () => {
    expect(send(submit(world, device, said(9, 500n)))).toBe('accepted');
    expect(turn()).toBe('accepted');
    const changed = { ...device, key: next };
    const third = keyOf('third');
    world.chain.time += 97 * 900;
    expect(send(rotate(world, changed, { key: third }))).toBe('SlotNotMoved');
    expect(send(submit(world, changed, said(30, 510n)))).toBe('accepted');
    expect(send(rotate(world, changed, { key: third }))).toBe('accepted');
  });

  test('the level stays as the utility confirmed it, whatever the message claims', () => {
    const doubted = world.meter('doubted');
    const options = { message: { deviceSigned: true, window: windowAt(world.chain.time) }, pending: true };
    world.chain.must(world.register(doubted, options), world.staff);
    world.chain.must([world.confirm(doubted)], world.staff);
    expect(record(doubted).signerLevel).toBe('gateway');
    expect(send(rotate(world, doubted, { key: next, message: { deviceSigned: true } }))).toBe('accepted');
    expect(record(doubted).signerLevel).toBe('gateway');
  });

  test('only by the utility, for a meter that lives; evidence meters have no page', () => {
    const list = rotate(world, device, { key: next });
    const last = list.at(-1) as TransactionInstruction;
    const keys = last.keys.map((meta, index) => (index === 0 ? { ...meta, pubkey: world.owner.publicKey } : meta));
    const byOwner = new TransactionInstruction({ programId: last.programId, keys, data: last.data });
    expect(send([...list.slice(0, -1), byOwner], [world.owner])).toBe('InvalidAuthority');
    const evidence = world.meter('evidence');
    const window = windowAt(world.chain.time);
    world.chain.must(world.register(evidence, { message: { role: 1, window } }), world.staff);
    expect(send(rotate(world, evidence, { key: next }))).toBe('accepted');
    close();
    expect(turn({ key: keyOf('third') })).toBe('MeterNotActive');
  });

  test('every wrong account, every malformed form', () => {
    checkHostile(rotate(world, device, { key: next }));
    checkHostile(rotate(world, device, { key: next, recovery: true }));
    expect(record().keyEpoch).toBe(0);
    expect(turn()).toBe('accepted');
  });
});

describe('set_status and sync_slot', () => {
  test('suspended: the slot keeps its totals and takes nothing; reactivated, the rest moves into the baseline', () => {
    send(submit(world, device, said(5, 500n)));
    expect(resume(said(6, 500n))).toBe('SlotNotFrozen');
    expect(to('suspended')).toBe('accepted');
    expect(to('suspended')).toBe('InvalidStatus');
    expect(resume(said(6, 500n))).toBe('SlotNotFrozen'); // the slot does not know yet
    const before = world.meterPage();
    expect(send([sync(world, device)])).toBe('accepted');
    expect(world.meterPage().moves).toBe(before.moves);
    expect(slotAt(world, 0)).toMatchObject({
      exportWh: 500n,
      flags: SlotFlag.suspended | SlotFlag.moved | SlotFlag.submitted,
    });
    const window = ENROLLED + 6;
    world.attest({ window, items: world.items(window, new Map([[0, { exportWh: 600n, importWh: 7n }]])) });
    expect(slotAt(world, 0).window).toBe(ENROLLED + 5);
    // activate_slot must not start it again.
    expect(send([instructions.activateSlot({ meterId: device.id, zone: world.zone, page: 0 })])).toBe('accepted');
    expect(slotAt(world, 0).exportWh).toBe(500n);
    // Meanwhile the register rose by 300.
    expect(to('active')).toBe('SignatureMissing');
    expect(resume(said(8, 499n))).toBe('TotalsFell');
    expect(resume(said(8, 800n, { importWh: 6n }))).toBe('TotalsFell');
    expect(resume(said(8, -1n))).toBe('TotalsFell');
    expect(resume(said(4, 800n))).toBe('BeforeFirstWindow');
    expect(resume(said(21, 800n))).toBe('WindowInFuture');
    expect(resume(said(8, 800n, { key: keyOf('stranger') }))).toBe('UnauthorizedMeter');
    expect(resume(said(8, 800n, { change: { quality: 8 } }))).toBe('QualityNotAttestable');
    expect(resume(said(8, 800n))).toBe('accepted');
    expect(record()).toMatchObject({
      status: Status.active,
      carriedExportWh: 500n,
      baselineExportWh: BASELINE.exportWh + 800n,
      baselineWindow: ENROLLED + 8,
      firstValidWindow: ENROLLED + 9,
    });
    expect(send([sync(world, device)])).toBe('accepted');
    expect(slotAt(world, 0)).toMatchObject({
      exportWh: 500n,
      window: ENROLLED + 8,
      flags: SlotFlag.active | SlotFlag.moved,
    });
    expect(world.meterPage().moves).toBe(before.moves + 1);
    expect(send(submit(world, device, said(9, 799n)))).toBe('RegisterBelowBaseline');
    expect(send(submit(world, device, said(9, 850n)))).toBe('accepted');
    expect(slotAt(world, 0).exportWh).toBe(550n);
  });

  test('sync_slot with nothing to change writes nothing, and refuses what does not belong together', () => {
    const before = world.meterPage();
    expect(send([sync(world, device)])).toBe('accepted');
    expect(world.meterPage()).toEqual(before);
    const late = world.meter('late');
    world.chain.must(world.register(late, { message: { window: windowAt(world.chain.time) } }), world.staff);
    expect(send([sync(world, late)])).toBe('MeterNotActive'); // activate_slot comes first
    expect(to('suspended')).toBe('accepted');
    checkHostile([sync(world, device)]);
    expect(slotAt(world, 0).flags & SlotFlag.active).not.toBe(0);
  });

  test('closed: for ever, with the totals kept, mintable, and the connection point free for another meter', () => {
    send(submit(world, device, said(5, 500n)));
    expect(to('closed')).toBe('SlotNotFrozen'); // a slot that still moves would count beside the point's next meter
    close();
    expect(send([sync(world, device)])).toBe('accepted');
    expect(slotAt(world, 0)).toMatchObject({
      exportWh: 500n,
      flags: SlotFlag.closed | SlotFlag.moved | SlotFlag.submitted,
    });
    const before = world.meterPage();
    expect(send([sync(world, device)])).toBe('accepted');
    expect(world.meterPage()).toEqual(before);
    for (const status of ['suspended', 'closed', 'active'] as const) expect(to(status)).toBe('InvalidStatus');
    expect(send([instructions.activateSlot({ meterId: device.id, zone: world.zone, page: 0 })])).toBe('SlotClosed');
    world.mintPage();
    expect(world.supply()).toBe(500_000n);
    const point = pda.point(world.zone, device.commitment);
    expect(world.chain.get(point, decodePoint)).toMatchObject({
      meterId: new Uint8Array(16),
      countedWindow: ENROLLED + 5,
    });
    const early = { ...world.meter('early'), commitment: device.commitment };
    world.chain.time = START + 900 * 90;
    expect(send(world.register(early, { message: { window: ENROLLED + 5 } }), world.staff)).toBe('AlreadyCounted');
    const successor = { ...world.meter('successor'), commitment: device.commitment };
    const window = windowAt(world.chain.time);
    expect(send(world.register(successor, { message: { window } }), world.staff)).toBe('accepted');
    expect(record(successor).slot).toBe(2); // a slot is assigned once
  });

  test('a meter that was suspended before its slot was activated comes back', () => {
    const late = world.meter('late');
    world.chain.must(world.register(late, { message: { window: windowAt(world.chain.time) } }), world.staff);
    expect(to('suspended', late)).toBe('accepted');
    expect(send([instructions.activateSlot({ meterId: late.id, zone: world.zone, page: 0 })])).toBe('MeterNotActive');
    expect(to('active', late)).toBe('accepted'); // nothing was ever counted, so nothing is named
    expect(send([instructions.activateSlot({ meterId: late.id, zone: world.zone, page: 0 })])).toBe('accepted');
  });

  test('unknown statuses are refused; only the utility', () => {
    const instruction = setStatus(world, device, 'suspended');
    for (const status of [0, 4, 5, 255]) {
      const data = Buffer.from(instruction.data);
      data[8] = status;
      const { programId, keys } = instruction;
      expect(send([new TransactionInstruction({ programId, keys, data })])).toBe('InvalidStatus');
    }
    const keys = instruction.keys.map((meta, at) => (at === 0 ? { ...meta, pubkey: world.owner.publicKey } : meta));
    const byOwner = new TransactionInstruction({ programId: instruction.programId, keys, data: instruction.data });
    expect(send([byOwner], [world.owner])).toBe('InvalidAuthority');
    world.chain.must([world.createZone(8)], [world.authority]);
    const elsewhere = instruction.keys.map((meta, at) => (at === 1 ? { ...meta, pubkey: pda.zone(8) } : meta));
    const { programId } = instruction;
    expect(send([new TransactionInstruction({ programId, keys: elsewhere, data: instruction.data })])).toBe(
      'ZoneMismatch',
    );
    checkHostile([setStatus(world, device, 'suspended')]);
    expect(record().status).toBe(Status.active);
  });
});

describe('replace_meter', () => {
  const fresh = () => world.meter('fresh');
  const exchange = (message = {}) =>
    send(replace(world, device, fresh(), { window: windowAt(world.chain.time), ...message }));

  beforeEach(() => {
    send(submit(world, device, said(5, 500n)));
  });
  const suspend = () => {
    expect(to('suspended')).toBe('accepted');
    expect(send([sync(world, device)])).toBe('accepted');
  };

  test('a new record with the slot and the totals; the old one keeps none', () => {
    suspend();
    const moves = world.meterPage().moves;
    expect(exchange()).toBe('accepted');
    const window = windowAt(world.chain.time);
    expect(record(fresh())).toMatchObject({
      slot: 0,
      page: 0,
      carriedExportWh: 500n,
      carriedImportWh: 7n,
      baselineExportWh: BASELINE.exportWh,
      baselineWindow: window,
      predecessor: device.id,
      deviceKey: fresh().key.publicKey,
      point: pda.point(world.zone, device.commitment),
      lastRotationWindow: window,
      firstValidWindow: window + 1,
      status: Status.active,
    });
    expect(record()).toMatchObject({ slot: 0xffff, page: 0xffff_ffff, status: Status.replaced, successor: fresh().id });
    expect(world.chain.get(record(fresh()).point, decodePoint).meterId).toEqual(fresh().id);
    expect(send([sync(world, device)])).toBe('MeterHasNoSlot');
    expect(send([sync(world, fresh())])).toBe('accepted');
    expect(slotAt(world, 0)).toMatchObject({ exportWh: 500n, flags: SlotFlag.active | SlotFlag.moved, window });
    expect(world.meterPage().moves).toBe(moves + 1);
    world.chain.time += 1_800;
    expect(send(submit(world, device, said(21, 900n)))).toBe('MeterHasNoSlot');
    expect(send(submit(world, fresh(), said(21, 40n, { importWh: 0n })))).toBe('accepted');
    expect(slotAt(world, 0).exportWh).toBe(540n);
    const { programId, keys, data } = setStatus(world, device, 'suspended');
    const pageless = keys.map((meta, at) => (at === 4 ? { ...meta, pubkey: programId } : meta));
    expect(send([new TransactionInstruction({ programId, keys: pageless, data })])).toBe('InvalidStatus');
    expect(exchange()).toBe('SlotNotFrozen');
  });

  test('refused: not suspended, the same key, another owner, no point, another epoch, too soon', () => {
    expect(exchange()).toBe('SlotNotFrozen');
    expect(to('suspended')).toBe('accepted');
    expect(exchange()).toBe('SlotNotFrozen'); // the slot does not know yet
    expect(send([sync(world, device)])).toBe('accepted');
    expect(exchange({ keyEpoch: 1 })).toBe('KeyEpochMismatch');
    expect(exchange({ window: ENROLLED + 5 })).toBe('AlreadyCounted'); // read while the old meter still counted
    expect(exchange({ owner: keyOf('x').publicKey.toBytes() })).toBe('UnauthorizedMeter');
    expect(exchange({ role: 1 })).toBe('MeterHasNoSlot');
    const same = { ...fresh(), key: device.key };
    const window = windowAt(world.chain.time);
    expect(send(replace(world, device, same, { window }))).toBe('KeyUnchanged');
    const twin = { ...world.meter('1'), commitment: device.commitment };
    expect(send(replace(world, device, twin, { window }))).toBe('AccountAlreadyInitialized');
    expect(turn()).toBe('accepted');
    expect(exchange()).toBe('KeyRotatedRecently');
  });

  test('a record that an installer registered under the new id, and nobody confirmed, does not hinder it', () => {
    suspend();
    const squatted = { ...fresh(), key: keyOf('squatter'), commitment: device.commitment };
    const message = { window: windowAt(world.chain.time) };
    world.chain.must(world.register(squatted, { pending: true, message }), world.staff);
    const copy = world.fork();
    copy.chain.must([setStatus(copy, squatted, 'closed', undefined, null)], [copy.utility]);
    const list = replace(copy, device, fresh(), { window: windowAt(world.chain.time) });
    expect(refusal(copy, list)).toBe('accepted');
    expect(exchange()).toBe('accepted');
    expect(record(fresh())).toMatchObject({ status: Status.active, deviceKey: fresh().key.publicKey, slot: 0 });
  });

  test('every wrong account, every malformed form', () => {
    suspend();
    const list = replace(world, device, fresh(), { window: windowAt(world.chain.time) });
    checkHostile(list);
    expect(record().status).toBe(Status.suspended);
    expect(send(list)).toBe('accepted');
  });
});
