import {
  asPublicKeyText,
  asWindow,
  openPoint,
  type PointInput,
  pointStatement,
  Quality,
  Reason,
  type Statement,
  type ToEncode,
} from '@gridtokenx/protocol';
import { testLedger } from '@gridtokenx/testing-kit/oracle/ledger';
import {
  FakeRegistry,
  INITIAL_WINDOW,
  JournalBuilder,
  meterIdOf,
  meterOf,
  type Signed,
  signerOf,
} from '@gridtokenx/testing-kit/signed-journal';
import { describe, expect, it } from 'vitest';
import { SiteIndex } from '../../src/domain/points/points.js';
import { SiteBuilder, siteRecords } from '../support/site.js';

const VERIFIED = 0;
const { derivationMismatch: MISMATCH, predecessorPending: PENDING } = Reason;

function site() {
  const builder = new SiteBuilder();
  const registry = new FakeRegistry(...Object.values(builder.records));
  return { builder, registry, test: testLedger(registry) };
}

describe('a statement of a derived point', () => {
  it('that says what its two meters say is verified, acknowledged and may be attested', () => {
    const { builder, test } = site();
    const first = builder.window(0, 400, 100);
    const noon = builder.window(1, 900, 200);
    const night = builder.window(2, 0, 300);
    test.take([...builder.enrolments, ...first.all, ...noon.all, ...night.all]);
    for (const { point } of [first, noon, night]) expect(test.verdictOf(point)).toBe(VERIFIED);
    const pointOf = builder.records.point.meterId;
    expect(
      test.statements
        .attestable(pointOf, asWindow(0), 1_000)
        .map(({ window, importWh, exportWh }) => [window - INITIAL_WINDOW, importWh, exportWh]),
    ).toEqual([
      [0, 0n, 0n],
      [1, 0n, 700n],
      [2, 300n, 700n],
    ]);
    expect(test.mark(pointOf)?.storedThrough).toBe(4n);
  });

  type Bent = Partial<ToEncode<Statement>>;
  it.each<[string, Bent | ((right: Statement) => Bent)]>([
    ['one watt-hour more export', (right) => ({ exportWh: right.exportWh + 1n })],
    ['more of both, the net as it was', (right) => ({ exportWh: right.exportWh + 5n, importWh: right.importWh + 5n })],
    ['one watt-hour less export', (right) => ({ exportWh: right.exportWh - 1n })],
    ['more import', (right) => ({ importWh: right.importWh + 1n })],
    ['no mark that it is derived', { quality: Quality.gatewaySigned }],
    ['a better quality than its inputs', (right) => ({ quality: right.quality & ~Quality.gap })],
    ['stale', (right) => ({ quality: right.quality | Quality.stale })],
    ['another uncertainty', { timeUncertaintyMs: 0 }],
  ])('with %s is refused, and what follows goes on from the last right one', (_, change) => {
    const { builder, test } = site();
    test.take([...builder.enrolments, ...builder.window(0, 0, 0).all]);
    const production = builder.meter('production', 1, 600, { quality: Quality.gatewaySigned | Quality.gap });
    const consumption = builder.meter('consumption', 1, 100);
    const before = builder.state;
    const span = builder.span(production[1], consumption[1]);
    if (!span) throw new Error('no span');
    const right = { ...span.state, quality: span.inputs[0].quality | Quality.derived } as unknown as Statement;
    const [wrong] = builder.derive(
      production[1],
      consumption[1],
      typeof change === 'function' ? change(right) : change,
    );
    builder.state = before;
    const next = builder.window(2, 100, 100);
    if (!wrong) throw new Error('no statement');
    test.take([...production, ...consumption, wrong, ...next.all]);
    expect(test.verdictOf(wrong)).toBe(MISMATCH);
    const { refused } = test.ledger.tell(new Uint8Array(32).fill(77));
    expect(refused).toEqual([{ hash: wrong.hash, reason: MISMATCH }]);
    expect(test.verdictOf(next.point)).toBe(VERIFIED);
    expect(test.statements.attestable(builder.records.point.meterId, INITIAL_WINDOW, 1_000)).toMatchObject([
      { window: INITIAL_WINDOW + 2, exportWh: 500n, importWh: 0n },
    ]);
  });

  it('waits while a statement that it is derived from is missing, and is right as soon as that comes', () => {
    const { builder, test } = site();
    const first = builder.window(0, 0, 0);
    const second = builder.window(1, 500, 100);
    const [, , usedReading, used] = second.all as [Signed, Signed, Signed, Signed];
    test.take([...builder.enrolments, ...first.all, ...second.all.slice(0, 2), second.point]);
    expect(test.verdictOf(second.point)).toBe(PENDING);
    const pointOf = builder.records.point.meterId;
    expect(test.statements.attestable(pointOf, INITIAL_WINDOW, 1_000)).toEqual([]);
    expect(test.mark(pointOf)?.storedThrough).toBe(2n);
    expect(test.ledger.tell(new Uint8Array(32).fill(77)).refused).toEqual([]);
    let changed = 0;
    test.statements.onStored(() => changed++);
    test.take([used]);
    expect(test.verdictOf(second.point)).toBe(VERIFIED);
    test.take([usedReading]);
    expect(test.verdictOf(second.point)).toBe(VERIFIED);
    expect(changed).toBeGreaterThan(0);
    expect(test.mark(pointOf)?.storedThrough).toBe(3n);
    expect(test.statements.attestable(pointOf, INITIAL_WINDOW, 1_000)).toHaveLength(1);
  });

  it('is refused when its meter went on without that window, or its statement there is refused or not good', () => {
    for (const kind of ['passed', 'stale', 'leap'] as const) {
      const { builder, test } = site();
      test.take([...builder.enrolments, ...builder.window(0, 0, 0).all]);
      const production = builder.meter('production', 1, 600);
      const good = builder.consumption;
      const consumption =
        kind === 'passed'
          ? builder.meter('consumption', 2, 10)
          : builder.meter(
              'consumption',
              1,
              10,
              kind === 'stale' ? { quality: 65 } : { importWh: good.importWh + 9_000_000n },
            );
      const claim = {
        window: INITIAL_WINDOW + 1,
        exportWh: 590n,
        importWh: 0n,
        readingCount: 0,
        quality: 320,
        timeUncertaintyMs: 50,
      };
      const point = builder.point.statement(claim);
      test.take([point]);
      expect(test.verdictOf(point), kind).toBe(PENDING);
      test.take([...production, ...consumption]);
      expect(test.verdictOf(point), kind).toBe(MISMATCH);
      expect(test.statements.attestable(builder.records.point.meterId, INITIAL_WINDOW, 1_000)).toEqual([]);
    }
  });

  it('is revised when a meter turns out to have said two things', () => {
    const { builder, test } = site();
    const first = builder.window(0, 0, 0);
    const second = builder.window(1, 500, 100);
    test.take([...builder.enrolments, ...first.all, ...second.all]);
    expect(test.verdictOf(second.point)).toBe(VERIFIED);
    builder.consumption.seq -= 1n;
    const other = builder.consumption.statement({ window: INITIAL_WINDOW + 1, importWh: 5_001n });
    test.take([other]);
    expect(test.verdictOf(other)).toBe(Reason.equivocation);
    expect(test.verdictOf(second.point)).toBe(MISMATCH);
    expect(test.verdictOf(first.point)).toBe(VERIFIED);
  });

  it('may leave out spans, which is never more export, and may not add any', () => {
    const { builder, test } = site();
    const first = [...builder.enrolments, ...builder.window(0, 0, 0).all];
    test.take(first);
    const [p1, c1] = [builder.meter('production', 1, 600), builder.meter('consumption', 1, 0)];
    const [p2, c2] = [builder.meter('production', 2, 0), builder.meter('consumption', 2, 500)];
    // One span over both windows: 100 exported. Closed one by one the spans export 600 and 500, which is the maximum.
    const before = builder.state;
    const [one] = builder.derive(p2[1], c2[1]);
    builder.point.seq -= 1n;
    builder.state = before;
    const [more] = builder.derive(p2[1], c2[1], { exportWh: 601n, importWh: 501n });
    if (!one || !more) throw new Error('no statement');
    const other = testLedger(new FakeRegistry(...Object.values(builder.records)));
    other.take(first);
    test.take([...p1, ...c1, ...p2, ...c2, one]);
    expect(test.verdictOf(one)).toBe(VERIFIED);
    other.take([...p1, ...c1, ...p2, ...c2, more]);
    expect(other.verdictOf(more)).toBe(MISMATCH);
  });

  it('after a meter was reset is counted from there: the statement with bit 3 is stored and not attested', () => {
    const { builder, test } = site();
    const start = builder.window(0, 300, 100);
    test.take([...builder.enrolments, ...start.all]);
    const [lost] = builder.derive(...reset(builder, 1));
    if (!lost) throw new Error('no statement');
    // The oracle refuses registers that fell, so the point omits the statement either way.
    expect((lost.payload as Statement).quality & Quality.discontinuity).toBe(Quality.discontinuity);
    test.take([lost]);
    expect(test.verdictOf(lost)).toBe(VERIFIED);
    expect(test.statements.attestable(builder.records.point.meterId, INITIAL_WINDOW, 1_000)).toEqual([]);
  });
});

