import { decodeBudget, instructions, pda, windowWh } from '@gridtokenx/chain-client';
import { hostileVariants, malformedVariants, problem } from '@gridtokenx/testing-kit/chain/hostile';
import { refusal, slotAt } from '@gridtokenx/testing-kit/chain/telemetry';
import { START, World, windowAt, ZONE_CAPACITY_W } from '@gridtokenx/testing-kit/chain/world';
import type { TransactionInstruction } from '@solana/web3.js';
import { beforeEach, describe, expect, test } from 'vitest';
import energyToken from '../idl/energy_token.json' with { type: 'json' };

// Bounds of a zone's minting. The attacks are an audit's: each made energy before its defect was closed.

const ENROLLED = windowAt(START);
const WINDOW_WH = windowWh(ZONE_CAPACITY_W);
let world: World;

beforeEach(() => {
  world = new World().setUp();
  world.addMeters(1, { message: { deviceSigned: true } });
  world.addMeters(3, {}, 1);
  world.chain.time = START + 900 * 50;
});

const send = (list: readonly TransactionInstruction[]) => refusal(world, list);
const attest = (step: number, totals: Record<number, bigint>) => {
  const map = new Map(Object.entries(totals).map(([slot, exportWh]) => [Number(slot), { exportWh, importWh: 7n }]));
  return world.attest({ window: ENROLLED + step, items: world.items(ENROLLED + step, map) });
};
const budget = () => world.chain.get(pda.budget(world.zone), decodeBudget);
const mintPage = () => send([instructions.mintPage({ zone: world.zone, page: 0 })]);
const minted = () => world.ledgerPage().slots.map((slot) => slot.mintedWh);

/** Raises a slot's export over many windows, each rise within its cap of 1,376 Wh. */
function raise(slot: number, first: number, windows: number, perWindow: bigint): void {
  for (let step = first; step < first + windows; step++) {
    attest(step, { [slot]: slotAt(world, slot).exportWh + perWindow });
  }
}

const PAGE_MINTED = energyToken.events.find(({ name }) => name === 'PageMinted')?.discriminator;
/** Bytes of a PageMinted event before its bitmap: discriminator, zone, page, slots, Wh, amount. */
const SKIPPED_AT = 8 + 2 + 4 + 2 + 8 + 8;

/** Lists the slots that PageMinted events name as skipped. */
function skippedSlots(logs: readonly string[]): number[] {
  const events = logs
    .filter((line) => line.startsWith('Program data: '))
    .map((line) => Buffer.from(line.slice(14), 'base64'));
  const bitmaps = events
    .filter((data) => data.subarray(0, 8).equals(Buffer.from(PAGE_MINTED ?? [])))
    .map((data) => data.subarray(SKIPPED_AT));
  return bitmaps.flatMap((bits) => [...Array(256).keys()].filter((slot) => ((bits[slot >> 3] ?? 0) >> (slot & 7)) & 1));
}

