import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { expect, test } from 'vitest';
import type { Heard, Prober } from '../../src/domain/scan/prober.js';
import { Disturbed, UnitProber } from '../../src/domain/scan/unit-prober.js';

const READ = {
  fn: 3 as const,
  variants: [
    { address: 10, count: 2 },
    { address: 9, count: 4 },
  ],
};
const SILENCE: Heard = { what: 'silence' };
const DAMAGED: Heard = { what: 'damaged', isEndless: false };
const answer = (waitedMs: number): Heard => ({ what: 'answer', data: Uint8Array.of(0, 1, 0, 2), waitedMs });
const DATA = { what: 'data', fn: 3, address: 10, data: Uint8Array.of(0, 1, 0, 2) };

/** Hears `list` in turn; `free` says from when on a length may be asked. */
function setUp(list: readonly Heard[], { waitedMs = 20, charMs = 0, free = (_count: number): number => 0 } = {}) {
  const asked: { address: number; count: number; waitMs: number }[] = [];
  const prober = {
    freeAt: (_unit: number, _fn: number, count: number) => free(count),
    ask: ({ address, count }: { address: number; count: number }, waitMs: number) => {
      asked.push({ address, count, waitMs });
      return Promise.resolve(list[asked.length - 1]);
    },
  } as unknown as Prober;
  const clock = new VirtualClock({ startAtMs: 0 });
  return { asked, clock, unit: new UnitProber(prober, clock, 7, waitedMs, charMs) };
}

test.each<[string, Heard[], object, number, number]>([
  ['data', [answer(20)], DATA, 1, 0],
  ['an exception', [{ what: 'exception', code: 2, waitedMs: 20 }], { what: 'exception', code: 2 }, 1, 0],
  ['data after a silence', [SILENCE, answer(20)], DATA, 2, 0],
  ['two silences', [SILENCE, SILENCE], SILENCE, 2, 0],
  ['data after damage', [DAMAGED, DAMAGED, answer(20)], DATA, 3, 2],
  ['damage three times', [DAMAGED, DAMAGED, DAMAGED], SILENCE, 3, 3],
  ['damage and two silences', [DAMAGED, DAMAGED, SILENCE], SILENCE, 3, 2],
])('takes %s, and asks no more than that needs', async (_name, list, reply, requests, damaged) => {
  const { unit, asked } = setUp(list);
  expect(await unit.read(READ)).toEqual(reply);
  expect([asked.length, unit.damaged]).toEqual([requests, damaged]);
});

test('stops when another device speaks', async () => {
  await expect(setUp([{ what: 'foreign' }]).unit.read(READ)).rejects.toBeInstanceOf(Disturbed);
});

test('waits for thrice the slowest answer and some, twice as long at the second try, and a second at most', async () => {
  const waits = async (waitedMs: number, charMs: number, list: Heard[]) => {
    const { unit, asked } = setUp(list, { waitedMs, charMs });
    for (let read = 0; read < 2; read++) await unit.read(READ);
    return asked.map(({ waitMs }) => waitMs);
  };
  expect(await waits(10, 0, [answer(10), answer(10)])).toEqual([100, 100]);
  expect(await waits(100, 0, [answer(120), answer(50)])).toEqual([340, 400]);
  expect(await waits(100, 0, [SILENCE, { what: 'exception', code: 2, waitedMs: 200 }, answer(1)])).toEqual([
    340, 680, 640,
  ]);
  expect(await waits(10, 2, [answer(10), answer(10)])).toEqual([134, 134]);
  expect(await waits(300, 0, [SILENCE, SILENCE, answer(1)])).toEqual([940, 1_000, 940]);
});

test('asks by the length that is free first, the one that stands first among those that are', async () => {
  const read = async (free: (count: number) => number) => {
    const { unit, asked, clock } = setUp([answer(1)], { free });
    await clock.advance(100);
    const restMs = unit.restMs(READ);
    await unit.read(READ);
    return [asked[0]?.count, asked[0]?.address, restMs];
  };
  expect(await read(() => 0)).toEqual([2, 10, 0]);
  expect(await read((count) => (count === 2 ? 100 : 0))).toEqual([2, 10, 0]);
  expect(await read((count) => (count === 2 ? 101 : 100))).toEqual([4, 9, 0]);
  expect(await read((count) => (count === 2 ? 150 : 130))).toEqual([4, 9, 30]);
  expect(() => setUp([]).unit.restMs({ fn: 3, variants: [] })).toThrow('a read without a length');
});

test('picks the read that can be asked first, and the first of several that can be asked now', async () => {
  const reads = [2, 4, 6].map((count) => ({ fn: 3 as const, variants: [{ address: 0, count }] }));
  const pick = async (at: Record<number, number>) => {
    const { unit, clock } = setUp([], { free: (count) => at[count] ?? 0 });
    await clock.advance(100);
    return unit.pick(reads);
  };
  expect(await pick({ 2: 100, 4: 0 })).toBe(0);
  expect(await pick({ 2: 300, 4: 200, 6: 200 })).toBe(1);
});
