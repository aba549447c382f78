import {
  decodeDispute,
  decodeMeter,
  foldHistory,
  instructionDiscriminator,
  instructions,
  pda,
  SlotFlag,
  Verdict,
} from '@gridtokenx/chain-client';
import { hostileVariants, malformedVariants, problem } from '@gridtokenx/testing-kit/chain/hostile';
import {
  answer,
  conclude,
  dispute,
  reactivate,
  refusal,
  replace,
  rotate,
  type Said,
  setStatus,
  slotAt,
  statementPayload,
  submit,
  sync,
} from '@gridtokenx/testing-kit/chain/telemetry';
import { keyOf, START, type TestMeter, World, windowAt } from '@gridtokenx/testing-kit/chain/world';
import type { TransactionInstruction } from '@solana/web3.js';
import { beforeEach, describe, expect, test } from 'vitest';

const ENROLLED = windowAt(START);
const DAY = 96 * 900;
let world: World;
let device: TestMeter;

beforeEach(() => {
  world = new World().setUp();
  [device] = world.addMeters(1, { message: { deviceSigned: true } }) as [TestMeter];
  world.addMeters(1, {}, 1);
  world.chain.time = START + 900 * 50;
});

const said = (step: number, exportWh: bigint, rest: Partial<Said> = {}): Said => ({
  window: ENROLLED + step,
  exportWh,
  importWh: 7n,
  ...rest,
});
const attest = (step: number, exportWh: bigint, importWh = 7n) => {
  const window = ENROLLED + step;
  const items = world.items(window, new Map([[0, { exportWh, importWh }]]));
  return world.attest({ window, items });
};
const open = (what: Said, meter = device, slot = 0) => refusal(world, dispute(world, meter, slot, what));
const reply = (what: Said) => refusal(world, answer(world, device, 0, what));
const found = (slot = 0) => world.chain.get(pda.dispute(world.zone, 0, slot), decodeDispute);
const isDisputed = () => (slotAt(world, 0).flags & SlotFlag.disputed) !== 0;

/** The utility accepts the verdict on slot 0 and goes on from a statement. */
const accept = (what: Said) => refusal(world, reactivate(world, device, what, 0));

