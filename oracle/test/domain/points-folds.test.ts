import { asWindow } from '@gridtokenx/protocol';
import { testLedger } from '@gridtokenx/testing-kit/oracle/ledger';
import { FakeRegistry } from '@gridtokenx/testing-kit/signed-log';
import { describe, expect, it, vi } from 'vitest';
import { Folds } from '../../src/domain/points/points.js';
import { SiteBuilder } from '../support/site.js';

function site() {
  const builder = new SiteBuilder();
  const registry = new FakeRegistry(...Object.values(builder.records));
  return { builder, registry, test: testLedger(registry) };
}

describe('statements that are refused one after the other', () => {
  it('are judged by looking at each window of the meters once', () => {
    const { builder, test } = site();
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
    const { seen, restore } = countWindows();
    try {
      test.take(windows.flat());
      expect(Number(prepare.get()?.n)).toBe(60);
      seen.length = 0;
      test.take(builder.meter('production', 61, 0));
      expect(Number(prepare.get()?.n)).toBe(60);
      expect(seen.length).toBe(61);
      expect(new Set(seen).size).toBe(61);
    } finally {
      restore();
    }
  });
});

/** Counts the windows that folds visit. */
function countWindows(): { seen: number[]; restore: () => void } {
  const seen: number[] = [];
  const original = Folds.prototype.to;
  const spy = vi.spyOn(Folds.prototype, 'to').mockImplementation(function (this: Folds, basis, window, witness) {
    const pairs = function* (from: number, through: number) {
      for (const pair of witness.pairs(asWindow(from), asWindow(through))) {
        seen.push(pair[0].window);
        yield pair;
      }
    };
    return original.call(this, basis, window, { pairs });
  });
  return { seen, restore: () => spy.mockRestore() };
}
