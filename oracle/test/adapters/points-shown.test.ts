import { asWindow, Reason } from '@gridtokenx/protocol';
import { testLedger } from '@gridtokenx/testing-kit/oracle/ledger';
import { TestStatements } from '@gridtokenx/testing-kit/oracle/page-settler-harness';
import {
  FakeRegistry,
  INITIAL_WINDOW,
  JournalBuilder,
  meterOf,
  signerOf,
} from '@gridtokenx/testing-kit/signed-journal';
import { describe, expect, it } from 'vitest';
import { shownFor } from '../../src/domain/settlement/cosigning/judge.js';
import { SiteBuilder } from '../support/site.js';

/** A ledger that has heard all of a site, and one that has heard its first window only. */
function ledgers(windows: number) {
  const site = new SiteBuilder();
  const plain = meterOf(9, { slot: 9 });
  const log = new JournalBuilder(plain, signerOf(9));
  const registry = () => new FakeRegistry(...Object.values(site.records), plain);
  const [full, behind] = [testLedger(registry()), testLedger(registry())];
  const first = [...site.enrolments, ...site.window(0, 100, 100).all];
  // Sun in every other window: the point's registers rise in turn, so a test notices a span that is missing.
  const rest = Array.from({ length: windows }, (_, i) => site.window(i + 1, i % 2 === 0 ? 400 : 0, 150));
  full.take([...first, ...rest.flatMap(({ all }) => all), log.reading(), log.statement()]);
  behind.take(first);
  const last = rest.at(-1);
  if (!last) throw new Error('no windows');
  return { site, plain, full, behind, last };
}

describe('what is shown to an oracle that is asked to sign for a derived point', () => {
  it('lets one that has missed hours of both meters judge it', () => {
    const { site, full, behind, last } = ledgers(20);
    const taken = full.statements.attestable(site.records.point.meterId, asWindow(INITIAL_WINDOW + 19), 1_000);
    expect(taken).toHaveLength(1);
    const shown = shownFor(full.statements, taken);
    // Both meters, all windows there are, and the point's own.
    expect(shown).toHaveLength(2 * 21 + 1);
    behind.take(shown.map((message) => ({ message })));
    // Readings are not shown, so roots cannot be made again: a note on an accepted statement.
    expect(behind.verdictOf(last.point)).toBe(Reason.rootNotReproducible);
    expect(behind.statements.newest(site.records.point.meterId)).toEqual({ ...taken[0], receivedAtMs: 1_000 });
  });

  it('control: the statement with those of its own window is not enough', () => {
    const { site, full, behind, last } = ledgers(20);
    const taken = full.statements.attestable(site.records.point.meterId, asWindow(INITIAL_WINDOW + 19), 1_000);
    const inputs = full.statements.inputs(site.records.point.meterId, asWindow(INITIAL_WINDOW + 20), 1);
    expect(inputs).toHaveLength(2);
    behind.take([...inputs, ...taken]);
    expect(behind.verdictOf(last.point)).toBe(Reason.predecessorPending);
  });

  it('fits in a request, and is nothing more for other meters', () => {
    const { site, plain, full } = ledgers(6);
    const own = full.statements.attestable(plain.meterId, asWindow(0), 1_000);
    expect(shownFor(full.statements, own)).toEqual(own.map(({ message }) => message));
    const [point] = full.statements.attestable(site.records.point.meterId, asWindow(INITIAL_WINDOW + 5), 1_000);
    if (!point) throw new Error('no statement');
    expect(shownFor(full.statements, [point], 7)).toHaveLength(7);
    expect(shownFor(full.statements, [point], 6)).toHaveLength(5);
    expect(shownFor(full.statements, [point], 1)).toEqual([point.message]);
    expect(shownFor(new TestStatements(), [point])).toEqual([point.message]);
  });
});
