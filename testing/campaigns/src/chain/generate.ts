import type { Random64 } from '@gridtokenx/testing-kit/random';
import { RecordDraw } from './draw-records.js';
import { noLess, StatementDraw } from './draw-statements.js';
import { ZoneDraw } from './draw-zones.js';
import type { Model } from './model.js';
import type { ModelMeter } from './model-state.js';
import { HOME } from './names.js';
import type { Op } from './ops.js';
import { drawScene, type Step } from './scenes.js';

const WINDOW = 900;

/** Draws the next op: mostly meaningful in the model's state, often at a rule's edge, sometimes nonsense. */
export class Generator {
  readonly model: Model;
  readonly random: Random64;
  readonly statements: StatementDraw;
  readonly records: RecordDraw;
  readonly zones: ZoneDraw;
  /** Steps that follow one another, with other ops between them. */
  #scene: Step[] = [];

  constructor(model: Model, random: Random64) {
    this.model = model;
    this.random = random;
    this.statements = new StatementDraw(model, random);
    this.records = new RecordDraw(model, random, this.statements);
    this.zones = new ZoneDraw(model, random, this.records, this.statements);
  }

  next(): Op {
    const { random } = this;
    if (this.#scene.length === 0 && random.oneIn(8)) this.#scene = [...drawScene(this)];
    if (this.#scene.length > 0 && !random.oneIn(4)) {
      const step = this.#scene.shift();
      if (step) return step();
    }
    const frozen = [...this.model.meters.values()].filter((meter) => {
      const slot = this.model.slotOf(meter);
      return slot && !slot.closed && (slot.disputed || slot.suspended || meter.status === 'suspended');
    });
    if (frozen.length > 0 && random.oneIn(5)) return this.repair(random.pick(frozen));
    return this.#any(random.oneIn(3) ? random.pick([...this.model.meters.values()]) : this.withSlot());
  }

  #any(meter: ModelMeter): Op {
    const { random, statements, records, zones } = this;
    const { ref } = meter;
    return random.weighted<() => Op>([
      [14, () => this.clock()],
      [20, () => statements.attest(random.pick([...this.model.pages.values()]))],
      [16, () => this.#submit(random.oneIn(4) ? meter : this.#open(meter))],
      [6, () => ({ kind: 'dispute', meter: ref, said: statements.contradicting(meter) })],
      [2, () => ({ kind: 'answer', meter: ref, said: statements.answering(meter) })],
      [2, () => ({ kind: 'conclude', meter: ref })],
      [5, () => ({ kind: 'sync', meter: ref })],
      [3, () => ({ kind: 'activate', meter: ref })],
      [8, () => this.#mintPage()],
      [7, () => ({ kind: 'mintMeter', meter: this.#due(meter).ref })],
      [3, () => ({ kind: 'destination', meter: ref, by: records.by(meter.owner), wallet: random.oneIn(2) })],
      [7, () => this.#retire(meter)],
      [3, () => records.rotate(meter)],
      [3, () => records.status(meter, random.oneIn(10) ? 'closed' : random.pick(['suspended', 'active']))],
      [1, () => records.replace(meter)],
      [3, () => records.register()],
      [4, () => records.confirm(random.pick(this.#pending(meter)))],
      [1, () => zones.announce()],
      [2, () => ({ kind: 'install', zone: zones.zone() })],
      [1, () => zones.cancel()],
      [1, () => zones.user()],
      [1, () => zones.made()],
    ])();
  }

  #pending(other: ModelMeter): ModelMeter[] {
    const found = [...this.model.meters.values()].filter(({ status }) => status === 'pending');
    return found.length > 0 ? found : [other];
  }

  #mintPage(): Op {
    const { zone, page } = this.random.pick([...this.model.pages.values()]);
    return { kind: 'mintPage', zone, page: this.random.oneIn(20) ? page + 1 : page };
  }

  clock(): Op {
    const { random } = this;
    const windows = random.weighted([
      [12, random.between(1, 4)],
      [2, 20],
      [1, random.between(94, 98)],
      [1, 0],
    ]);
    return { kind: 'clock', seconds: windows * WINDOW + random.pick([0, 0, 0, 1, -1]) };
  }

  /** Draws an op that ends a suspension or a dispute. */
  repair(meter: ModelMeter): Op {
    const { random, statements, records } = this;
    const { ref } = meter;
    if (this.model.slotOf(meter)?.disputed) {
      return random.weighted<() => Op>([
        [3, () => ({ kind: 'answer', meter: ref, said: statements.answering(meter) })],
        [3, () => ({ kind: 'conclude', meter: ref })],
        [3, () => records.status(meter, random.oneIn(4) ? 'suspended' : 'active')],
        [1, () => ({ kind: 'clock', seconds: 48 * WINDOW })],
        [1, () => records.rotate(meter)],
      ])();
    }
    return random.weighted<() => Op>([
      [3, () => ({ kind: 'sync', meter: ref })],
      [3, () => records.status(meter, 'active')],
      [2, () => records.replace(meter)],
      [1, () => records.rotate(meter)],
    ])();
  }

  #submit(meter: ModelMeter): Op {
    return { kind: 'submit', meter: meter.ref, said: this.statements.rising(meter) };
  }

  /** Returns a meter whose slot accepts energy, if there is one. */
  #open(other: ModelMeter): ModelMeter {
    const found = [...this.model.meters.values()].filter((meter) => {
      const slot = this.model.slotOf(meter);
      return slot?.active && !slot.disputed && meter.status === 'active' && slot.window < this.model.now - 1;
    });
    return found.length > 0 ? this.random.pick(found) : other;
  }

  /** Returns a meter whose owner has tokens to come, if there is one. */
  #due(other: ModelMeter): ModelMeter {
    const found = [...this.model.meters.values()].filter((meter) => {
      const slot = this.model.slotOf(meter);
      return slot?.toWallet && slot.exportWh > slot.mintedWh;
    });
    return found.length > 0 && !this.random.oneIn(4) ? this.random.pick(found) : other;
  }

  /** Retires for a meter that has imported and whose owner holds tokens, if there is one. */
  #retire(other: ModelMeter): Op {
    const able = [...this.model.meters.values()].filter((meter) => {
      const slot = this.model.slotOf(meter);
      return slot && slot.importWh > slot.retiredWh && this.model.balance(meter.owner) > 0n;
    });
    const meter = able.length > 0 && !this.random.oneIn(8) ? this.random.pick(able) : other;
    return { kind: 'retire', meter: meter.ref, by: this.records.by(meter.owner), wh: this.#retirement(meter) };
  }

  #retirement(meter: ModelMeter): bigint {
    const slot = this.model.slotOf(meter);
    const left = (slot?.importWh ?? 0n) - (slot?.retiredWh ?? 0n);
    const held = this.model.balance(meter.owner) / 1_000n;
    const most = left < held ? left : held;
    return this.random.weighted([
      [3, noLess(most)],
      [3, noLess(most / 2n)],
      [2, left + 1n],
      [1, held + 1n],
      [1, 0n],
    ]);
  }

  /** Returns a meter that has a slot on a page, mostly of the first zone. */
  withSlot(): ModelMeter {
    const found = [...this.model.meters.values()].filter((meter) => meter.place && meter.status === 'active');
    const home = found.filter(({ zone }) => zone === HOME);
    const all = [...this.model.meters.values()];
    return this.random.pick(home.length > 0 && !this.random.oneIn(4) ? home : found.length > 0 ? found : all);
  }

  /** Returns a meter whose device signs and whose slot is free; else any meter. */
  withDevice(): ModelMeter {
    const found = [...this.model.meters.values()].filter((meter) => {
      const slot = this.model.slotOf(meter);
      return slot?.active && !slot.disputed && meter.deviceSigned && meter.status === 'active';
    });
    return found.length > 0 ? this.random.pick(found) : this.withSlot();
  }
}
