import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  asWindow,
  type ClosedSpan,
  closeSpan,
  decodePayload,
  encodePayload,
  goodPairs,
  isAttestable,
  MAX_U32,
  openPoint,
  type PointInput,
  type PointState,
  type PointStatement,
  pointStatement,
  Quality,
  type RegisterPair,
  sha256,
  surplusWh,
} from '../src/index.js';

interface Derived {
  readonly statement: PointStatement;
  readonly surplusWh: bigint;
}

/** Returns all statements of a point, from the statements of its meters. */
function derive(enrolled: RegisterPair, production: PointInput[], consumption: PointInput[]): Derived[] {
  const made: Derived[] = [];
  let state: PointState | null = null;
  for (const [p, c] of goodPairs(production, consumption)) {
    const closed: ClosedSpan = state
      ? closeSpan(state, p, c)
      : { state: openPoint(enrolled, p, c), surplusWh: 0n, isNewBase: false };
    state = closed.state;
    made.push({ statement: pointStatement(state, closed.isNewBase, p, c), surplusWh: closed.surplusWh });
  }
  return made;
}

type Line = [number, string, string, number, number | null, string?];
const inputOf = ([window, importWh, exportWh, quality, timeUncertaintyMs]: Line): PointInput => ({
  window: asWindow(window),
  importWh: BigInt(importWh),
  exportWh: BigInt(exportWh),
  quality,
  timeUncertaintyMs,
});
interface Case {
  name: string;
  enrolled: { import_wh: string; export_wh: string };
  production: Line[];
  consumption: Line[];
  statements: Line[];
}
const { cases } = JSON.parse(readFileSync(new URL('../vectors/points.json', import.meta.url), 'utf8')) as {
  cases: Case[];
};

describe('golden points', () => {
  it.each(cases.map((one) => [one.name, one] as const))('%s', (_, one) => {
    const enrolled = { importWh: BigInt(one.enrolled.import_wh), exportWh: BigInt(one.enrolled.export_wh) };
    const made = derive(enrolled, one.production.map(inputOf), one.consumption.map(inputOf));
    const lines = made.map(({ statement: s, surplusWh: surplus }) => [
      s.window,
      `${s.importWh}`,
      `${s.exportWh}`,
      s.quality,
      s.timeUncertaintyMs,
      `${surplus}`,
    ]);
    expect(lines).toEqual(one.statements);
    for (const { statement } of made) {
      expect([statement.readingCount, statement.readingsRoot]).toEqual([0, sha256()]);
      const whole = { ...statement, networkId: new Uint8Array(8), meterId: new Uint8Array(16), seq: 1n };
      expect(decodePayload(encodePayload(whole))).toEqual(whole);
    }
  });
});

/** One window of a site: the rise of each register, and the quality of each meter's statement. */
const quality = fc.oneof(
  { weight: 6, arbitrary: fc.constant<number | null>(Quality.gatewaySigned) },
  { weight: 1, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.constantFrom(65, 66, 72, 68) },
);
const wh = fc.oneof(fc.nat(3), fc.nat(3_000)).map(BigInt);
const oneWindow = fc.record({
  produced: wh,
  drawn: wh,
  consumed: wh,
  returned: wh,
  production: quality,
  consumption: quality,
});
const site = fc.array(oneWindow, { minLength: 1, maxLength: 60 });
type Window = typeof oneWindow extends fc.Arbitrary<infer T> ? T : never;

/** Returns the statements of both meters; `complete` adds the missing ones. */
function statementsOf(windows: readonly Window[], complete = false) {
  const [production, consumption]: [PointInput[], PointInput[]] = [[], []];
  const p = { importWh: 40n, exportWh: 1_000n };
  const c = { importWh: 9_000n, exportWh: 3n };
  for (const [i, one] of windows.entries()) {
    p.exportWh += one.produced;
    p.importWh += one.drawn;
    c.importWh += one.consumed;
    c.exportWh += one.returned;
    // The first statement always exists: nothing counts before it.
    const of = (kind: number | null) => (complete || i === 0 ? Quality.gatewaySigned : kind);
    const [pq, cq] = [of(one.production), of(one.consumption)];
    if (pq !== null) production.push({ window: asWindow(500 + i), ...p, quality: pq, timeUncertaintyMs: 50 });
    if (cq !== null) consumption.push({ window: asWindow(500 + i), ...c, quality: cq, timeUncertaintyMs: 50 });
  }
  return { production, consumption };
}

