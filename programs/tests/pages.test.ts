import {
  decodeMeterPage,
  foldHistory,
  instructionDiscriminator,
  instructions,
  pda,
  SlotFlag,
} from '@gridtokenx/chain-client';
import { hostileVariants, malformedVariants, problem } from '@gridtokenx/testing-kit/chain/hostile';
import { setFlags, slotAt } from '@gridtokenx/testing-kit/chain/telemetry';
import { START, World, windowAt } from '@gridtokenx/testing-kit/chain/world';
import { TransactionInstruction } from '@solana/web3.js';
import { beforeEach, describe, expect, test } from 'vitest';

const ENROLLED = windowAt(START);
let world: World;

beforeEach(() => {
  world = new World().setUp();
  world.addMeters(4);
  world.chain.time = START + 900 * 10_000;
});

const slot = (index = 0) => slotAt(world, index);

const flag = (index: number, bits: number, page = 0) => setFlags(world, index, bits, page);

describe('pages and slots', () => {
  test('create_page: once, for a zone that exists', () => {
    const { payer } = world;
    const again = world.chain.send([instructions.createPage({ payer, zone: world.zone, page: 0 })]);
    expect(again.error?.name).toBe('AccountAlreadyInitialized');
    expect(world.chain.send([instructions.createPage({ payer, zone: 99, page: 0 })]).ok).toBe(false);
    const instruction = instructions.createPage({ payer, zone: world.zone, page: 3 });
    for (const variant of [...hostileVariants(world.chain, instruction), ...malformedVariants(instruction)]) {
      expect(problem(variant, world.chain.send([variant.instruction]))).toBe('');
    }
    world.chain.must([instruction]);
    const page = world.chain.get(pda.meterPage(world.zone, 3), decodeMeterPage);
    expect(page).toMatchObject({ version: 0n, moves: 0, highestWindow: 0, zone: world.zone, page: 3, format: 1 });
    const data = Uint8Array.of(3, 0, 0, 0);
    expect(page.history).toEqual(foldHistory(new Uint8Array(32), instructionDiscriminator('create_page'), 0, data));
  });

  test('activate_slot: copies, moves the page once, changes nothing the second time', () => {
    const before = world.meterPage();
    expect(before.moves).toBe(4);
    expect(slot()).toMatchObject({
      exportWh: 0n,
      importWh: 0n,
      window: ENROLLED,
      exportCapWh: 1_376,
      importCapWh: 2_751,
      flags: 9,
    });
    const instruction = instructions.activateSlot({ meterId: world.meter('0').id, zone: world.zone, page: 0 });
    world.chain.must([instruction]);
    expect(world.meterPage()).toEqual(before);
    flag(0, SlotFlag.closed);
    expect(world.chain.send([instruction]).error?.name).toBe('SlotClosed');
  });

  test('activate_slot refuses what does not belong together', () => {
    const { zone, payer } = world;
    const evidence = world.meter('evidence');
    world.chain.must(
      world.register(evidence, { message: { role: 1, window: windowAt(world.chain.time) } }),
      world.staff,
    );
    const send = (meterId: Uint8Array, page = 0, data?: Uint8Array) => {
      const instruction = instructions.activateSlot({ meterId, zone, page });
      if (data) instruction.data = Buffer.from(data);
      const outcome = world.chain.send([instruction]);
      return outcome.ok ? 'accepted' : (outcome.error?.name ?? outcome.message);
    };
    expect(send(evidence.id)).toBe('MeterHasNoSlot');
    world.chain.must([instructions.createPage({ payer, zone, page: 1 })]);
    expect(send(world.meter('0').id, 1)).toBe('AccountKeyMismatch');
    const meter = world.meter('4');
    world.chain.must(world.register(meter), world.staff);
    const good = instructions.activateSlot({ meterId: meter.id, zone, page: 0 });
    expect(send(meter.id, 0, Uint8Array.of(...good.data.subarray(0, 23), 0))).toBe('AccountKeyMismatch');
    const record = world.chain.account(pda.meter(world.zone, meter.id));
    if (!record) throw new Error('no meter');
    const suspended = Uint8Array.from(record.data);
    suspended[262] = 2;
    world.chain.put(pda.meter(world.zone, meter.id), { owner: record.owner, data: suspended });
    expect(send(meter.id)).toBe('MeterNotActive');
    world.chain.put(pda.meter(world.zone, meter.id), record);
    const now = world.chain.time;
    world.chain.time = START - 1_000;
    expect(send(meter.id)).toBe('WindowInFuture');
    world.chain.time = now;
    for (const variant of [...hostileVariants(world.chain, good), ...malformedVariants(good)]) {
      expect(problem(variant, world.chain.send([variant.instruction]))).toBe('');
    }
    expect(send(meter.id)).toBe('accepted');
  });
});

describe('numbers at their ends', () => {
  /** Writes a u64 of the page. */
  function set(at: number, value: bigint): void {
    const address = pda.meterPage(world.zone, 0);
    const account = world.chain.account(address);
    if (!account) throw new Error('no page');
    const data = Buffer.from(account.data);
    data.writeBigUInt64LE(value, at);
    world.chain.put(address, { owner: account.owner, data });
  }
  const attest = (exportRise: bigint) => {
    const { exportWh, importWh } = slot();
    const items = world.items(ENROLLED + 1, new Map([[0, { exportWh: exportWh + exportRise, importWh }]]));
    const outcome = world.attest({ window: ENROLLED + 1, items });
    return outcome.ok ? 'accepted' : outcome.error?.name;
  };

  test('a total stays below 2^63', () => {
    set(96, (1n << 63n) - 2n);
    expect(attest(2n)).toBe('MalformedInstruction');
    expect(slot()).toMatchObject({ exportWh: (1n << 63n) - 2n, window: ENROLLED });
    expect(attest(1n)).toBe('accepted');
  });

  test('a version does not wrap', () => {
    set(8, (1n << 64n) - 1n);
    expect(attest(1n)).toBe('ArithmeticOverflow');
  });

  test('a cap fits its field: the largest limits that the utility may confirm', () => {
    const meter = world.meter('4');
    const limits = { exportLimitW: 1_900_000, importLimitW: 0xffff_ffff, registerStepWh: 1_000 };
    const message = { window: windowAt(world.chain.time) };
    world.chain.must(world.register(meter, { ...limits, message }), world.staff);
    world.chain.must([instructions.activateSlot({ meterId: meter.id, zone: world.zone, page: 0 })]);
    expect(world.meterPage().slots[4]).toMatchObject({ exportCapWh: 523_500, importCapWh: 1_181_117_007 });
  });

  test('an account of the right owner and another type', () => {
    const { programId, keys, data } = instructions.activateSlot({
      meterId: world.meter('0').id,
      zone: world.zone,
      page: 0,
    });
    const typed = keys.map((meta, index) => (index === 1 ? { ...meta, pubkey: pda.zone(world.zone) } : meta));
    expect(world.chain.send([new TransactionInstruction({ programId, keys: typed, data })]).error?.name).toBe(
      'AccountTypeMismatch',
    );
  });
});
