import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadSunspecModels } from '../../src/adapters/profiles/files.js';
import { SunspecError, sunspecWalk } from '../../src/profiles/sunspec-walk.js';
import { ListedDevice as Device, discover } from '../support/sunspec-list.js';

const known = loadSunspecModels();

describe('the walk', () => {
  it('finds the list at any base, asking for the marker and then header by header', () => {
    for (const base of [40_000, 50_000, 0]) {
      const device = new Device(base, [
        [1, 66],
        [203, 105],
      ]);
      expect(discover(device)).toEqual({
        base,
        models: [
          { id: 1, address: base + 2, length: 66 },
          { id: 203, address: base + 70, length: 105 },
        ],
        oddities: [],
      });
    }
    const device = new Device(40_000, [[1, 66]]);
    discover(device);
    expect(device.reads).toEqual(['40000+2', '40002+2', '40070+2']);
  });

  it('finds nothing where nothing is', () => {
    const silent = new Device(60_000, []);
    expect(discover(silent)).toBeNull();
    expect(silent.reads).toEqual(['40000+2', '50000+2', '0+2']);
    const other = new Device(60_000, []);
    other.put(40_000, [0x5375, 0x6e54]);
    expect(discover(other)).toBeNull();
  });

  it('refuses a list that ends improperly before a model that gives energy', () => {
    const broken = new Device(40_000, [[1, 66]]);
    broken.words.delete(40_070);
    expect(() => discover(broken)).toThrow(SunspecError);
    const empty = new Device(40_000, [[1, 66]]);
    empty.put(40_003, [0]);
    expect(() => discover(empty)).toThrow(/states length 0/);
    const long = new Device(40_000, [[1, 66]]);
    long.put(40_003, [0xfff0]);
    long.words.delete(40_070);
    expect(() => discover(long)).toThrow(/beyond the last register/);
    const endless = new Device(
      0,
      Array.from({ length: 150 }, () => [64_001, 1] as const),
    );
    expect(() => discover(endless, [0])).toThrow(/more than 100 models/);
  });
});

/** A list of common model, inverter, then these words behind it. */
function behind(...words: number[]): Device {
  const device = new Device(40_000, [
    [1, 66],
    [103, 50],
  ]);
  device.words.delete(40_122);
  device.words.delete(40_123);
  device.put(40_122, words);
  return device;
}
const oddly = (device: Device, bases?: readonly number[]) => {
  const found = discover(device, bases);
  return { models: found?.models.map(({ id, length }) => `${id}+${length}`), oddities: found?.oddities };
};
const GOOD_LIST = ['1+66', '103+50'];

describe('an odd list is kept once it gives energy', () => {
  it.each([
    [[0], /only register 40122 follows, which is 0/],
    [[0xffff], /only register 40122 follows, which is 65535/],
    [[], /the device has no register 40122/],
    [[0, 0], /register 40122 is 0/],
    [[120, 0], /model 120 at 40122 states no length/],
  ])('that ends with %j', (words, said) => {
    const { models, oddities } = oddly(behind(...words));
    expect(models).toEqual(GOOD_LIST);
    expect(oddities).toEqual([expect.stringMatching(said)]);
  });

  it('whose last model leads beyond the registers, or whose models do not end', () => {
    expect(oddly(behind(64_001, 65_000))).toEqual({
      models: [...GOOD_LIST, '64001+65000'],
      oddities: [
        expect.stringMatching(/model 64001 at 40122 states length 65000, which leads beyond the last register/),
      ],
    });
    const endless = new Device(0, [[103, 50], ...Array.from({ length: 150 }, () => [64_001, 1] as const)]);
    const { models, oddities } = oddly(endless, [0]);
    expect(models).toHaveLength(100);
    expect(oddities).toEqual(['it has more than 100 models']);
  });

  it.each([
    [68, 66],
    [70, 66],
    [64, 66],
    [0, 66],
    [200, 66],
  ])('whose first model states length %i for %i', (stated, length) => {
    const device = new Device(40_000, [
      [1, length],
      [203, 105],
    ]);
    device.put(40_003, [stated]);
    expect(oddly(device)).toEqual({
      models: [`1+${length}`, '203+105'],
      oddities: [`model 1 at 40002 states length ${stated}, which leads to no model: its length is ${length}`],
    });
  });

  it('whose model states another length than SunSpec, where its length leads on, is not odd', () => {
    const device = new Device(40_000, [
      [1, 65],
      [103, 48],
      [123, 24],
      [160, 48],
      [64_110, 7],
    ]);
    expect(oddly(device)).toEqual({ models: ['1+65', '103+48', '123+24', '160+48', '64110+7'], oddities: [] });
    // Model 103 is longer by the rules, so two other lengths are tried.
    expect(device.reads).toHaveLength(9);
  });

  it('whose last values look like a common model keeps its stated length', () => {
    const device = new Device(40_000, [
      [1, 66],
      [103, 52, { 52: [1, 2] }],
      [120, 26],
    ]);
    expect(oddly(device)).toEqual({ models: ['1+66', '103+52', '120+26'], oddities: [] });
  });

  it('asks a bounded number of questions and returns rising models, whatever the registers are', () => {
    const word = fc.oneof(fc.constantFrom(0, 1, 2, 66, 103, 203, 160, 0xffff), fc.nat(0xffff));
    fc.assert(
      fc.property(fc.array(word, { minLength: 2, maxLength: 400 }), fc.boolean(), (words, isEndless) => {
        const device = new Device(0, []);
        device.put(0, [0x5375, 0x6e53, ...words]);
        const walk = sunspecWalk([0], known);
        let reads = 0;
        let found: ReturnType<typeof discover> = null;
        try {
          let step = walk.next();
          for (; !step.done; reads++) {
            const { address, count } = step.value;
            const repeated = { address: 2 + (address % Math.max(1, words.length - 2)), count };
            step = walk.next(device.read(address, count) ?? (isEndless ? device.read(repeated.address, count) : null));
          }
          found = step.value;
        } catch (error) {
          expect(error).toBeInstanceOf(SunspecError);
        }
        expect(reads).toBeLessThanOrEqual(120);
        for (const [i, model] of (found?.models ?? []).entries()) {
          const next = found?.models[i + 1];
          expect(model.length).toBeGreaterThan(0);
          if (next) expect(next.address).toBe(model.address + 2 + model.length);
        }
      }),
      { numRuns: 500 },
    );
  });
});