const START = { importWh: 11n, exportWh: 22n };
const lastOf = (list: readonly Derived[]) => list.at(-1)?.statement ?? START;

describe('a derived point', () => {
  it('never exports more than with both meters there, and nets the same; registers never fall', () => {
    fc.assert(
      fc.property(site, (windows) => {
        const { production, consumption } = statementsOf(windows);
        const made = derive(START, production, consumption);
        const last = lastOf(made);
        const through = made.at(-1)?.statement.window ?? 500;
        const full = derive(START, ...(Object.values(statementsOf(windows, true)) as [PointInput[], PointInput[]]));
        const whole = lastOf(full.filter(({ statement }) => statement.window <= through));
        expect(last.exportWh <= whole.exportWh && last.importWh <= whole.importWh).toBe(true);
        expect(last.exportWh - last.importWh).toBe(whole.exportWh - whole.importWh);
        for (const [i, { statement, surplusWh: surplus }] of made.entries()) {
          const before = made[i - 1]?.statement ?? START;
          const rises = [statement.importWh - before.importWh, statement.exportWh - before.exportWh];
          expect(rises).toEqual(surplus < 0n ? [-surplus, 0n] : [0n, surplus]);
          expect(statement.quality & Quality.derived).toBe(Quality.derived);
          expect(isAttestable(statement.quality)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('control: max(0, surplus) of each meter by itself exports more', () => {
    // Books a meter's energy in the window of its own statement, as the rule forbids.
    const naive = (windows: readonly Window[]) => {
      const { production, consumption } = statementsOf(windows);
      let exported = START.exportWh;
      const last: { p: PointInput | undefined; c: PointInput | undefined } = { p: production[0], c: consumption[0] };
      for (const [i] of windows.entries()) {
        const p = production.find(({ window, quality: q }) => window === 500 + i && isAttestable(q)) ?? last.p;
        const c = consumption.find(({ window, quality: q }) => window === 500 + i && isAttestable(q)) ?? last.c;
        if (!p || !c || !last.p || !last.c) continue;
        const surplus = surplusWh({ production: last.p, consumption: last.c }, { production: p, consumption: c }) ?? 0n;
        if (surplus > 0n) exported += surplus;
        [last.p, last.c] = [p, c];
      }
      return exported;
    };
    const worse = fc.sample(site, { numRuns: 200, seed: 5 }).filter((windows) => {
      const full = derive(START, ...(Object.values(statementsOf(windows, true)) as [PointInput[], PointInput[]]));
      return naive(windows) > lastOf(full).exportWh;
    });
    expect(worse.length).toBeGreaterThan(20);
  });

  it('after a fall of any register invents nothing and goes on from the new base', () => {
    const four = fc.record({ pi: wh, pe: wh, ci: wh, ce: wh });
    fc.assert(
      fc.property(four, four, four, (a, b, c) => {
        const input = (window: number, importWh: bigint, exportWh: bigint) => ({
          window: asWindow(window),
          importWh,
          exportWh,
          quality: 64,
          timeUncertaintyMs: 0,
        });
        const at = (window: number, r: typeof a) => [input(window, r.pi, r.pe), input(window, r.ci, r.ce)] as const;
        const base = openPoint(START, ...at(1, a));
        const second = closeSpan(base, ...at(2, b));
        const fell = b.pi < a.pi || b.pe < a.pe || b.ci < a.ci || b.ce < a.ce;
        expect(second.isNewBase).toBe(fell);
        if (fell) expect([second.state.importWh, second.state.exportWh]).toEqual([START.importWh, START.exportWh]);
        // A span counts from the registers at its own beginning, whatever preceded it.
        const third = closeSpan(second.state, ...at(3, c));
        const fresh = closeSpan(openPoint(second.state, ...at(2, b)), ...at(3, c));
        expect(third).toEqual(fresh);
      }),
    );
  });

  it('refuses windows that are not the same or do not rise', () => {
    const at = (window: number): PointInput => ({
      window: asWindow(window),
      ...START,
      quality: 64,
      timeUncertaintyMs: null,
    });
    expect(() => openPoint(START, at(1), at(2))).toThrow('production of window 1, consumption of window 2');
    const base = openPoint(START, at(MAX_U32), at(MAX_U32));
    expect(() => closeSpan(base, at(MAX_U32), at(MAX_U32))).toThrow('windows rise');
    expect(() => closeSpan(base, at(1), at(1))).toThrow('windows rise');
  });
});
