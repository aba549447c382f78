import { asPublicKeyText, asWindow, Reason } from '@gridtokenx/protocol';
import { GATEWAY, NOW_MS, testLedger } from '@gridtokenx/testing-kit/oracle/ledger';
import {
  FakeRegistry,
  INITIAL_WINDOW,
  JournalBuilder,
  meterOf,
  type Signed,
  signerOf,
} from '@gridtokenx/testing-kit/signed-journal';
import { describe, expect, it } from 'vitest';
import type { MeterRecord } from '../../src/domain/ports.js';

const meter = meterOf(1);
const rotatedAfter = (window: number): MeterRecord => ({
  ...meter,
  key: signerOf(3).publicKey,
  previousKey: signerOf(1).publicKey,
  previousKeyLastWindow: asWindow(window),
  keyEpoch: 1,
});

/** The old key's log: the enrolment, and one window after another. */
function oldLog(): Signed[] {
  return new JournalBuilder(meter, signerOf(1)).honest(3, 1);
}

/** Verdicts of `log` when the rotation is known before message number `at` is taken. */
function verdictsWhenKnownAt(log: readonly Signed[], at: number, record: MeterRecord): (number | undefined)[] {
  const registry = new FakeRegistry(meter);
  const test = testLedger(registry);
  log.forEach((message, index) => {
    if (index === at) registry.set(record);
    registry.asOf = { chainSlot: index + 1, fetchedAtMs: 2_000 };
    test.take([message]);
  });
  registry.set(record);
  registry.asOf = { chainSlot: 100, fetchedAtMs: 2_000 };
  test.ledger.reconsider(NOW_MS);
  return log.map((message) => test.verdictOf(message));
}

describe('a rotation of the key', () => {
  it('is judged alike whenever it becomes known, and takes later windows out of what may be attested', () => {
    const log = oldLog();
    const record = rotatedAfter(INITIAL_WINDOW);
    const expected = log.map((_, index) => (index <= 2 ? 0 : Reason.wrongKey));
    for (let at = 0; at <= log.length; at++)
      expect(verdictsWhenKnownAt(log, at, record), `known at ${at}`).toEqual(expected);
  });

  it('leaves the old enrolment what it was, also when its stream is judged again', () => {
    const log = oldLog();
    const [enrolment, reading] = log;
    if (!enrolment || !reading) throw new Error('no log');
    const registry = new FakeRegistry(rotatedAfter(INITIAL_WINDOW + 10));
    const test = testLedger(registry);
    test.take(log.filter((message) => message !== reading));
    test.take([reading]);
    expect(test.verdictOf(enrolment)).toBe(0);
    const fresh = new JournalBuilder({ ...meter, keyEpoch: 1 }, signerOf(3)).enrolment();
    const stale = new JournalBuilder(meter, signerOf(3));
    stale.seq = 1n;
    const wrong = stale.enrolment();
    test.take([fresh, wrong]);
    expect([test.verdictOf(fresh), test.verdictOf(wrong)]).toEqual([0, Reason.unexpectedEnrolment]);
  });

  it('takes the registers and the window of a later key from its own enrolment, but none of an earlier window', () => {
    const registry = new FakeRegistry(rotatedAfter(INITIAL_WINDOW + 10));
    const test = testLedger(registry);
    const enrolmentAt = (window: number, seq: bigint, keyEpoch = 1) => {
      const log = new JournalBuilder({ ...meter, keyEpoch }, signerOf(keyEpoch === 1 ? 3 : 1));
      log.seq = seq;
      return log.enrolment({ window: asWindow(window), importWh: 9_000n, keyEpoch });
    };
    const later = enrolmentAt(INITIAL_WINDOW + 9, 1n);
    const earlier = enrolmentAt(INITIAL_WINDOW - 1, 2n);
    const ofFirstKey = enrolmentAt(INITIAL_WINDOW + 9, 3n, 0);
    test.take([later, earlier, ofFirstKey]);
    const verdicts = [later, earlier, ofFirstKey].map((message) => test.verdictOf(message));
    expect(verdicts).toEqual([0, Reason.unexpectedEnrolment, Reason.unexpectedEnrolment]);
  });

  it('tells the gateway what is refused of the old key', () => {
    const registry = new FakeRegistry(rotatedAfter(INITIAL_WINDOW - 1));
    const test = testLedger(registry);
    const [, reading] = oldLog();
    if (!reading) throw new Error('no reading');
    test.take([reading]);
    expect(test.ledger.tell(GATEWAY).refused).toEqual([{ hash: reading.hash, reason: Reason.wrongKey }]);
  });

  it('with a window that both keys state, the same statement stands in either order', () => {
    const record = rotatedAfter(INITIAL_WINDOW + 10);
    const old = oldLog();
    const log = new JournalBuilder({ ...meter, keyEpoch: 1 }, signerOf(3));
    const young = [log.enrolment(), log.reading({}, { exportWh: 33n }), log.statement()];
    const standing = [
      [...old, ...young],
      [...young, ...old],
    ].map((sent) => {
      const test = testLedger(new FakeRegistry(record));
      test.take(sent);
      return test.statements.attestable(meter.meterId, asWindow(0), 1_000).map((s) => [s.window, s.exportWh]);
    });
    expect(standing[0]).toEqual(standing[1]);
    expect(standing[0]).toHaveLength(3);
  });
});

describe('more contradictions than are kept', () => {
  it('suspend from the lowest seq in any order', () => {
    const log = new JournalBuilder(meter, signerOf(1));
    const sent = [log.enrolment()];
    for (let i = 0; i < 7; i++) sent.push(log.statement({ window: INITIAL_WINDOW, readingCount: i }));
    const expected = testLedger(new FakeRegistry(meter));
    expected.take(sent);
    const reversed = testLedger(new FakeRegistry(meter));
    for (const message of [...sent].reverse()) reversed.take([message]);
    const mark = { storedThrough: 1n, highestSeen: 8n, highestWindow: INITIAL_WINDOW };
    expect(expected.mark(meter.meterId)).toEqual(mark);
    expect(reversed.mark(meter.meterId)).toEqual(mark);
  });

  it('of one seq are counted, and only four are kept', () => {
    const test = testLedger(new FakeRegistry(meter));
    const log = new JournalBuilder(meter, signerOf(1));
    test.take([log.enrolment()]);
    for (let i = 0; i < 9; i++) {
      log.seq = 1n;
      test.take([log.statement({ window: INITIAL_WINDOW, readingCount: i })]);
    }
    const rows = test.database.sqlite.prepare('SELECT count(*) AS n FROM messages WHERE verdict = 8').get();
    expect(rows?.n).toBe(4);
    expect(test.views.meter(meter).counts.find((c) => c.verdict === Reason.equivocation)?.n).toBe(9);
  });

  it('names the gateway that brought them until the key is rotated', () => {
    const registry = new FakeRegistry(meter);
    const test = testLedger(registry);
    const log = new JournalBuilder(meter, signerOf(1));
    test.take([log.enrolment(), log.reading({ powerW: 1 })]);
    expect(test.views.suspended(registry)).toEqual([]);
    log.seq = 1n;
    test.take([log.reading({ powerW: 2 })]);
    expect(test.views.suspended(registry)).toEqual([
      `the key of meter ${meter.meterId} signed two messages for one place (gateway ${asPublicKeyText(GATEWAY)}): stop a copy of the gateway, then rotate the key`,
    ]);
    registry.set(rotatedAfter(INITIAL_WINDOW));
    expect(test.views.suspended(registry)).toEqual([]);
  });
});
