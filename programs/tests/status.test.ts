import { decodePoint, instructions, pda, SlotFlag, Status } from '@gridtokenx/chain-client';
import { deviceWorld, recordActs } from '@gridtokenx/testing-kit/chain/acts';
import {
  BASELINE,
  reactivate,
  refusal,
  replace,
  type Said,
  said,
  setStatus,
  slotAt,
  submit,
  sync,
} from '@gridtokenx/testing-kit/chain/telemetry';
import { keyOf, START, type TestMeter, type World, windowAt } from '@gridtokenx/testing-kit/chain/world';
import { TransactionInstruction } from '@solana/web3.js';
import { beforeEach, describe, expect, test } from 'vitest';

const ENROLLED = windowAt(START);
let world: World;
let device: TestMeter;

beforeEach(() => {
  ({ world, device } = deviceWorld(20));
});

const { record, send, turn, to, close: closing, hostile } = recordActs(() => ({ world, device }));
const close = () => expect(closing()).toEqual(['accepted', 'accepted', 'accepted']);
const resume = (what: Said, meter = device) => send(reactivate(world, meter, what));

describe('set_status and sync_slot', () => {
  test('suspended: the slot keeps its totals and takes nothing; reactivated, the rest moves into the baseline', () => {
    send(submit(world, device, said(5, 500n)));
    expect(resume(said(6, 500n))).toBe('SlotNotFrozen');
    expect(to('suspended')).toBe('accepted');
    expect(to('suspended')).toBe('InvalidStatus');
    expect(resume(said(6, 500n))).toBe('SlotNotFrozen'); // nobody has synced the slot yet
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
    expect(hostile([sync(world, device)])).toEqual([]);
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
    expect(to('active', late)).toBe('accepted'); // the slot never counted energy, so the reactivation names no totals
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
    expect(hostile([setStatus(world, device, 'suspended')])).toEqual([]);
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
    expect(exchange()).toBe('SlotNotFrozen'); // nobody has synced the slot yet
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
    expect(hostile(list)).toEqual([]);
    expect(record().status).toBe(Status.suspended);
    expect(send(list)).toBe('accepted');
  });
});
