import { instructions, pda } from '@gridtokenx/chain-client';
import { asWh } from '@gridtokenx/protocol';
import { hostileVariants, malformedVariants, problem } from '@gridtokenx/testing-kit/chain/hostile';
import { refusal, submit } from '@gridtokenx/testing-kit/chain/telemetry';
import { keyOf, START, type TestMeter, World, windowAt } from '@gridtokenx/testing-kit/chain/world';
import { beforeEach, describe, expect, test } from 'vitest';

const ENROLLED = windowAt(START);
let world: World;
let device: TestMeter;

/** Submits the device's signed statement. Anyone may send it. */
const meter = (step: number, exportWh: bigint, importWh: bigint) =>
  world.chain.must(submit(world, device, { window: ENROLLED + step, exportWh, importWh }));

describe('retire', () => {
  const retire = (wh: bigint, owner = world.owner) =>
    instructions.retire({ owner: owner.publicKey, meterId: device.id, zone: world.zone, page: 0, wh: asWh(wh) });
  const spend = (wh: bigint, owner = world.owner) => refusal(world, [retire(wh, owner)], [owner]);

  beforeEach(() => {
    world = new World().setUp();
    [device] = world.addMeters(1, { message: { deviceSigned: true } }) as [TestMeter];
    world.chain.time = START + 900 * 20;
    const owner = world.owner.publicKey;
    world.chain.must([instructions.createOwnerTokenAccount({ payer: world.payer, owner })]);
    const { id: meterId } = device;
    const at = { owner, meterId, zone: world.zone, page: 0 };
    world.chain.must([instructions.setDestination({ ...at, destination: 'wallet' })], [world.owner]);
    meter(5, 500n, 300n);
    world.chain.must([instructions.mintMeter(at)]);
  });

  test('burns the tokens and raises the cursor, up to the import', () => {
    expect(spend(200n)).toBe('accepted');
    expect(world.ledgerPage().slots[0]?.retiredWh).toBe(200n);
    expect(world.supply()).toBe(300_000n);
    expect(world.balance(pda.ownerTokenAccount(world.owner.publicKey))).toBe(300_000n);
    expect(spend(101n)).toBe('ExcessiveAmount');
    expect(spend((1n << 64n) - 1n)).toBe('ExcessiveAmount');
    expect(spend(0n)).toBe('MalformedInstruction');
    expect(spend(100n)).toBe('accepted');
    expect(spend(1n)).toBe('ExcessiveAmount');
  });

  test('only by the owner, and only with tokens', () => {
    expect(spend(1n, keyOf('stranger'))).toBe('InvalidAuthority');
    meter(9, 500n, 600n);
    expect(spend(500n)).toBe('accepted');
    expect(spend(1n)).not.toBe('accepted');
    expect(world.ledgerPage().slots[0]?.retiredWh).toBe(500n);
  });

  test('every wrong account, every malformed form', () => {
    const instruction = retire(10n);
    for (const variant of [...hostileVariants(world.chain, instruction), ...malformedVariants(instruction)])
      expect(problem(variant, world.chain.send([variant.instruction], [world.owner]))).toBe('');
    expect(world.supply()).toBe(500_000n);
    expect(spend(10n)).toBe('accepted');
  });
});