/** Both meters at window `i`, the production meter from zero. */
function reset(builder: SiteBuilder, i: number): [Signed | undefined, Signed | undefined] {
  builder.production.exportWh = 0n;
  return [builder.meter('production', i, 10).at(-1), builder.meter('consumption', i, 10).at(-1)];
}

describe('the registry', () => {
  it('that shows the meters later lets what waited go on; a meter that only says it is derived waits for good', () => {
    const builder = new SiteBuilder();
    const registry = new FakeRegistry(builder.records.point);
    const test = testLedger(registry);
    const first = builder.window(0, 0, 0);
    const second = builder.window(1, 500, 100);
    test.take([...builder.enrolments, ...first.all, ...second.all]);
    expect([test.verdictOf(first.point), test.verdictOf(second.point)]).toEqual([PENDING, PENDING]);
    registry.set(builder.records.production);
    registry.set(builder.records.consumption);
    registry.asOf = { chainSlot: 2, fetchedAtMs: registry.asOf.fetchedAtMs };
    test.ledger.reconsider(Date.now());
    test.take([...first.all, ...second.all]);
    expect([test.verdictOf(first.point), test.verdictOf(second.point)]).toEqual([VERIFIED, VERIFIED]);
  });

  it('that shows the meters later also judges what was taken without a mark', () => {
    const builder = new SiteBuilder();
    const registry = new FakeRegistry(builder.records.point);
    const test = testLedger(registry);
    const plain = builder.point.statement({ window: INITIAL_WINDOW, exportWh: 100n, importWh: 0n });
    test.take([...builder.enrolments.slice(2), plain]);
    expect(test.verdictOf(plain)).toBe(VERIFIED);
    registry.set(builder.records.production);
    registry.set(builder.records.consumption);
    registry.asOf = { chainSlot: 2, fetchedAtMs: registry.asOf.fetchedAtMs };
    const { gateways } = test.ledger.reconsider(Date.now());
    expect(test.verdictOf(plain)).toBe(PENDING);
    expect(gateways).toHaveLength(1);
  });

  it('a plain meter with the mark of a derived one is never attested', () => {
    const meter = meterOf(9);
    const test = testLedger(new FakeRegistry(meter));
    const log = new JournalBuilder(meter, signerOf(9));
    const statement = log.statement({ quality: 320 });
    test.take([statement]);
    expect(test.verdictOf(statement)).toBe(PENDING);
    expect(test.statements.attestable(meter.meterId, asWindow(0), 1_000)).toEqual([]);
  });

  it('knows a point by the hash of its meters, of one owner and zone only', () => {
    const { production, consumption, point } = siteRecords();
    const sites = new SiteIndex();
    sites.update([production, consumption, point, meterOf(4), meterOf(5, { role: 1 })]);
    expect([...sites.derived.keys()]).toEqual([point.meterId]);
    expect(sites.pointsOf(production.meterId)).toEqual([point.meterId]);
    expect(sites.pointsOf(meterIdOf(5))).toEqual([]);
    for (const other of [{ owner: asPublicKeyText(new Uint8Array(32).fill(99)) }, { zone: 2 }]) {
      sites.update([production, { ...consumption, ...other }, point]);
      expect(sites.derived.size).toBe(0);
    }
    // The order of both meters matters: a consumption meter is no production meter.
    sites.update([{ ...production, role: 2 }, { ...consumption, role: 1 }, point]);
    expect(sites.derived.size).toBe(0);
  });
});

it.each<[number | null, number | null, number | null]>([
  [50, 80, 80],
  [80, 50, 80],
  [null, 80, null],
  [50, null, null],
  [null, null, null],
])('meters that are %s and %s ms sure of the time make a point that is sure of it to %s ms', (a, b, expected) => {
  const input = (timeUncertaintyMs: number | null): PointInput => ({
    ...{ window: asWindow(9), importWh: 5n, exportWh: 7n, quality: Quality.gatewaySigned, timeUncertaintyMs },
  });
  const [production, consumption] = [input(a), input(b)];
  const state = openPoint({ importWh: 0n, exportWh: 0n }, production, consumption);
  expect(pointStatement(state, false, production, consumption).timeUncertaintyMs).toBe(expected);
});
