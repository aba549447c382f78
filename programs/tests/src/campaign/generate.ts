import type { Model } from './model.js';
import { CAP, type ModelMeter, type ModelSlot, type Pair } from './model-state.js';
import type { Op, Said } from './ops.js';
import type { Random } from './random.js';

const WINDOW = 900;
const add = (a: Pair, b: Pair): Pair => ({ exportWh: a.exportWh + b.exportWh, importWh: a.importWh + b.importWh });
const noLess = (value: bigint) => (value < 0n ? 0n : value);

/** Draws the next op: mostly what makes sense in the model's state, often at a rule's edge, sometimes nonsense. */
export class Generator {
  readonly #model: Model;
  readonly #random: Random;
  /** Names of meters that may replace one, by slot. */
  readonly #spare: readonly (readonly string[])[];

  constructor(model: Model, random: Random, spare: readonly (readonly string[])[]) {
    this.#model = model;
    this.#random = random;
    this.#spare = spare;
  }

  next(): Op {
    const random = this.#random;
    const frozen = [...this.#model.meters.values()].filter((meter) => {
      const slot = this.#model.slotOf(meter);
      return slot && !slot.closed && (slot.disputed || slot.suspended || meter.status === 'suspended');
    });
    if (frozen.length > 0 && random.oneIn(3)) return this.#repair(random.pick(frozen));
    const meter = random.pick([...this.#model.meters.values()]);
    const make = random.weighted<() => Op>([
      [14, () => this.#clock()],
      [22, () => this.#attest()],
      [16, () => ({ kind: 'submit', meter: meter.name, said: this.#rising(meter) })],
      [6, () => ({ kind: 'dispute', meter: meter.name, said: this.#contradicting(meter) })],
      [2, () => ({ kind: 'answer', meter: meter.name, said: this.#answering(meter) })],
      [2, () => ({ kind: 'conclude', meter: meter.name })],
      [5, () => ({ kind: 'sync', meter: meter.name })],
      [1, () => ({ kind: 'activate', meter: meter.name })],
      [8, () => ({ kind: 'mintPage' })],
      [6, () => ({ kind: 'mintMeter', meter: meter.name })],
      [3, () => ({ kind: 'destination', meter: meter.name, by: this.#owner(meter), wallet: random.oneIn(2) })],
      [6, () => ({ kind: 'retire', meter: meter.name, by: this.#owner(meter), wh: this.#retirement(meter) })],
      [3, () => this.#rotate(meter)],
      [3, () => this.#status(meter, random.oneIn(30) ? 'closed' : random.pick(['suspended', 'active']))],
      [1, () => this.#replace(meter)],
    ]);
    return make();
  }

  #owner(meter: ModelMeter): string {
    return this.#random.oneIn(10) ? this.#random.pick(['owner', 'neighbour', 'utility']) : meter.owner;
  }

  #clock(): Op {
    const windows = this.#random.weighted([
      [12, this.#random.between(1, 4)],
      [2, 20],
      [1, this.#random.between(94, 98)],
      [1, 0],
    ]);
    return { kind: 'clock', seconds: windows * WINDOW + this.#random.pick([0, 0, 0, 1, -1]) };
  }

  /** What leads out of suspension and dispute. */
  #repair(meter: ModelMeter): Op {
    const slot = this.#model.slotOf(meter);
    const name = meter.name;
    if (slot?.disputed) {
      const choices = [
        [3, () => ({ kind: 'answer', meter: name, said: this.#answering(meter) })],
        [3, () => ({ kind: 'conclude', meter: name })],
        [3, () => this.#status(meter, 'active')],
        [1, () => ({ kind: 'clock', seconds: 48 * WINDOW })],
        [1, () => this.#rotate(meter)],
      ] as const satisfies readonly (readonly [number, () => Op])[];
      return this.#random.weighted<() => Op>(choices)();
    }
    const choices = [
      [3, () => ({ kind: 'sync', meter: name })],
      [3, () => this.#status(meter, 'active')],
      [2, () => this.#replace(meter)],
      [1, () => this.#rotate(meter)],
    ] as const satisfies readonly (readonly [number, () => Op])[];
    return this.#random.weighted<() => Op>(choices)();
  }

  /** Within the caps, at their edges, and far above. */
  #rise(cap: bigint, windows: number): bigint {
    const random = this.#random;
    const passed = BigInt(Math.max(1, windows));
    return random.weighted([
      [6, BigInt(random.below(Number(cap)))],
      [2, 0n],
      [2, cap * passed + BigInt(random.between(-1, 1))],
      [2, cap * (passed + 1n) + BigInt(random.between(-1, 1))],
      [1, BigInt(random.below(2 ** 40))],
    ]);
  }

  #rises(windows: number): Pair {
    const calm = this.#random.oneIn(2);
    return {
      exportWh: this.#rise(CAP.exportWh, windows),
      importWh: calm ? BigInt(this.#random.below(500)) : this.#rise(CAP.importWh, windows),
    };
  }

  #window(slot: ModelSlot | undefined): number {
    const random = this.#random;
    const last = this.#model.now - 1;
    const next = (slot?.window ?? last) + random.between(1, 3);
    return random.weighted([
      [10, Math.min(next, Math.max(last, 0))],
      [3, next],
      [2, last + random.between(0, 2)],
      [1, slot?.window ?? last],
      [1, (slot?.window ?? last) - 1],
    ]);
  }

  #attest(): Op {
    const [model, random] = [this.#model, this.#random];
    const slots = model.slots.map((_, index) => index).filter(() => random.oneIn(2));
    if (slots.length === 0) slots.push(random.below(model.slots.length + 1));
    const window = this.#window(model.slots[random.pick(slots)]);
    const items = slots.map((slot) => {
      const found = model.slots[slot];
      const read = { exportWh: found?.exportWh ?? 0n, importWh: found?.importWh ?? 0n };
      return { slot, read, total: add(read, this.#rises(window - (found?.window ?? window))) };
    });
    return {
      kind: 'attest',
      version: random.oneIn(12) ? (model.version + BigInt(random.pick([1, -1]))) & 0xffffn : model.version,
      moves: random.oneIn(8) ? Math.max(0, model.moves - random.between(1, 3)) : model.moves,
      window,
      signers: random.weighted([
        [10, random.pick([0b011, 0b101, 0b110, 0b111])],
        [1, random.pick([0b001, 0b100])],
      ]),
      items,
    };
  }

  /** A statement whose registers mean `total` for this meter. */
  #said(meter: ModelMeter, window: number, total: Pair): Said {
    const random = this.#random;
    const names = [...this.#model.meters.keys()];
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
        [1, random.pick(['stranger', `meter key 0`])],
      ]),
    };
  }

  #rising(meter: ModelMeter): Said {
    const slot = this.#model.slotOf(meter);
    const window = this.#window(slot);
    if (!slot) return this.#said(meter, window, meter.carried);
    const total = add(slot, this.#rises(window - slot.window));
    const lower = this.#random.oneIn(12) ? 1n : 0n;
    return this.#said(meter, window, { ...total, exportWh: noLess((lower ? slot.exportWh : total.exportWh) - lower) });
  }

  #contradicting(meter: ModelMeter): Said {
    const slot = this.#model.slotOf(meter);
    const random = this.#random;
    if (!slot) return this.#said(meter, this.#model.now - 1, meter.carried);
    const lower = BigInt(
      random.weighted([
        [6, random.between(1, 400)],
        [1, 0],
        [1, -1],
      ]),
    );
    const total = random.oneIn(2)
      ? { ...add(slot, { exportWh: 0n, importWh: 5n }), exportWh: noLess(slot.exportWh - lower) }
      : { exportWh: slot.exportWh, importWh: noLess(slot.importWh - lower) };
    return this.#said(meter, this.#window(slot), total);
  }

  #answering(meter: ModelMeter): Said {
    const random = this.#random;
    const found = meter.slot === undefined ? undefined : this.#model.cases.get(meter.slot);
    if (!found) return this.#said(meter, this.#model.now - 1, meter.carried);
    const more = BigInt(
      random.weighted([
        [5, random.below(50)],
        [1, -1],
      ]),
    );
    const total = add(found.total, { exportWh: more, importWh: random.oneIn(4) ? -1n : 2n });
    return this.#said(
      meter,
      found.window -
        random.weighted([
          [5, random.below(3)],
          [1, -1],
        ]),
      total,
    );
  }

  #retirement(meter: ModelMeter): bigint {
    const slot = this.#model.slotOf(meter);
    const left = (slot?.importWh ?? 0n) - (slot?.retiredWh ?? 0n);
    const held = this.#model.balance(meter.owner) / 1_000n;
    const most = left < held ? left : held;
    return this.#random.weighted([
      [3, noLess(most)],
      [3, noLess(most / 2n)],
      [2, left + 1n],
      [1, held + 1n],
      [1, 0n],
    ]);
  }

  #rotate(meter: ModelMeter): Op {
    const [model, random] = [this.#model, this.#random];
    return {
      kind: 'rotate',
      meter: meter.name,
      by: random.oneIn(12) ? 'owner' : 'utility',
      key: random.weighted([
        [8, `key ${meter.name} ${meter.keyEpoch + 1}`],
        [1, meter.key],
        [1, meter.previousKey ?? meter.key],
      ]),
      oldKey: random.oneIn(8) ? 'stranger' : meter.key,
      recovery: random.oneIn(3),
      epoch:
        meter.keyEpoch +
        random.weighted([
          [10, 1],
          [1, 0],
          [1, 2],
        ]),
      window:
        model.now -
        random.weighted([
          [8, random.between(0, 3)],
          [1, -1],
          [1, random.between(95, 97)],
        ]),
    };
  }

  #status(meter: ModelMeter, status: 'active' | 'suspended' | 'closed'): Op {
    const random = this.#random;
    const slot = this.#model.slotOf(meter);
    const base: Pair = slot ?? meter.carried;
    const side = (name: keyof Pair) => {
      const shown = base[name] + BigInt(random.below(100));
      const accepted = random.weighted([
        [6, base[name] + (shown - base[name]) / 2n],
        [4, shown],
        [1, noLess(base[name] - 1n)],
        [1, shown + 1n],
      ]);
      return { raw: noLess(shown - meter.carried[name] + meter.baseline[name]), accepted };
    };
    const [exported, imported] = [side('exportWh'), side('importWh')];
    const least = Math.max(slot?.window ?? 0, meter.firstValid - 1);
    const active = status === 'active';
    return {
      kind: 'status',
      meter: meter.name,
      by: random.oneIn(15) ? meter.owner : 'utility',
      status,
      accepted: {
        window: Math.max(
          0,
          least +
            random.weighted([
              [8, 0],
              [2, random.between(1, 3)],
              [1, -1],
            ]),
        ),
        raw: { exportWh: exported.raw, importWh: imported.raw },
        total: { exportWh: exported.accepted, importWh: imported.accepted },
      },
      withCase: random.oneIn(15) ? random.oneIn(2) : active && (slot?.disputed ?? false),
    };
  }

  #replace(meter: ModelMeter): Op {
    const random = this.#random;
    const slot = this.#model.slotOf(meter);
    const names = this.#spare[meter.slot ?? 0] ?? [];
    const free = names.find((name) => !this.#model.meters.has(name));
    const next = free ?? random.pick(names);
    const carried = (total: bigint) =>
      noLess(
        total +
          BigInt(
            random.weighted([
              [6, random.below(4)],
              [1, -1],
            ]),
          ),
      );
    return {
      kind: 'replace',
      meter: meter.name,
      next,
      key: random.oneIn(8) ? meter.key : `key ${next}`,
      carried: { exportWh: carried(slot?.exportWh ?? 0n), importWh: carried(slot?.importWh ?? 0n) },
      raw: { exportWh: BigInt(random.below(10_000)), importWh: BigInt(random.below(10_000)) },
      window:
        this.#model.now -
        random.weighted([
          [8, random.between(0, 2)],
          [1, -1],
          [1, 97],
        ]),
    };
  }
}
