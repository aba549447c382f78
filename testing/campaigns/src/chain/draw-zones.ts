import type { Random64 } from '@gridtokenx/testing-kit/random';
import type { RecordDraw } from './draw-records.js';
import type { StatementDraw } from './draw-statements.js';
import type { Model } from './model.js';
import { ATTESTORS, HOME, NEW, NEXT, PEOPLE, utilityOf } from './names.js';
import type { Op } from './ops.js';

const CANDIDATES = ['attestor 0', 'attestor 1', 'attestor 2', 'attestor 3', 'attestor 4'];

/** Draws instructions about zones, attestor sets, users, and accounts that are made once. */
export class ZoneDraw {
  readonly #model: Model;
  readonly #random: Random64;
  readonly #records: RecordDraw;
  readonly #statements: StatementDraw;

  constructor(model: Model, random: Random64, records: RecordDraw, statements: StatementDraw) {
    this.#model = model;
    this.#random = random;
    this.#records = records;
    this.#statements = statements;
  }

  zone(): number {
    return this.#random.weighted([
      [8, HOME],
      [3, NEXT],
      [1, NEW],
    ]);
  }

  announce(zone = this.zone()): Op {
    const random = this.#random;
    const candidates = zone === HOME ? CANDIDATES : (ATTESTORS[zone] ?? CANDIDATES);
    const keys = candidates.filter(() => !random.oneIn(3));
    if (random.oneIn(12)) keys.push(random.pick(candidates));
    const threshold = random.weighted([
      [8, 2],
      [2, keys.length],
      [1, 1],
      [1, keys.length + 1],
    ]);
    return { kind: 'announce', zone, by: this.#records.by('authority'), keys, threshold };
  }

  cancel(zone = this.zone()): Op {
    const random = this.#random;
    const signers = random.weighted<readonly string[]>([
      [3, [utilityOf(zone)]],
      [4, this.#statements.signers(this.#model, zone)],
      [1, [random.pick(PEOPLE)]],
      [1, [utilityOf(zone), 'stranger']],
    ]);
    return { kind: 'cancel', zone, signers };
  }

  user(): Op {
    const random = this.#random;
    const zone = this.zone();
    return {
      kind: 'user',
      zone,
      by: random.oneIn(4) ? 'authority' : this.#records.by(utilityOf(zone)),
      wallet: random.pick(PEOPLE.filter((name) => name !== 'upgrader')),
      role: random.weighted([
        [6, 1],
        [1, 2],
        [1, 3],
      ]),
    };
  }

  /** Draws mostly existing zones and pages, and now and then a third one. */
  made(): Op {
    const random = this.#random;
    const zone = random.pick([HOME, NEXT, NEW]);
    const page = random.weighted([
      [2, 0],
      [1, 1],
      [1, 2],
    ]);
    return random.pick<Op>([
      { kind: 'initialize', by: random.pick(['upgrader', 'authority', 'stranger']) },
      { kind: 'initializeToken', by: 'stranger' },
      {
        kind: 'createZone',
        zone,
        by: this.#records.by('authority'),
        capacityW: random.pick([10_000n, 100_000_000_001n]),
      },
      { kind: 'createPage', zone, page },
      { kind: 'createLedger', zone, page },
      { kind: 'createLedger', zone, page },
      { kind: 'createBudget', zone },
    ]);
  }
}
