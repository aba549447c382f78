import {
  attestComputeBudget,
  buildAttestPage,
  encodeTotal,
  encodeTotals,
  foldHistory,
  instructionDiscriminator,
  MAX_TRANSACTION_BYTES,
  pda,
  planAttest,
} from '@gridtokenx/chain-client';
import { asWh, merkleRoot } from '@gridtokenx/protocol';
import { START, statement, World, windowAt } from '@gridtokenx/testing-kit/chain/world';
import { beforeEach, describe, expect, test } from 'vitest';

const ENROLLED = windowAt(START);
let world: World;

beforeEach(() => {
  world = new World().setUp();
  world.addMeters(4);
  world.chain.time = START + 900 * 10_000;
});

describe('the history', () => {
  test('folds every change, so that an archive explains the page', () => {
    const tag = instructionDiscriminator;
    let history = foldHistory(new Uint8Array(32), tag('create_page'), 0, new Uint8Array(4));
    const account = world.chain.account(pda.meterPage(world.zone, 0));
    if (!account) throw new Error('no page');
    for (let index = 0; index < 4; index++) {
      const written = account.data.subarray(96 + 32 * index, 128 + 32 * index);
      history = foldHistory(history, tag('activate_slot'), 0, world.meter(`${index}`).id, written);
    }
    expect(world.meterPage().history).toEqual(history);
    for (let step = 1; step <= 3; step++) {
      const window = ENROLLED + step;
      const items = world.items(window, new Map([[step, { exportWh: 9n, importWh: 1n }]]));
      const attestors = world.attestors.slice(0, 2).map((key) => key.publicKey);
      const { data } = buildAttestPage({
        zone: world.zone,
        page: 0,
        read: world.meterPage(),
        window,
        items,
        attestors,
      });
      expect(world.attest({ window, items }).message).toBe('');
      history = foldHistory(history, tag('attest_page'), 0b11, data.subarray(8));
      const page = world.meterPage();
      expect(page.history).toEqual(history);
      expect(page.lastRoot).toEqual(merkleRoot(items.map((item) => item.payload)));
      expect(page).toMatchObject({ version: BigInt(step), highestWindow: window });
    }
    const wrong = foldHistory(history, tag('attest_page'), 0b101, new Uint8Array(0));
    expect(world.meterPage().history).not.toEqual(wrong);
  });
});

describe('the encoding', () => {
  test('takes the fewest groups whose reach is above the rise', () => {
    const hex = (current: bigint, next: bigint) => Buffer.from(encodeTotal(asWh(current), asWh(next))).toString('hex');
    expect(hex(0n, 0n)).toBe('00');
    expect(hex(1_000n, 1_127n)).toBe('67');
    expect(hex(1_000n, 1_128n)).toBe('e808');
    expect(hex(0n, 16_383n)).toBe('ff7f');
    expect(hex(0n, 16_384n)).toBe('808001');
    expect(hex(0n, (1n << 63n) - 1n)).toBe('ffffffffffffffff7f');
    expect(() => hex(0n, 1n << 63n)).toThrow(/9 groups/);
    expect(() => hex(1n, 0n)).toThrow(/never falls/);
    const zero = { exportWh: asWh(0n), importWh: asWh(0n) };
    expect(encodeTotals(zero, { exportWh: asWh(300n), importWh: asWh(1n) })).toEqual(Uint8Array.of(0xac, 2, 1));
  });

  test('buildAttestPage refuses what nobody would co-sign', () => {
    const read = world.meterPage();
    const window = ENROLLED + 1;
    const attestors = world.attestors.map((key) => key.publicKey);
    const [item] = world.items(window, new Map([[0, { exportWh: 5n, importWh: 5n }]]));
    if (!item) throw new Error('no item');
    const build = (items: (typeof item)[], change = {}) =>
      buildAttestPage({ zone: world.zone, page: 0, read, window, items, attestors, ...change });
    expect(() => build([])).toThrow(/at least one/);
    expect(() => build([item, item])).toThrow(/twice/);
    expect(() => build([{ ...item, slot: 256 }])).toThrow(/slot 256/);
    expect(() => build([item], { window: window + 1 })).toThrow(/not a statement/);
    expect(() => build([item], { page: 1 })).toThrow(/another page/);
    expect(build([item]).keys).toHaveLength(5);
  });

  test('the compute-unit limit of attest_page rises with its meters', () => {
    const units = (meters: number) => attestComputeBudget(meters).data.readUInt32LE(1);
    expect([1, 3, 256].map(units)).toEqual([10_120, 10_360, 40_720]);
  });

  test('planAttest fills transactions and never goes above 1,232 bytes', () => {
    const read = world.meterPage();
    const window = ENROLLED + 1;
    const totals = { exportWh: asWh(300n), importWh: asWh(200n) };
    const items = Array.from({ length: 256 }, (_, index) => ({
      slot: 255 - index,
      ...totals,
      payload: statement(255 - index, window, totals),
    }));
    for (const count of [1, 2, 3]) {
      const signers = world.attestors.slice(0, count);
      const args = { zone: world.zone, page: 0, read, window, attestors: signers.map((key) => key.publicKey) };
      const groups = planAttest({ ...args, items });
      expect(groups.flat().map((item) => item.slot)).toEqual(Array.from({ length: 256 }, (_, index) => index));
      const sizes = groups.map((group) => {
        const instruction = buildAttestPage({ ...args, items: group });
        return world.chain.send([attestComputeBudget(group.length), instruction], signers, signers[0]).size;
      });
      expect(Math.max(...sizes)).toBeLessThanOrEqual(MAX_TRANSACTION_BYTES);
      expect(sizes[0]).toBeGreaterThan(MAX_TRANSACTION_BYTES - 4); // no room for another meter of four bytes
    }
  });
});
