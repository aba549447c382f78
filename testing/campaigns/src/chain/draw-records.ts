import type { Random64 } from '@gridtokenx/testing-kit/random';
import type { StatementDraw } from './draw-statements.js';
import { type Model, zoneOf } from './model.js';
import type { Limits, ModelMeter } from './model-state.js';
import { HOME, installerOf, NEXT, OWNERS, PEOPLE, utilityOf } from './names.js';
import type { Enrolled, Of, Op } from './ops.js';

/** Meters that may be registered, by zone; some ids are those of the other zone's meters. */
const NEW_METERS: Readonly<Record<number, readonly string[]>> = {
  [HOME]: ['8', '9', '10', '11', '12', '13', '2'],
  [NEXT]: ['2', '3', '8', '0'],
};
const SPARES = 4;

/** Returns the other key with which the meter could have been registered. */
const otherKey = ({ ref, key }: ModelMeter) => (key === `key ${ref}` ? `key ${ref} b` : `key ${ref}`);

/** Draws instructions that write meters' records. */
export class RecordDraw {
  readonly #model: Model;
  readonly #random: Random64;
  readonly #statements: StatementDraw;

  constructor(model: Model, random: Random64, statements: StatementDraw) {
    this.#model = model;
    this.#random = random;
    this.#statements = statements;
  }

  /** Draws mostly someone with the right; one time in ten anybody. */
  by(right: string): string {
    return this.#random.oneIn(10) ? this.#random.pick(PEOPLE) : right;
  }

  #message(zone: number, about: string, key: string, owner: string): Enrolled {
    const random = this.#random;
    const window = random.weighted([
      [12, random.between(0, 3)],
      [1, -1],
      [1, random.between(95, 97)],
    ]);
    return {
      network: !random.oneIn(25),
      zone: random.oneIn(25) ? random.pick([HOME, NEXT]) : zone,
      about: random.oneIn(25) ? random.pick(NEW_METERS[zone] ?? ['0']) : about,
      owner,
      role: random.oneIn(12) ? 1 : 0,
      deviceSigned: !random.oneIn(3),
      epoch: random.oneIn(8) ? random.between(1, 2) : 0,
      window: Math.max(0, this.#model.now - window),
      raw: {
        exportWh: random.oneIn(30) ? 1n << 63n : BigInt(random.below(10_000)),
        importWh: BigInt(random.below(10_000)),
      },
      key,
    };
  }

