import { foldHistory, instructionDiscriminator, instructions, Verdict } from '@gridtokenx/chain-client';
import { asWh } from '@gridtokenx/protocol';
import { deviceWorld, disputeActs } from '@gridtokenx/testing-kit/chain/acts';
import { hostileVariants, malformedVariants, problem } from '@gridtokenx/testing-kit/chain/hostile';
import {
  answer,
  conclude,
  dispute,
  refusal,
  said,
  setStatus,
  slotAt,
  statementPayload,
  submit,
  sync,
} from '@gridtokenx/testing-kit/chain/telemetry';
import { keyOf, START, type TestMeter, type World, windowAt } from '@gridtokenx/testing-kit/chain/world';
import type { TransactionInstruction } from '@solana/web3.js';
import { beforeEach, describe, expect, test } from 'vitest';

const ENROLLED = windowAt(START);
const DAY = 96 * 900;
let world: World;
let device: TestMeter;

beforeEach(() => {
  ({ world, device } = deviceWorld(50));
});

const { attest, open, reply, found, isDisputed } = disputeActs(() => ({ world, device }));

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
    const retire = instructions.retire({ owner, meterId: device.id, zone: world.zone, page: 0, wh: asWh(1n) });
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
    // One lower register is enough, and so is one below the baseline.
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
