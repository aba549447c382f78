import { EventCode, GapReason, Kind, Reason } from '@gridtokenx/protocol';
import { NOW_MS, testLedger } from '@gridtokenx/testing-kit/oracle/ledger';
import { FakeRegistry, JournalBuilder, meterOf, type Signed, signerOf } from '@gridtokenx/testing-kit/signed-journal';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { Store } from '../../src/adapters/sqlite/store.js';
import { Convergence } from '../../src/domain/verdicts/convergence.js';
import { judgeSet } from '../../src/domain/verdicts/judge-set.js';
import type { ScanStart } from '../../src/domain/verdicts/scan.js';

/** Lists the next acts of a gateway, honest or not; each makes one or two messages. */
const STEPS = {
  reading: (log) => [log.reading()],
  readingUnknownTime: (log) => [log.reading({ timeUncertaintyMs: null })],
  discontinuity: (log) => [log.reading({ quality: 8 + 64, exportWh: 1n })],
  fell: (log) => [log.reading({ exportWh: 10n })],
  leap: (log) => [log.reading({ exportWh: log.exportWh + 5_000_000n })],
  wrongPrev: (log) => [log.reading({ prev: new Uint8Array(16).fill(9) })],
  early: (log) => [log.reading({ timeMs: 1_000n })],
  ahead: (log) => [log.reading({ timeMs: BigInt(NOW_MS + 3_600_000) })],
  far: (log) => [log.reading({ timeMs: BigInt(NOW_MS + 90_000_000) })],
  statement: (log) => [log.statement()],
  statementTooHigh: (log) => [log.statement({ exportWh: log.exportWh + 50n })],
  statementWrongRoot: (log) => [log.statement({ readingsRoot: new Uint8Array(32) })],
  statementOldWindow: (log) => [log.statement({ window: log.meter.enrolmentWindow })],
  statementFar: (log) => [log.statement({ window: Math.floor(NOW_MS / 900_000) + 200 })],
  event: (log) => [log.event()],
  unused: (log) => [log.gap(3, GapReason.unused)],
  thinned: (log) => [log.gap(2, GapReason.thinned)],
  skip: (log) => {
    log.seq += 2n;
    return [];
  },
  declareBack: (log) => [log.event({ code: EventCode.gap, value: log.seq > 3n ? log.seq - 3n : 1n, detail: 3 })],
  declareAll: (log) => [log.event({ code: EventCode.gap, value: 1n, detail: 1_000 })],
  enrolment: (log) => [log.enrolment({ owner: new Uint8Array(32) })],
  twoBytes: (log) => {
    const first = log.reading();
    log.seq -= 1n;
    return [first, log.reading({ powerW: 7 })];
  },
  twoStatements: (log) => {
    const first = log.statement();
    const { payload } = first;
    return [first, log.statement(payload.kind === Kind.statement ? { window: payload.window, readingCount: 9 } : {})];
  },
} satisfies Record<string, (log: JournalBuilder) => Signed[]>;

type Step = keyof typeof STEPS;
const stepOf = (weights: Partial<Record<Step, number>>, otherwise: number) =>
  fc.oneof(
    ...(Object.keys(STEPS) as Step[]).map((name) => ({
      arbitrary: fc.constant(name),
      weight: weights[name] ?? otherwise,
    })),
  );
/** Mostly honest, and: everything that makes the ledger begin again, on a short log. */
const mostlyHonest = stepOf({ reading: 60, statement: 14, event: 4, skip: 4, unused: 3 }, 1);
const restless = stepOf(
  { reading: 8, statement: 8, statementFar: 3, statementOldWindow: 2, skip: 5, declareAll: 5, twoBytes: 2 },
  0,
);
const scenario = fc.record({
  steps: fc.oneof(
    fc.array(mostlyHonest, { minLength: 1, maxLength: 60 }),
    fc.array(restless, { minLength: 1, maxLength: 15 }),
  ),
  order: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 200, maxLength: 200 }),
  isSorted: fc.boolean(),
  withheld: fc.array(fc.nat(80), { maxLength: 3 }),
  cuts: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 8 }),
  budget: fc.constantFrom(1, 3, 10, 1_000),
});

function write(steps: readonly Step[]): Signed[] {
  const log = new JournalBuilder(meterOf(1), signerOf(1));
  return [log.enrolment(), ...steps.flatMap((name) => STEPS[name](log))];
}

/** The log in another order, some messages twice, some never. */
function deliver(log: readonly Signed[], plan: { order: number[]; isSorted: boolean; withheld: number[] }): Signed[] {
  const kept = log.filter((_, index) => !plan.withheld.includes(index));
  const twice = [...kept, ...kept.filter((_, index) => index % 3 === 0)];
  if (plan.isSorted) return twice;
  const keyed = twice.map((message, index) => ({ message, key: plan.order[index % plan.order.length] ?? 0 }));
  return keyed.sort((a, b) => a.key - b.key).map(({ message }) => message);
}

