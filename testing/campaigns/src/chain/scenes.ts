import type { Generator } from './generate.js';
import type { ModelMeter } from './model-state.js';
import { HOME, NEXT } from './names.js';
import type { Op } from './ops.js';

const WINDOW = 900;

/** Draws a step at its turn, so that it fits the earlier events. */
export type Step = () => Op;

/** Builds the steps of each scene. */
class Scenes {
  readonly #draw: Generator;

  constructor(draw: Generator) {
    this.#draw = draw;
  }

  /** Returns the present record, or the record that replaced it. */
  #now(meter: ModelMeter): ModelMeter {
    const { meters } = this.#draw.model;
    const found = meters.get(meter.ref) ?? meter;
    if (found.status !== 'replaced') return found;
    return (
      [...meters.values()].find((other) => other.zone === found.zone && other.point === found.point && other.place) ??
      found
    );
  }

  #attest(meter: ModelMeter): Step {
    return () => {
      const { place, zone } = this.#now(meter);
      const page = this.#draw.model.page(zone, place?.page ?? 0);
      return page ? this.#draw.statements.plain(page, place?.slot ?? 0) : this.#draw.clock();
    };
  }

  #wait(windows: number): Step {
    return () => ({ kind: 'clock', seconds: windows * WINDOW });
  }

  #plain(kind: 'sync' | 'conclude' | 'activate' | 'mintMeter', meter: ModelMeter): Step {
    return () => ({ kind, meter: this.#now(meter).ref });
  }

  #status(meter: ModelMeter, status: 'active' | 'suspended' | 'closed'): Step {
    return () => this.#draw.records.status(this.#now(meter), status);
  }

  #rotate(meter: ModelMeter): Step {
    return () => this.#draw.records.rotate(this.#now(meter));
  }

  #submit(meter: ModelMeter): Step {
    return () => ({
      kind: 'submit',
      meter: this.#now(meter).ref,
      said: this.#draw.statements.rising(this.#now(meter)),
    });
  }

  #dispute(meter: ModelMeter): Step {
    return () => {
      const now = this.#now(meter);
      return { kind: 'dispute', meter: now.ref, said: this.#draw.statements.contradicting(now) };
    };
  }

  #answer(meter: ModelMeter): Step {
    return () => ({
      kind: 'answer',
      meter: this.#now(meter).ref,
      said: this.#draw.statements.answering(this.#now(meter)),
    });
  }

  /** Returns two rotations a day apart; in half of the draws nothing moves between. */
  twoRotations(meter: ModelMeter): Step[] {
    const between = this.#draw.random.oneIn(2) ? [this.#attest(meter)] : [];
    return [
      this.#attest(meter),
      this.#rotate(meter),
      this.#wait(96),
      ...between,
      this.#rotate(meter),
      this.#rotate(meter),
    ];
  }

  suspension(meter: ModelMeter): Step[] {
    const back = [
      this.#wait(2),
      this.#status(meter, 'active'),
      this.#status(meter, 'active'),
      this.#plain('sync', meter),
    ];
    const after = [this.#wait(1), this.#dispute(meter), this.#dispute(meter), this.#submit(meter), this.#attest(meter)];
    return [this.#status(meter, 'suspended'), this.#plain('sync', meter), ...back, ...after];
  }

  /** Shows a message that the previous key signed under an old baseline, for a slot of the new baseline. */
  oldEvidence(meter: ModelMeter): Step[] {
    const gone = [this.#rotate(meter), this.#status(meter, 'suspended'), this.#plain('sync', meter), this.#wait(2)];
    const back = [
      this.#status(meter, 'active'),
      this.#status(meter, 'active'),
      this.#plain('sync', meter),
      this.#wait(2),
    ];
    const trial = [this.#attest(meter), this.#attest(meter), this.#wait(2), this.#dispute(meter), this.#dispute(meter)];
    return [...gone, ...back, ...trial, this.#answer(meter), this.#answer(meter), this.#answer(meter)];
  }

  replacement(meter: ModelMeter): Step[] {
    const replace = () => this.#draw.records.replace(this.#now(meter));
    const out = [this.#status(meter, 'suspended'), this.#plain('sync', meter), this.#wait(96), replace, replace];
    return [...out, this.#plain('sync', meter), this.#wait(2), this.#dispute(meter), this.#submit(meter)];
  }

  /** Plays a contradiction that nobody answers, or that somebody does. */
  trial(meter: ModelMeter): Step[] {
    const begin = [this.#attest(meter), this.#wait(2), this.#dispute(meter), this.#dispute(meter)];
    const late = [this.#wait(96), this.#answer(meter), this.#answer(meter)];
    const verdict = this.#draw.random.oneIn(2) ? [this.#answer(meter), this.#answer(meter)] : late;
    const status = this.#draw.random.oneIn(3) ? 'suspended' : 'active';
    const end = [this.#plain('conclude', meter), this.#status(meter, status), this.#status(meter, status)];
    const free = [this.#plain('conclude', meter), this.#plain('sync', meter), this.#wait(1), this.#dispute(meter)];
    return [...begin, ...verdict, ...end, ...free, this.#submit(meter)];
  }

  closing(meter: ModelMeter): Step[] {
    const [zone, name] = [
      meter.zone,
      this.#draw.random.pick(meter.zone === HOME ? ['8', '9', '10', '11'] : ['2', '3']),
    ];
    const still = [this.#status(meter, 'suspended'), this.#plain('sync', meter)];
    const gone = [this.#status(meter, 'closed'), this.#plain('sync', meter)];
    return [this.#wait(96), ...still, ...gone, ...this.newMeter(zone, name)];
  }

  newMeter(zone: number, name: string): Step[] {
    const { records, model } = this.#draw;
    const found = (): ModelMeter | undefined => model.meters.get(`${zone}/${name}`);
    const confirm: Step = () => {
      const meter = found();
      return meter ? records.confirm(meter) : records.register(zone, name);
    };
    const then = (kind: 'activate' | 'mintMeter'): Step => {
      return () => ({ kind, meter: `${zone}/${name}` });
    };
    const submit: Step = () => {
      const meter = found();
      return meter
        ? { kind: 'submit', meter: meter.ref, said: this.#draw.statements.rising(meter) }
        : records.register(zone, name);
    };
    const again = this.#draw.random.oneIn(2) ? [() => records.register(zone, name)] : [];
    return [
      () => records.register(zone, name),
      ...again,
      confirm,
      confirm,
      then('activate'),
      this.#wait(3),
      submit,
      then('mintMeter'),
    ];
  }

  attestorSet(zone: number): Step[] {
    const { zones, random, statements, model } = this.#draw;
    const announce = () => zones.announce(zone);
    const install: Step = () => ({ kind: 'install', zone });
    const attest: Step = () => {
      const pages = [...model.pages.values()].filter((page) => page.zone === zone);
      return pages.length > 0 ? statements.attest(random.pick(pages)) : install();
    };
    const cancel = () => zones.cancel(zone);
    const early = random.oneIn(2) ? [install] : [];
    const end = random.oneIn(2) ? [this.#wait(95), install, this.#wait(1), install] : [cancel, cancel, install];
    return [announce, announce, ...early, attest, ...end, attest];
  }
}

/** Returns the steps of a scene that is chosen at random. */
export function drawScene(draw: Generator): Step[] {
  const { random } = draw;
  const scenes = new Scenes(draw);
  const meter = draw.withSlot();
  const device = draw.withDevice();
  const zone = random.oneIn(4) ? NEXT : HOME;
  const name = random.pick(zone === HOME ? ['8', '9', '10', '11', '12', '13'] : ['2', '3', '8']);
  return random.weighted<() => Step[]>([
    [4, () => scenes.twoRotations(device)],
    [5, () => scenes.suspension(device)],
    [4, () => scenes.oldEvidence(device)],
    [4, () => scenes.replacement(meter)],
    [6, () => scenes.trial(device)],
    [2, () => scenes.closing(meter)],
    [4, () => scenes.newMeter(zone, name)],
    [3, () => scenes.attestorSet(zone)],
  ])();
}
