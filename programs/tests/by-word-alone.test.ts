import { decodeDispute, decodeMeter, decodeZone, instructions, pda, SlotFlag, Verdict } from '@gridtokenx/chain-client';
import {
  answer,
  conclude,
  dispute,
  reactivate,
  refusal,
  replace,
  rotate,
  said,
  setStatus,
  slotAt,
  submit,
  sync,
} from '@gridtokenx/testing-kit/chain/telemetry';
import { keyOf, START, type TestMeter, World, windowAt } from '@gridtokenx/testing-kit/chain/world';
import type { TransactionInstruction } from '@solana/web3.js';
import { beforeEach, describe, expect, test } from 'vitest';

// Attacks of an audit, and their siblings. Before their defects were closed, each made energy or convicted an honest party.

const ENROLLED = windowAt(START);
let world: World;
let device: TestMeter;

beforeEach(() => {
  world = new World().setUp();
  [device] = world.addMeters(1, { message: { deviceSigned: true } }) as [TestMeter];
  world.addMeters(3, {}, 1);
  world.chain.time = START + 900 * 50;
});

const send = (list: readonly TransactionInstruction[]) => refusal(world, list);
const attest = (step: number, totals: Record<number, bigint>) => {
  const map = new Map(Object.entries(totals).map(([slot, exportWh]) => [Number(slot), { exportWh, importWh: 7n }]));
  return world.attest({ window: ENROLLED + step, items: world.items(ENROLLED + step, map) });
};
const mintPage = () => send([instructions.mintPage({ zone: world.zone, page: 0 })]);

describe("a utility's key alone moves nothing", () => {
  test('status and activation name no totals: a slot that was never active starts at zero', () => {
    const late = world.meter('late');
    const message = { window: windowAt(world.chain.time) };
    world.chain.must(world.register(late, { message }), world.staff);
    const status = (...list: Parameters<typeof setStatus>) => send([setStatus(...list)]);
    expect(status(world, late, 'suspended')).toBe('accepted');
    expect(status(world, late, 'active')).toBe('accepted');
    expect(send([instructions.activateSlot({ meterId: late.id, zone: world.zone, page: 0 })])).toBe('accepted');
    expect(slotAt(world, 4)).toMatchObject({ exportWh: 0n, importWh: 0n });
    const record = world.chain.get(pda.meter(world.zone, late.id), decodeMeter);
    expect(record).toMatchObject({ carriedExportWh: 0n, carriedImportWh: 0n, baselineWindow: 0 });
    expect(mintPage()).toBe('accepted');
    expect(world.supply()).toBe(0n);
  });

  test('a record with carried totals, however it came to be, activates no fresh slot', () => {
    const late = world.meter('late');
    world.chain.must(world.register(late, { message: { window: windowAt(world.chain.time) } }), world.staff);
    const address = pda.meter(world.zone, late.id);
    const account = world.chain.account(address);
    if (!account) throw new Error('no record');
    const data = Buffer.from(account.data);
    data.writeBigUInt64LE(1_000_000_000_000n, 8 + 16 + 5 * 32 + 8 + 8 * 4 + 3 * 8);
    world.chain.put(address, { owner: account.owner, data });
    expect(world.chain.get(address, decodeMeter).carriedExportWh).toBe(1_000_000_000_000n);
    const activate = instructions.activateSlot({ meterId: late.id, zone: world.zone, page: 0 });
    expect(send([activate])).toBe('CarriedTotals');
  });

  test("a reactivation without a statement, with another meter's, or with a replayed one names nothing", () => {
    send(submit(world, device, said(5, 500n)));
    send([setStatus(world, device, 'suspended'), sync(world, device)]);
    expect(send([setStatus(world, device, 'active')])).toBe('SignatureMissing');
    const [verify] = reactivate(world, world.meter('1'), said(6, 900_000n));
    expect(send([verify as never, setStatus(world, device, 'active')])).toBe('UnauthorizedMeter');
    expect(send(reactivate(world, device, said(6, 700n)))).toBe('accepted');
    send([sync(world, device)]);
    send([setStatus(world, device, 'suspended'), sync(world, device)]);
    expect(send(reactivate(world, device, said(6, 700n)))).toBe('BeforeFirstWindow');
  });
});

