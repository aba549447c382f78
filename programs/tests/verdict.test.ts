import { decodeMeter, pda, SlotFlag, Verdict } from '@gridtokenx/chain-client';
import { deviceWorld, disputeActs } from '@gridtokenx/testing-kit/chain/acts';
import {
  conclude,
  reactivate,
  refusal,
  replace,
  rotate,
  type Said,
  said,
  setStatus,
  slotAt,
  submit,
  sync,
} from '@gridtokenx/testing-kit/chain/telemetry';
import { keyOf, START, type TestMeter, type World, windowAt } from '@gridtokenx/testing-kit/chain/world';
import { beforeEach, describe, expect, test } from 'vitest';

const ENROLLED = windowAt(START);
const DAY = 96 * 900;
let world: World;
let device: TestMeter;

beforeEach(() => {
  ({ world, device } = deviceWorld(50));
});

const { attest, open, reply, found, isDisputed } = disputeActs(() => ({ world, device }));

/** Accepts the verdict on slot 0 as the utility, which continues the slot from a statement. */
const accept = (what: Said) => refusal(world, reactivate(world, device, what, 0));

describe('after a verdict', () => {
  beforeEach(() => {
    attest(5, 500n);
    open(said(6, 400n));
  });

  test('the slot stays frozen until the utility accepts the verdict, and goes on from the slot', () => {
    expect(accept(said(6, 500n))).toBe('DisputeOpen');
    expect(reply(said(5, 500n))).toBe('accepted');
    expect(refusal(world, [conclude(world, device, 0)])).toBe('DisputeNotAccepted');
    // A convicted device continues from its own statement, and not below the slot: that energy is counted already.
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
    // A suspension in between is possible, and does not free the slot.
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
    // Statements of two keys are no contradiction of one device: otherwise a thief could convict it after a recovery.
    expect(open(said(52, 599n, { key: next }))).toBe('UnauthorizedMeter');
    expect(open(said(13, 599n))).toBe('accepted');
    expect(reply(said(10, 600n))).toBe('accepted'); // signed by the old key, for its own window
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
