import type { Random64 } from '@gridtokenx/testing-kit/random';
import type { Model } from './model.js';
import type { ModelMeter, ModelPage, ModelSlot, Pair } from './model-state.js';
import { ATTESTORS } from './names.js';
import type { Op, Said } from './ops.js';

const add = (a: Pair, b: Pair): Pair => ({ exportWh: a.exportWh + b.exportWh, importWh: a.importWh + b.importWh });
export const noLess = (value: bigint) => (value < 0n ? 0n : value);
/** Caps of a slot without a meter, for statements about it. */
const SOME_CAPS = { exportCap: 1_376n, importCap: 2_751n };

/** Draws totals, statements and attestations. */
export class StatementDraw {
  readonly #model: Model;
  readonly #random: Random64;

  constructor(model: Model, random: Random64) {
    this.#model = model;
    this.#random = random;
  }

  /** Draws a rise within the caps, at their edges, or far above. */
  #rise(cap: bigint, windows: number): bigint {
    const random = this.#random;
    const passed = BigInt(Math.max(1, windows));
    return random.weighted([
      [5, BigInt(random.below(Number(cap) + 1))],
      [1, 0n],
      [3, noLess(cap * passed + BigInt(random.between(-1, 1)))],
      [2, noLess(cap * (passed + 1n) + BigInt(random.between(-1, 1)))],
      [1, BigInt(random.below(2 ** 40))],
    ]);
  }

  #rises(slot: ModelSlot | undefined, windows: number): Pair {
    const caps = slot?.exportCap ? slot : SOME_CAPS;
    const calm = this.#random.oneIn(2);
    return {
      exportWh: this.#rise(caps.exportCap, windows),
      importWh: calm ? BigInt(this.#random.below(500)) : this.#rise(caps.importCap, windows),
    };
  }

  /** A slot that was never activated has window 0. */
  #window(slot: ModelSlot | undefined): number {
    const random = this.#random;
    const last = this.#model.now - 1;
    const stands = slot?.window ? slot.window : last;
    const next = stands + random.between(1, 3);
    return random.weighted([
      [10, Math.min(next, last)],
      [3, next],
      [2, last + random.between(0, 2)],
      [1, stands],
      [1, stands - 1],
    ]);
  }

  /** Draws an honest attestation of one slot: its newest window, under the cap. */
  plain(page: ModelPage, index: number): Op {
    const [model, random] = [this.#model, this.#random];
    const slot = page.slots.get(index);
    const read = { exportWh: slot?.exportWh ?? 0n, importWh: slot?.importWh ?? 0n };
    const total = add(read, { exportWh: BigInt(random.below(900)), importWh: BigInt(random.below(2_000)) });
    const { zone, page: number, version, moves } = page;
    const { keys, threshold } = model.zones.get(zone)?.inForce ?? { keys: [], threshold: 0 };
    const signers = keys.slice(0, threshold);
    const items = [{ slot: index, read, total }];
    return { kind: 'attest', zone, page: number, version, moves, window: model.now - 1, signers, items };
  }

  attest(page: ModelPage): Op {
    const [model, random] = [this.#model, this.#random];
    const numbers = [...page.slots.keys()].sort((a, b) => a - b);
    const slots = numbers.filter(() => random.oneIn(2));
    if (slots.length === 0) slots.push(random.pick([...numbers, random.below(256)]));
    const window = this.#window(page.slots.get(random.pick(slots)));
    const items = slots.map((slot) => {
      const found = page.slots.get(slot);
      const read = { exportWh: found?.exportWh ?? 0n, importWh: found?.importWh ?? 0n };
      return { slot, read, total: add(read, this.#rises(found, window - (found?.window ?? window))) };
    });
    const { zone, page: number } = page;
    return {
      kind: 'attest',
      zone,
      page: number,
      version: random.oneIn(12) ? (page.version + BigInt(random.pick([1, -1]))) & 0xffffn : page.version,
      moves: random.oneIn(8) ? Math.max(0, page.moves - random.between(1, 3)) : page.moves,
      window,
      signers: this.signers(model, zone),
      items,
    };
  }

  /** Draws mostly enough attestors of the set in force; else too few, or those of another set or zone. */
  signers(model: Model, zone: number): readonly string[] {
    const random = this.#random;
    const { inForce, announced } = model.zones.get(zone) ?? {
      inForce: { keys: [], threshold: 0 },
      announced: undefined,
    };
    const start = random.below(Math.max(1, inForce.keys.length));
    const turned = [...inForce.keys.slice(start), ...inForce.keys.slice(0, start)];
    return random.weighted<readonly string[]>([
      [16, turned.slice(0, random.between(inForce.threshold, inForce.keys.length))],
      [2, turned.slice(0, Math.max(1, inForce.threshold - 1))],
      [1, announced?.keys ?? ATTESTORS[zone] ?? turned],
      [1, [...turned.slice(0, inForce.threshold), 'stranger']],
      [1, ATTESTORS[zone === 7 ? 8 : 7] ?? turned],
    ]);
  }

  /** Returns a statement whose registers give `total` for this meter. */
  said(meter: ModelMeter, window: number, total: Pair): Said {
    const random = this.#random;
    const names = [...this.#model.meters.values()].map(({ name }) => name);
    return {
      window: Math.max(0, window),
      raw: {
        exportWh: noLess(total.exportWh - meter.carried.exportWh + meter.baseline.exportWh),
        importWh: noLess(total.importWh - meter.carried.importWh + meter.baseline.importWh),
      },
      quality: random.weighted([
        [16, 0],
        [2, random.pick([4, 16, 64, 256, 0x8000])],
        [1, random.pick([1, 2, 8, 9])],
      ]),
      network: !random.oneIn(30),
      about: random.oneIn(30) ? random.pick(names) : meter.name,
      key: random.weighted([
        [16, meter.key],
        [2, meter.previousKey ?? meter.key],
        [1, random.pick(['stranger', 'key 7/0', 'key 8/0'])],
      ]),
    };
  }

  rising(meter: ModelMeter): Said {
    const slot = this.#model.slotOf(meter);
    const window = this.#window(slot);
    if (!slot) return this.said(meter, window, meter.carried);
    const total = add(slot, this.#rises(slot, window - slot.window));
    const lower = this.#random.oneIn(12) ? 1n : 0n;
    return this.said(meter, window, { ...total, exportWh: noLess((lower ? slot.exportWh : total.exportWh) - lower) });
  }

  contradicting(meter: ModelMeter): Said {
    const slot = this.#model.slotOf(meter);
    const random = this.#random;
    if (!slot) return this.said(meter, this.#model.now - 1, meter.carried);
    const lower = BigInt(
      random.weighted([
        [6, random.between(1, 400)],
        [1, 0],
        [1, -1],
      ]),
    );
    const total = random.oneIn(2)
      ? { exportWh: slot.exportWh - lower, importWh: slot.importWh + 5n }
      : { exportWh: slot.exportWh, importWh: slot.importWh - lower };
    const window = random.oneIn(2) ? Math.max(this.#model.now - 1, slot.window + 1) : this.#window(slot);
    return this.said(meter, window, total);
  }

  answering(meter: ModelMeter): Said {
    const random = this.#random;
    const found = this.#model.caseOf(meter);
    if (!found) return this.said(meter, this.#model.now - 1, meter.carried);
    const more = BigInt(
      random.weighted([
        [5, random.below(50)],
        [1, -1],
      ]),
    );
    const total = add(found.total, { exportWh: more, importWh: random.oneIn(4) ? -1n : 2n });
    const back = random.weighted([
      [5, random.below(3)],
      [1, -1],
    ]);
    const said = this.said(meter, found.window - back, total);
    if (meter.previousKey === undefined || random.oneIn(2)) return said;
    return { ...said, key: meter.previousKey, window: Math.min(meter.previousLast, said.window) };
  }

  /** Returns the statement that a reactivation needs: the registers in a closed window, from the slot's window on. */
  standing(meter: ModelMeter): Said {
    const random = this.#random;
    const slot = this.#model.slotOf(meter);
    const base: Pair = slot ?? meter.carried;
    const side = (name: keyof Pair) =>
      base[name] +
      random.weighted([
        [10, BigInt(random.below(100))],
        [1, -1n],
      ]);
    const least = Math.max(slot?.window ?? 0, meter.firstValid);
    const window = random.weighted([
      [8, Math.max(least, this.#model.now - 1)],
      [4, least],
      [1, least - 1],
      [1, this.#model.now],
    ]);
    return this.said(meter, window, { exportWh: side('exportWh'), importWh: side('importWh') });
  }
}