describe('dispute', () => {
  test('a later window with a lower total freezes the slot: no attestation, no statement, no mint, no retirement', () => {
    expect(attest(5, 500n).message).toBe('');
    const before = world.meterPage();
    const what = said(6, 499n);
    expect(open(what)).toBe('accepted');
    expect(isDisputed()).toBe(true);
    expect(found()).toMatchObject({
      number: 1,
      openedWindow: windowAt(world.chain.time),
      slotWindow: ENROLLED + 5,
      slotExportWh: 500n,
      slotImportWh: 7n,
      zone: world.zone,
      page: 0,
      slot: 0,
      attestors: 0b11,
      epoch: 1,
      verdict: Verdict.open,
      meterId: device.id,
      opener: world.payer,
      key: device.key.publicKey,
      payload: statementPayload(world, device, what),
      answer: new Uint8Array(96),
    });
    const after = world.meterPage();
    const tag = instructionDiscriminator('dispute');
    const payload = statementPayload(world, device, what);
    expect(after.history).toEqual(foldHistory(before.history, tag, 0, new Uint8Array(0), payload));
    expect([after.version, after.moves]).toEqual([before.version, before.moves]);
    attest(7, 600n);
    expect(slotAt(world, 0).window).toBe(ENROLLED + 5);
    expect(refusal(world, submit(world, device, said(7, 600n)))).toBe('SlotDisputed');
    expect(world.mintPage().message).toBe('');
    expect(world.supply()).toBe(0n);
    const owner = world.owner.publicKey;
    world.chain.must([instructions.createOwnerTokenAccount({ payer: world.payer, owner })]);
    const retire = instructions.retire({ owner, meterId: device.id, zone: world.zone, page: 0, wh: 1n });
    expect(refusal(world, [retire], [world.owner])).toBe('SlotDisputed');
  });

  test('only this slot is frozen', () => {
    attest(5, 500n);
    open(said(6, 499n));
    const window = ENROLLED + 7;
    world.attest({ window, items: world.items(window, new Map([[1, { exportWh: 9n, importWh: 9n }]])) });
    expect(slotAt(world, 1)).toMatchObject({ exportWh: 9n, window });
    world.mintPage();
    expect(world.supply()).toBe(9_000n);
  });

  test('what does not contradict is no evidence, nor what the device did not sign itself', () => {
    attest(5, 500n);
    expect(open(said(6, 500n))).toBe('NoContradiction');
    expect(open(said(6, 501n, { importWh: 8n }))).toBe('NoContradiction');
    expect(open(said(5, 499n))).toBe('NoContradiction');
    expect(open(said(4, 499n))).toBe('NoContradiction');
    expect(open(said(60, 499n))).toBe('WindowInFuture');
    expect(open(said(6, 499n, { key: keyOf('stranger') }))).toBe('UnauthorizedMeter');
    for (const quality of [1, 2, 8]) expect(open(said(6, 499n, { change: { quality } }))).toBe('QualityNotAttestable');
    expect(open(said(6, 499n, { change: { networkId: new Uint8Array(8) } }))).toBe('WrongNetwork');
    const window = ENROLLED + 5;
    world.attest({ window, items: world.items(window, new Map([[1, { exportWh: 9n, importWh: 9n }]])) });
    expect(open(said(6, 8n), world.meter('1'), 1)).toBe('NotDeviceSigned');
    expect(isDisputed()).toBe(false);
    // Either register is enough, and so is one below the baseline.
    const copy = world.fork();
    expect(refusal(copy, dispute(copy, device, 0, said(6, 600n, { importWh: 6n })))).toBe('accepted');
    expect(open(said(6, -1n))).toBe('accepted');
    expect(open(said(7, -1n))).toBe('SlotDisputed');
  });

  test('a slot that a submitted statement moved names no attestors: the device contradicts itself and is convicted at once', () => {
    expect(refusal(world, submit(world, device, said(5, 500n)))).toBe('accepted');
    expect(open(said(6, 400n))).toBe('accepted');
    expect(found()).toMatchObject({ verdict: Verdict.deviceConvicted, attestors: 0 });
    expect(reply(said(5, 500n))).toBe('DisputeDecided');
  });

  test('a closed slot and one that never was active cannot be disputed', () => {
    attest(5, 500n);
    const other = world.meter('late', world.owner);
    const window = windowAt(world.chain.time);
    world.chain.must(world.register(other, { message: { deviceSigned: true, window } }), world.staff);
    expect(open(said(51, -1n), other, 2)).toBe('MeterNotActive');
    world.chain.must([setStatus(world, device, 'suspended'), sync(world, device)], [world.utility]);
    world.chain.must([setStatus(world, device, 'closed'), sync(world, device)], [world.utility]);
    expect(open(said(6, 499n))).toBe('SlotClosed');
  });

  test('every wrong account, every malformed form', () => {
    attest(5, 500n);
    const [verify, instruction] = dispute(world, device, 0, said(6, 499n)) as [
      TransactionInstruction,
      TransactionInstruction,
    ];
    for (const variant of [...hostileVariants(world.chain, instruction), ...malformedVariants(instruction)])
      expect(problem(variant, world.chain.send([verify, variant.instruction]))).toBe('');
    expect(isDisputed()).toBe(false);
    expect(refusal(world, [verify, instruction])).toBe('accepted');
  });
});