describe('energy once, whoever reactivates or replaces', () => {
  test('a register below what the slot stands for gives no tokens again', () => {
    send(submit(world, device, said(5, 500n)));
    send([setStatus(world, device, 'suspended'), sync(world, device)]);
    expect(send(reactivate(world, device, said(6, 100n)))).toBe('TotalsFell');
    expect(send(reactivate(world, device, said(5, 499n)))).toBe('TotalsFell');
  });

  test('a register above it convicts nobody: it must be the device that shows it', () => {
    send(submit(world, device, said(5, 500n)));
    send([setStatus(world, device, 'suspended'), sync(world, device)]);
    const thief = keyOf('utility pretending to be the device');
    expect(send(reactivate(world, device, said(6, 1_000_000n, { key: thief })))).toBe('UnauthorizedMeter');
    expect(send(reactivate(world, device, said(6, 600n)))).toBe('accepted');
    send([sync(world, device)]);
    expect(send(dispute(world, device, 0, said(7, 599n)))).toBe('NoContradiction');
  });

  test('a replacement carries exactly what the slot has, and its enrolment frames no attestor', () => {
    attest(5, { 0: 500n });
    send([setStatus(world, device, 'suspended'), sync(world, device)]);
    const fresh = world.meter('fresh');
    expect(send(replace(world, device, fresh, { window: windowAt(world.chain.time) }))).toBe('accepted');
    const record = world.chain.get(pda.meter(world.zone, fresh.id), decodeMeter);
    expect(record).toMatchObject({ carriedExportWh: 500n, carriedImportWh: 7n });
    // The slot names its attestors until somebody syncs it: the new device's statement is no evidence against them.
    world.chain.time += 1_800;
    const below = said(51, -1n);
    expect(send(dispute(world, fresh, 0, below))).toBe('MeterNotActive');
    send([sync(world, fresh)]);
    expect(send(dispute(world, fresh, 0, below))).toBe('NoContradiction');
  });

  test('suspended, reactivated and suspended again: the attestors still cannot be tried under another baseline', () => {
    attest(5, { 0: 500n });
    send([setStatus(world, device, 'suspended'), sync(world, device)]);
    expect(send(reactivate(world, device, said(8, 600n)))).toBe('accepted');
    expect(send([setStatus(world, device, 'suspended')])).toBe('accepted');
    // Slot and record agree that the meter is suspended, and the slot names attestors, of another baseline.
    expect(slotAt(world, 0)).toMatchObject({ attestors: 0b11, window: ENROLLED + 5 });
    expect(send(dispute(world, device, 0, said(9, 599n)))).toBe('NoContradiction');
  });
});

describe('honest attestors are not convicted', () => {
  const next = keyOf('next');

  test('a rotation that names an old window leaves the evidence for what was attested', () => {
    attest(9, { 0: 500n });
    expect(send(rotate(world, device, { key: next, message: { window: ENROLLED } }))).toBe('accepted');
    expect(send(dispute(world, device, 0, said(10, 400n)))).toBe('accepted');
    expect(send(answer(world, device, 0, said(9, 500n)))).toBe('accepted');
    const found = world.chain.get(pda.dispute(world.zone, 0, 0), decodeDispute);
    expect(found.verdict).toBe(Verdict.deviceConvicted);
  });

  test('two rotations a day apart do not bury the key that signed', () => {
    attest(9, { 0: 500n });
    expect(send(rotate(world, device, { key: next }))).toBe('accepted');
    world.chain.time += 97 * 900;
    const changed = { ...device, key: next };
    expect(send(rotate(world, changed, { key: keyOf('third') }))).toBe('SlotNotMoved');
    expect(send(rotate(world, changed, { key: keyOf('third'), recovery: true }))).toBe('SlotNotMoved');
    attest(60, { 0: 510n });
    expect(send(rotate(world, changed, { key: keyOf('third') }))).toBe('accepted');
  });

  test('an attestation under way when the key is changed, for a window after the message, can still be answered', () => {
    attest(9, { 0: 500n });
    expect(send(rotate(world, device, { key: next, message: { window: ENROLLED + 9 } }))).toBe('accepted');
    attest(12, { 0: 700n }); // built before the rotation, on the old key's statement
    expect(send(dispute(world, device, 0, said(13, 600n)))).toBe('accepted');
    expect(send(answer(world, device, 0, said(12, 700n)))).toBe('accepted');
  });

  test("a thief's key, made by recovery, does not convict the device that the old key speaks for", () => {
    send(submit(world, device, said(9, 500n)));
    expect(send(rotate(world, device, { key: next, recovery: true }))).toBe('accepted');
    world.chain.time += 900 * 4;
    expect(send(dispute(world, device, 0, said(52, 0n, { key: next })))).toBe('UnauthorizedMeter');
  });

  test('control: an answer that comes too late convicts', () => {
    attest(9, { 0: 500n });
    send(dispute(world, device, 0, said(10, 400n)));
    world.chain.time += 96 * 900;
    expect(send(answer(world, device, 0, said(9, 500n)))).toBe('NotAnAnswer');
    expect(send([conclude(world, device, 0)])).toBe('accepted');
    const found = world.chain.get(pda.dispute(world.zone, 0, 0), decodeDispute);
    expect(found.verdict).toBe(Verdict.attestorsConvicted);
  });
});