/** Feeds the ledger in groups and reports where it differs from the judgement of the whole set. */
function differences(
  log: readonly Signed[],
  plan: { order: number[]; isSorted: boolean; withheld: number[]; cuts: number[]; budget?: number },
): string[] {
  const meter = meterOf(1);
  const test = testLedger(new FakeRegistry(meter), ':memory:', plan.budget ? { stepsAtATime: plan.budget } : {});
  const sent = deliver(log, plan);
  for (let at = 0, cut = 0; at < sent.length; cut++) {
    const size = plan.cuts[cut % plan.cuts.length] ?? 1;
    test.take(sent.slice(at, at + size));
    at += size;
  }
  for (let more = 0; more < 2_000 && test.isDirty(); more++) test.ledger.reconsider(NOW_MS);
  if (test.isDirty()) return ['it is never done'];
  const entries = sent.map((m) => ({ ...m, arrivedAtMs: NOW_MS, registryIsNewer: true }));
  const expected = judgeSet(entries, meter, NOW_MS);
  const found = test.verdicts();
  const wrong: string[] = [];
  for (const [hash, { verdict }] of expected.judgements) {
    if (found.get(hash) !== verdict.code) wrong.push(`${hash}: ${found.get(hash)} instead of ${verdict.code}`);
  }
  if (found.size !== expected.judgements.size)
    wrong.push(`${found.size} messages instead of ${expected.judgements.size}`);
  const mark = test.mark(meter.meterId) ?? { storedThrough: 0n, highestSeen: 0n, highestWindow: 0 };
  const marks = {
    storedThrough: expected.storedThrough,
    highestSeen: expected.highestSeen,
    highestWindow: expected.highestWindow,
  };
  for (const [name, value] of Object.entries(marks)) {
    if (mark[name as keyof typeof marks] !== value)
      wrong.push(`${name} ${mark[name as keyof typeof marks]} instead of ${value}`);
  }
  const counted = test.database.sqlite.prepare('SELECT sum(n) AS n FROM counts WHERE kind <> 0').get();
  if (Number(counted?.n ?? 0) !== expected.judgements.size)
    wrong.push(`${counted?.n} counted of ${expected.judgements.size}`);
  test.database.sqlite.close();
  return wrong;
}

const SAMPLES = fc.sample(scenario, { numRuns: 300, seed: 7 });

/** Verdicts that the scenarios reach. */
function reached(): number[] {
  const codes = new Set<number>();
  for (const { steps } of SAMPLES) {
    const entries = write(steps).map((m) => ({ ...m, arrivedAtMs: NOW_MS, registryIsNewer: true }));
    for (const { verdict } of judgeSet(entries, meterOf(1), NOW_MS).judgements.values()) codes.add(verdict.code);
  }
  return [...codes].sort((a, b) => a - b);
}

const ALL = SAMPLES.map((_, at) => at);
/** Returns true when the ledger differs in a scenario: in the known one that shows the fault, or in any. */
const isFound = (known: number) =>
  [known, ...ALL].some((at) => {
    const { steps, ...plan } = SAMPLES[at] as (typeof SAMPLES)[number];
    return differences(write(steps), plan).length > 0;
  });

describe('order of arrival', () => {
  it('carries no meaning: any permutation, duplication and grouping has the verdicts of the whole set', () => {
    fc.assert(
      fc.property(scenario, ({ steps, ...plan }) => {
        expect(differences(write(steps), plan)).toEqual([]);
      }),
      { numRuns: Number(process.env.GTX_RUNS ?? 200) },
    );
  });

  it('control: the scenarios reach every verdict of a stream', () => {
    const expected = [
      0,
      Reason.equivocation,
      Reason.predecessorPending,
      Reason.chainBroken,
      Reason.registerFell,
      Reason.abovePhysicalLimit,
      Reason.fromTheFuture,
      Reason.beforeEnrolment,
      Reason.keySuspended,
      Reason.rootMismatch,
      Reason.rootNotReproducible,
      Reason.farFuture,
      Reason.windowNotRising,
      Reason.unexpectedEnrolment,
    ];
    expect(reached()).toEqual(expected.sort((a, b) => a - b));
  });

  it('control: stopping before nothing differs any more is found', () => {
    const spy = vi.spyOn(Convergence.prototype, 'isReached').mockReturnValue(true);
    try {
      expect(isFound(38)).toBe(true);
    } finally {
      spy.mockRestore();
    }
  });

  it('control: faults in beginning again are found', () => {
    const faults: [keyof Store, number, (original: (...args: never[]) => unknown) => (...args: never[]) => unknown][] =
      [
        ['dropGaps', 28, () => () => null],
        ['contradict', 2, () => () => undefined],
        ['addGap', 28, () => () => undefined],
        [
          'startBelow',
          169,
          (original) =>
            function (this: Store, ...args) {
              return { ...(original.apply(this, args) as ScanStart), link: 'lost' as const };
            },
        ],
        [
          'startBelow',
          54,
          (original) =>
            function (this: Store, ...args) {
              return { ...(original.apply(this, args) as ScanStart), highestWindow: -1 };
            },
        ],
      ];
    for (const [name, known, fault] of faults) {
      const original = Store.prototype[name] as (...args: never[]) => unknown;
      const spy = vi.spyOn(Store.prototype, name).mockImplementation(fault(original) as never);
      try {
        expect(isFound(known), `${name} broken`).toBe(true);
      } finally {
        spy.mockRestore();
      }
    }
  });
});