describe('answer', () => {
  beforeEach(() => {
    attest(5, 500n);
    expect(open(said(6, 400n))).toBe('accepted');
  });

  test('a statement by the device for a window up to the slot, with totals at least the slot: convicts the device', () => {
    expect(reply(said(6, 500n))).toBe('NotAnAnswer');
    expect(reply(said(5, 499n))).toBe('NotAnAnswer');
    expect(reply(said(5, 500n, { importWh: 6n }))).toBe('NotAnAnswer');
    expect(reply(said(5, -1n))).toBe('NotAnAnswer');
    expect(reply(said(5, 500n, { key: keyOf('stranger') }))).toBe('UnauthorizedMeter');
    expect(reply(said(5, 500n, { change: { quality: 1 } }))).toBe('QualityNotAttestable');
    const before = world.meterPage().history;
    const what = said(5, 500n);
    expect(reply(what)).toBe('accepted');
    const payload = statementPayload(world, device, what);
    expect(found()).toMatchObject({ verdict: Verdict.deviceConvicted, answer: payload });
    const tag = instructionDiscriminator('answer');
    expect(world.meterPage().history).toEqual(foldHistory(before, tag, 0, new Uint8Array(0), payload));
    expect(isDisputed()).toBe(true);
    expect(reply(what)).toBe('DisputeDecided');
  });

  test('within 96 windows of the opening; then the attestors are convicted', () => {
    const opened = found().openedWindow;
    world.chain.time = (opened + 96) * 900 - 1;
    expect(refusal(world, [conclude(world, device, 0)])).toBe('DisputeOpen');
    const copy = world.fork();
    expect(refusal(copy, answer(copy, device, 0, said(5, 500n)))).toBe('accepted');
    world.chain.time = (opened + 96) * 900;
    expect(reply(said(5, 500n))).toBe('NotAnAnswer');
    expect(refusal(world, [conclude(world, device, 0)])).toBe('accepted');
    expect(found()).toMatchObject({ verdict: Verdict.attestorsConvicted, attestors: 0b11, epoch: 1 });
    expect(isDisputed()).toBe(true);
  });

  test('every wrong account, every malformed form', () => {
    const [verify, instruction] = answer(world, device, 0, said(5, 500n)) as [
      TransactionInstruction,
      TransactionInstruction,
    ];
    for (const variant of [...hostileVariants(world.chain, instruction), ...malformedVariants(instruction)])
      expect(problem(variant, world.chain.send([verify, variant.instruction]))).toBe('');
    world.chain.time += DAY;
    const late = conclude(world, device, 0);
    for (const variant of [...hostileVariants(world.chain, late), ...malformedVariants(late)])
      expect(problem(variant, world.chain.send([variant.instruction]))).toBe('');
    expect(found().verdict).toBe(Verdict.open);
  });
});