describe('energy once, whoever follows at a connection point', () => {
  const window = () => windowAt(world.chain.time);

  test('a device that was registered in series with the one before counts from after it, or not at all', () => {
    const waiting = { ...world.meter('in series'), commitment: device.commitment };
    world.chain.must(world.register(waiting, { pending: true, message: { window: window() } }), world.staff);
    world.chain.time += 900 * 40;
    send(submit(world, device, said(60, 5_000n)));
    send([setStatus(world, device, 'suspended'), sync(world, device)]);
    expect(send([setStatus(world, device, 'closed')])).toBe('accepted');
    expect(refusal(world, [world.confirm(waiting)], world.staff)).toBe('AlreadyCounted');
    const again = world.register(waiting, { pending: true, message: { window: window() } });
    world.chain.must(again, world.staff);
    expect(refusal(world, [world.confirm(waiting)], world.staff)).toBe('accepted');
  });

  test('registers of a replacement are read after the last window of the old meter', () => {
    send(submit(world, device, said(40, 5_000n)));
    send([setStatus(world, device, 'suspended'), sync(world, device)]);
    const fresh = world.meter('fresh');
    for (const at of [39, 40]) {
      expect(send(replace(world, device, fresh, { window: ENROLLED + at }))).toBe('AlreadyCounted');
    }
    expect(send(replace(world, device, fresh, { window: ENROLLED + 41 }))).toBe('accepted');
  });

  test('register steps take their part of the capacity: consumers with coarse registers starve nobody', () => {
    const coarse = world.meter('coarse');
    const options = { exportLimitW: 0, registerStepWh: 1_000, message: { window: window() } };
    const before = world.chain.get(pda.zone(world.zone), decodeZone).confirmedExportW;
    world.chain.must(world.register(coarse, options), world.staff);
    expect(world.chain.get(pda.zone(world.zone), decodeZone).confirmedExportW - before).toBe(3_637n);
  });
});

test("an installer's key alone makes nothing: a self-made device without the utility has no slot and no statement", () => {
  const own = world.meter('self-made');
  const options = { message: { deviceSigned: true, window: windowAt(world.chain.time) - 40 }, pending: true };
  world.chain.must(world.register(own, options), world.staff);
  expect(send([instructions.activateSlot({ meterId: own.id, zone: world.zone, page: 0 })])).toBe('MeterHasNoSlot');
  expect(send(submit(world, own, said(45, 1_000n)))).toBe('MeterHasNoSlot');
  expect(slotAt(world, 4).flags).toBe(0);
});

test('a slot that a statement moved says so, until attestors move it', () => {
  send(submit(world, device, said(5, 500n)));
  expect(slotAt(world, 0).flags & SlotFlag.submitted).toBe(SlotFlag.submitted);
  attest(6, { 0: 510n });
  expect(slotAt(world, 0)).toMatchObject({ flags: SlotFlag.active, attestors: 0b11 });
});