describe("a zone's budget", () => {
  test('minted ≤ capacity · windows: the rest is skipped slot by slot, reported, and minted later', () => {
    world = new World().setUp();
    const zone = 9;
    world.chain.must(
      [
        instructions.createZone({
          authority: world.authority.publicKey,
          payer: world.payer,
          zone,
          utility: world.utility.publicKey,
          capacityW: 10_010n,
        }),
      ],
      [world.authority],
    );
    const small = new World({ zone }, world.chain);
    world.chain.must([small.announceAttestors()], [world.authority]);
    world.chain.must([instructions.createBudget({ payer: world.payer, zone })]);
    for (const wallet of [world.owner, world.installer]) {
      world.chain.must([small.registerUser(wallet.publicKey, wallet === world.owner ? 1 : 2)], [world.utility]);
    }
    small.addMeters(2);
    world.chain.time = START + 900 * 50;
    world = small;
    const perWindow = windowWh(10_010n);
    expect(perWindow).toBe(2_753n);
    raise(1, 1, 4, 1_376n);
    raise(0, 5, 1, 1_000n);
    expect(slotAt(world, 1).exportWh).toBe(5_504n);
    const outcome = world.mintPage();
    expect(outcome.message).toBe('');
    // 5,504 Wh of slot 1 do not fit one window of this zone; its neighbour's 1,000 do.
    expect(minted().slice(0, 2)).toEqual([1_000n, 0n]);
    expect(skippedSlots(outcome.logs)).toEqual([1]);
    expect(budget()).toMatchObject({ mintedWh: 1_000n, fromWindow: ENROLLED + 4, newestWindow: ENROLLED + 5 });
    const nothing = world.chain.account(pda.budget(zone))?.data;
    expect(mintPage()).toBe('accepted');
    expect(world.chain.account(pda.budget(zone))?.data).toEqual(nothing);
    attest(7, { 0: 1_001n });
    expect(mintPage()).toBe('accepted');
    expect(minted().slice(0, 2)).toEqual([1_001n, 5_504n]);
    expect(budget()).toMatchObject({ mintedWh: 6_505n, newestWindow: ENROLLED + 7 });
    expect(BigInt(budget().newestWindow - budget().fromWindow) * perWindow).toBeGreaterThanOrEqual(6_505n);
  });

  test('waiting earns nothing: the windows are those of the pages, not of the clock', () => {
    raise(0, 1, 3, 1_000n);
    expect(mintPage()).toBe('accepted');
    expect(budget()).toMatchObject({ fromWindow: ENROLLED + 2, newestWindow: ENROLLED + 3 });
    world.chain.time += 900 * 1_000;
    expect(mintPage()).toBe('accepted');
    expect(budget().newestWindow).toBe(ENROLLED + 3);
  });

  test('a slot that overflows, and a supply at its end, fail no page and no zone', () => {
    attest(5, { 1: 100n, 2: 200n });
    const address = pda.meterPage(world.zone, 0);
    const account = world.chain.account(address);
    if (!account) throw new Error('no page');
    const data = Buffer.from(account.data);
    data.writeBigUInt64LE((1n << 63n) - 1n, 96 + 32);
    world.chain.put(address, { owner: account.owner, data });
    expect(mintPage()).toBe('accepted');
    expect(minted().slice(0, 3)).toEqual([0n, 0n, 200n]);
    const mint = world.chain.account(pda.mint());
    if (!mint) throw new Error('no mint');
    const full = Buffer.from(mint.data);
    full.writeBigUInt64LE(0xffff_ffff_ffff_ffffn - 50_000n, 36);
    world.chain.put(pda.mint(), { owner: mint.owner, data: full });
    attest(6, { 2: 260n, 3: 40n });
    expect(mintPage()).toBe('accepted');
    expect(minted().slice(0, 4)).toEqual([0n, 0n, 200n, 40n]);
  });

  test("mint_meter keeps to the same budget, and a skipped home's cursor stays", () => {
    const owner = world.owner;
    world.chain.must([instructions.createOwnerTokenAccount({ payer: world.payer, owner: owner.publicKey })]);
    const at = { owner: owner.publicKey, meterId: world.meter('1').id, zone: world.zone, page: 0 };
    world.chain.must([instructions.setDestination({ ...at, destination: 'wallet' })], [owner]);
    attest(5, { 1: 100n });
    const address = pda.meterPage(world.zone, 0);
    const account = world.chain.account(address);
    if (!account) throw new Error('no page');
    const data = Buffer.from(account.data);
    data.writeBigUInt64LE(WINDOW_WH + 1n, 96 + 32);
    world.chain.put(address, { owner: account.owner, data });
    expect(send([instructions.mintMeter(at)])).toBe('accepted');
    expect([minted()[1], world.supply(), budget().mintedWh]).toEqual([0n, 0n, 0n]);
    data.writeBigUInt64LE(WINDOW_WH, 96 + 32);
    world.chain.put(address, { owner: account.owner, data });
    expect(send([instructions.mintMeter(at)])).toBe('accepted');
    expect([minted()[1], world.supply(), budget().mintedWh]).toEqual([WINDOW_WH, WINDOW_WH * 1_000n, WINDOW_WH]);
  });

  test('every wrong account: no other zone, no other budget', () => {
    attest(5, { 1: 100n });
    world.chain.must([world.createZone(8)], [world.authority]);
    const create = instructions.createBudget({ payer: world.payer, zone: 8 });
    for (const variant of [...hostileVariants(world.chain, create), ...malformedVariants(create)]) {
      expect(problem(variant, world.chain.send([variant.instruction]))).toBe('');
    }
    world.chain.must([create]);
    expect(send([create])).toBe('AccountAlreadyInitialized');
    const mint = instructions.mintPage({ zone: world.zone, page: 0 });
    for (const [place, pubkey] of [
      [1, pda.zone(8)],
      [4, pda.budget(8)],
    ] as const) {
      const keys = mint.keys.map((meta, at) => (at === place ? { ...meta, pubkey } : meta));
      expect(world.chain.send([Object.assign(instructions.mintPage({ zone: 7, page: 0 }), { keys })]).error?.name).toBe(
        'ZoneMismatch',
      );
    }
  });
});