describe('after a verdict', () => {
  beforeEach(() => {
    attest(5, 500n);
    open(said(6, 400n));
  });

  test('the slot stays frozen until the utility accepts the verdict, and goes on from the slot', () => {
    expect(accept(said(6, 500n))).toBe('DisputeOpen');
    expect(reply(said(5, 500n))).toBe('accepted');
    expect(refusal(world, [conclude(world, device, 0)])).toBe('DisputeNotAccepted');
    // A convicted device goes on where its own word stands, and not below: that energy is counted already.
    expect(accept(said(6, 499n))).toBe('TotalsFell');
    expect(refusal(world, reactivate(world, device, said(8, 520n)))).toBe('AccountOwnerMismatch');
    expect(accept(said(8, 520n))).toBe('accepted');
    expect(refusal(world, [sync(world, device)])).toBe('accepted');
    expect(isDisputed()).toBe(true); // sync_slot never clears it
    const before = world.meterPage();
    expect(refusal(world, [conclude(world, device, 0)])).toBe('accepted');
    expect(isDisputed()).toBe(false);
    expect(world.meterPage().moves).toBe(before.moves + 1);
    expect(slotAt(world, 0)).toMatchObject({ exportWh: 500n, window: ENROLLED + 8, attestors: 0, epoch: 0 });
    expect(refusal(world, [conclude(world, device, 0)])).toBe('DisputeDecided');
    expect(refusal(world, submit(world, device, said(8, 550n)))).toBe('BeforeFirstWindow');
    expect(refusal(world, submit(world, device, said(9, 550n)))).toBe('accepted');
    expect(slotAt(world, 0).exportWh).toBe(530n); // 20 Wh went into the baseline
    expect(world.chain.get(pda.meter(world.zone, device.id), decodeMeter).acceptedDispute).toBe(1);
  });

  test('an honest device whose attestors lied climbs back: nothing is counted twice, and it is never framed', () => {
    world.chain.time += DAY;
    expect(refusal(world, [conclude(world, device, 0)])).toBe('accepted');
    expect(found().verdict).toBe(Verdict.attestorsConvicted);
    expect(accept(said(7, 420n))).toBe('accepted');
    expect(refusal(world, [conclude(world, device, 0)])).toBe('accepted');
    expect(slotAt(world, 0)).toMatchObject({ exportWh: 500n, window: ENROLLED + 7, attestors: 0 });
    expect(open(said(8, 430n))).toBe('NoContradiction');
    expect(refusal(world, submit(world, device, said(8, 430n)))).toBe('TotalsFell');
    expect(refusal(world, submit(world, device, said(9, 510n)))).toBe('accepted');
    expect(slotAt(world, 0).exportWh).toBe(510n);
    expect(open(said(10, 509n))).toBe('accepted');
  });

  test('a convicted device is suspended without a statement, and another one takes its slot over', () => {
    reply(said(5, 500n));
    world.chain.must([setStatus(world, device, 'suspended', 0)], [world.utility]);
    expect(refusal(world, [conclude(world, device, 0)])).toBe('accepted');
    expect(slotAt(world, 0)).toMatchObject({ exportWh: 500n, flags: SlotFlag.suspended | SlotFlag.moved });
    const list = replace(world, device, world.meter('fresh'), { window: windowAt(world.chain.time) });
    expect(refusal(world, list)).toBe('accepted');
    expect(world.chain.get(pda.meter(world.zone, world.meter('fresh').id), decodeMeter).carriedExportWh).toBe(500n);
  });

  test('the next dispute of the slot is a case of its own: the old acceptance does not free it', () => {
    reply(said(5, 500n));
    expect(accept(said(8, 500n))).toBe('accepted');
    world.chain.must([conclude(world, device, 0)]);
    attest(10, 600n);
    expect(open(said(11, 550n))).toBe('accepted');
    expect(found()).toMatchObject({ number: 2, verdict: Verdict.open, answer: new Uint8Array(96) });
    world.chain.time += DAY;
    expect(refusal(world, [conclude(world, device, 0)])).toBe('accepted');
    expect(refusal(world, [conclude(world, device, 0)])).toBe('DisputeNotAccepted');
  });

  test('nobody answers for what nobody signed: after a reactivation there is nothing to contradict', () => {
    reply(said(5, 500n));
    expect(accept(said(6, 500n))).toBe('accepted');
    world.chain.must([conclude(world, device, 0)]);
    expect(slotAt(world, 0)).toMatchObject({ attestors: 0, epoch: 0 });
    expect(open(said(7, 499n))).toBe('NoContradiction');
  });

  test('rotation, replacement and closing are refused while disputed', () => {
    expect(refusal(world, rotate(world, device, { key: keyOf('next') }))).toBe('SlotDisputed');
    expect(refusal(world, [setStatus(world, device, 'closed')])).toBe('SlotDisputed');
    // A suspension on the way is possible, and does not free it.
    expect(refusal(world, [setStatus(world, device, 'suspended')])).toBe('accepted');
    expect(refusal(world, [sync(world, device)])).toBe('accepted');
    expect(isDisputed()).toBe(true);
  });

  test('the old key still answers for its windows after a rotation, and the slot is not lost to it', () => {
    reply(said(5, 500n));
    expect(accept(said(6, 500n))).toBe('accepted');
    world.chain.must([conclude(world, device, 0)]);
    attest(10, 600n);
    const next = keyOf('next');
    const rotation = rotate(world, device, { key: next, message: { window: ENROLLED + 12 } });
    expect(refusal(world, rotation)).toBe('accepted');
    world.chain.time += 900 * 4;
    expect(open(said(52, 599n))).toBe('UnauthorizedMeter'); // after the old key's last window
    expect(open(said(51, 599n, { key: next }))).toBe('BeforeFirstWindow');
    // Two keys that say two things are no device that contradicts itself: recovery would let a thief convict it.
    expect(open(said(52, 599n, { key: next }))).toBe('UnauthorizedMeter');
    expect(open(said(13, 599n))).toBe('accepted');
    expect(reply(said(10, 600n))).toBe('accepted'); // by the old key, for its own window
    expect(refusal(world, submit(world, device, said(11, 700n)))).toBe('SlotDisputed');
  });

  test('sync_slot leaves a disputed slot as its case found it: conclude_dispute restarts it', () => {
    reply(said(5, 500n));
    world.chain.must([setStatus(world, device, 'suspended'), sync(world, device)], [world.utility]);
    expect(accept(said(8, 520n))).toBe('accepted');
    expect(refusal(world, [sync(world, device)])).toBe('accepted');
    expect(slotAt(world, 0)).toMatchObject({ exportWh: 500n, window: ENROLLED + 5, attestors: 0b11 });
    expect(refusal(world, [conclude(world, device, 0)])).toBe('accepted');
    expect(slotAt(world, 0)).toMatchObject({ exportWh: 500n, window: ENROLLED + 8, attestors: 0 });
  });
});