  /** `zone` and `name` name the meter; drawn when they are undefined. */
  register(zone?: number, name?: string): Op {
    const random = this.#random;
    const where = zone ?? random.pick([HOME, HOME, HOME, NEXT]);
    const about = name ?? random.pick(NEW_METERS[where] ?? ['0']);
    const key = `key ${where}/${about}${random.pick(['', '', ' b'])}`;
    const owner = random.weighted([
      [10, random.pick(OWNERS.slice(0, 2))],
      [1, random.pick(PEOPLE)],
    ]);
    const left = [...this.#model.counted].filter(([ref, window]) => ref.startsWith(`${where}/`) && window > 0);
    const [ref, counted] = left.length > 0 && random.oneIn(2) ? random.pick(left) : [];
    const message = { ...this.#message(where, about, key, owner), ...this.#early(counted) };
    return {
      kind: 'register',
      meter: `${where}/${about}`,
      by: random.weighted([
        [5, installerOf(where)],
        [4, 'operator'],
        [2, utilityOf(where)],
        [1, random.pick(PEOPLE)],
      ]),
      point: ref?.split('/')[1] ?? (random.oneIn(6) ? random.pick(['0', '1', '5', '9']) : about),
      message,
    };
  }

  #limits(zone: number, deviceSigned: boolean, freed = 0): Limits {
    const random = this.#random;
    const { capacityW, confirmedW } = this.#model.zones.get(zone) ?? { capacityW: 0n, confirmedW: 0n };
    const free = Number(capacityW - confirmedW) + freed;
    return {
      exportW: random.weighted([
        [4, Math.max(0, Math.min(5_000, free))],
        [3, Math.max(0, Math.min(random.below(3_000), free))],
        [1, Math.max(0, free)],
        [1, Math.max(0, free + 1)],
        [1, 0xffff_ffff],
      ]),
      importW: random.pick([10_000, 10_000, 5_000, 0]),
      step: random.weighted([
        [8, random.pick([1, 10])],
        [2, 1_000],
        [1, 1_001],
      ]),
      tariffClass: random.weighted([
        [10, 1],
        [2, 15],
        [1, 16],
      ]),
      deviceSigned: random.oneIn(4) ? !deviceSigned : deviceSigned,
    };
  }

  confirm(meter: ModelMeter): Op {
    const random = this.#random;
    return {
      kind: 'confirm',
      meter: meter.ref,
      by: this.by(utilityOf(meter.zone)),
      key: random.oneIn(5) ? otherKey(meter) : meter.key,
      message: random.oneIn(8) ? { ...meter.message, window: meter.message.window - 1 } : meter.message,
      point: random.oneIn(15) ? random.pick(['0', '9']) : meter.point,
      limits: this.#limits(meter.zone, meter.deviceSigned),
    };
  }

  rotate(meter: ModelMeter): Op {
    const random = this.#random;
    const key = random.weighted([
      [8, `key ${meter.ref} ${meter.keyEpoch + 1}`],
      [1, meter.key],
      [1, meter.previousKey ?? meter.key],
    ]);
    const epoch = random.weighted([
      [10, 1],
      [1, 0],
      [1, 2],
    ]);
    const message = this.#message(meter.zone, meter.name, key, meter.owner);
    // A window before the slot's must not remove the basis of the slot.
    const stands = this.#model.slotOf(meter)?.window ?? 0;
    const early = Math.max(meter.firstValid - 1, this.#model.now - 96, stands - random.between(1, 3));
    return {
      kind: 'rotate',
      meter: meter.ref,
      by: this.by(utilityOf(meter.zone)),
      oldKey: random.oneIn(12) ? 'stranger' : meter.key,
      recovery: random.oneIn(3) ? this.by('authority') : undefined,
      message: {
        ...message,
        owner: random.oneIn(15) ? random.pick(OWNERS) : meter.owner,
        role: random.oneIn(20) ? message.role : meter.role === 0 ? 0 : 1,
        deviceSigned: meter.deviceSigned ? !random.oneIn(15) : message.deviceSigned,
        epoch: meter.keyEpoch + epoch,
        window: random.oneIn(3) ? early : message.window,
      },
    };
  }

  /** Draws mostly the parts that the status needs. */
  status(meter: ModelMeter, status: Of<'status'>['status']): Op {
    const random = this.#random;
    const disputed = this.#model.slotOf(meter)?.disputed ?? false;
    const wantsCase = disputed && (status === 'active' || (status === 'suspended' && random.oneIn(2)));
    return {
      kind: 'status',
      meter: meter.ref,
      by: this.by(utilityOf(meter.zone)),
      status,
      point: random.oneIn(20) ? random.pick(['0', '9']) : meter.point,
      said: status !== 'active' || random.oneIn(12) ? undefined : this.#statements.standing(meter),
      withCase: random.oneIn(15) ? random.oneIn(2) : wantsCase,
    };
  }

  /** Returns, one time in four, a window up to which the point's energy is counted already. */
  #early(counted: number | undefined): { window?: number } {
    const isRecent = counted !== undefined && counted > 0 && this.#model.now - counted < 96;
    return isRecent && this.#random.oneIn(4) ? { window: counted - this.#random.below(2) } : {};
  }

  replace(meter: ModelMeter): Op {
    const random = this.#random;
    const zone = zoneOf(meter.ref);
    const names = Array.from({ length: SPARES }, (_, nth) => `${meter.point}.${nth}`);
    const free = names.find((name) => !this.#model.meters.has(`${zone}/${name}`));
    const about = free === undefined || random.oneIn(20) ? random.pick(names) : free;
    const key = random.oneIn(8) ? meter.key : `key ${zone}/${about}`;
    const owner = random.oneIn(15) ? random.pick(OWNERS) : meter.owner;
    const message = this.#message(zone, about, key, owner);
    return {
      kind: 'replace',
      meter: meter.ref,
      by: this.by(utilityOf(zone)),
      next: `${zone}/${about}`,
      point: random.oneIn(20) ? random.pick(['0', '9']) : meter.point,
      limits: this.#limits(zone, message.deviceSigned, meter.limits?.exportW),
      message: random.oneIn(20)
        ? message
        : { ...message, epoch: 0, role: 0, ...this.#early(this.#model.slotOf(meter)?.window) },
    };
  }
}
