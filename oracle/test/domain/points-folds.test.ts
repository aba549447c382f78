import type { Window } from '@gridtokenx/protocol';
import { testLedger } from '@gridtokenx/testing-kit/oracle/ledger';
import { FakeRegistry } from '@gridtokenx/testing-kit/signed-journal';
import { describe, expect, it } from 'vitest';
import { Folds } from '../../src/domain/points/points.js';
import { SiteBuilder } from '../support/site.js';

function site() {
  const builder = new SiteBuilder();
  const registry = new FakeRegistry(...Object.values(builder.records));
  const seen: number[] = [];
  const test = testLedger(registry, ':memory:', { newFolds: () => new NotedFolds(seen) });
  return { builder, registry, test, seen };
}

describe('statements that are refused one after the other', () => {
  it('are judged by looking at each window of the meters once', () => {
    const { builder, test, seen } = site();
    test.take([...builder.enrolments, ...builder.window(0, 0, 0).all]);
    // A seq that never arrives keeps all of it pending.
    builder.production.seq += 1n;
    const state = builder.state;
    const windows = Array.from({ length: 60 }, (_, i) => {
      const [p, c] = [builder.meter('production', i + 1, 300), builder.meter('consumption', i + 1, 100)];
      const lie = builder.derive(p.at(-1), c.at(-1), { exportWh: 200n * BigInt(i + 1) + 1n, importWh: 0n });
      return [...p, ...c, ...lie];
    });
    builder.state = state;
    const prepare = test.database.sqlite.prepare('SELECT count(*) AS n FROM messages WHERE kind = 2 AND verdict = 9');
    test.take(windows.flat());
    expect(Number(prepare.get()?.n)).toBe(60);
    seen.length = 0;
    test.take(builder.meter('production', 61, 0));
    expect(Number(prepare.get()?.n)).toBe(60);
    expect(seen.length).toBe(61);
    expect(new Set(seen).size).toBe(61);
  });
});

/** Notes the windows that its folds visit. */
class NotedFolds extends Folds {
  readonly #seen: number[];
  constructor(seen: number[]) {
    super();
    this.#seen = seen;
  }
  override to(...[basis, window, witness]: Parameters<Folds['to']>) {
    const seen = this.#seen;
    const pairs = function* (from: Window, through: Window) {
      for (const pair of witness.pairs(from, through)) {
        seen.push(pair[0].window);
        yield pair;
      }
    };
    return super.to(basis, window, { pairs });
  }
}
