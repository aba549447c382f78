import { asWindow, Reason } from '@gridtokenx/protocol';
import { GATEWAY, NOW_MS, testLedger } from '@gridtokenx/testing-kit/oracle/ledger';
import {
  FakeRegistry,
  JournalBuilder,
  meterOf,
  type Signed,
  signerOf,
  signPayload,
} from '@gridtokenx/testing-kit/signed-journal';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { MAX_WAITING, RESERVED_MESSAGES } from '../../src/domain/intake/quota.js';
import { judgeSet } from '../../src/domain/verdicts/judge-set.js';
import { MAX_RUN, type ScanStart, StreamScan } from '../../src/domain/verdicts/scan.js';

// The work for a message and for a second is bounded, no matter how much one home sends.
const [one, two] = [meterOf(1), meterOf(2)];
const HOUR = 3_600_000;
/** Rows of one commit that are judged again, and those that a scan begins with. */
const MAX_STEPS = 1_000 + MAX_RUN;

/** A reading a second after the one before, with the same registers. */
function quickly(log: JournalBuilder): Signed {
  log.timeMs -= 59_000;
  return log.reading({}, {});
}

function world() {
  const registry = new FakeRegistry(one, two);
  let steps = 0;
  class CountedScan extends StreamScan {
    override step(...of: Parameters<StreamScan['step']>) {
      steps++;
      return super.step(...of);
    }
  }
  const judging = { scanFrom: (start: ScanStart) => new CountedScan(start) };
  const test = testLedger(registry, ':memory:', judging);
  const log = new JournalBuilder(one, signerOf(1));
  /** Scan steps that `work` takes. */
  const costOf = (work: () => void) => {
    const before = steps;
    work();
    return steps - before;
  };
  const settle = (nowMs = NOW_MS) => {
    let most = 0;
    for (let i = 0; i < 200; i++) {
      most = Math.max(
        most,
        costOf(() => test.ledger.reconsider(nowMs)),
      );
      if (!test.isDirty()) return most;
    }
    throw new Error('it is never done');
  };
  const inBatches = (messages: readonly Signed[]) => {
    for (let at = 0; at < messages.length; at += 500) test.take(messages.slice(at, at + 500));
  };
  const verdictsAre = (messages: readonly Signed[], nowMs = NOW_MS) => {
    const entries = messages.map((m) => ({ ...m, arrivedAtMs: NOW_MS, registryIsNewer: true }));
    const { judgements } = judgeSet(entries, one, nowMs);
    const found = test.verdicts();
    for (const [hash, { verdict }] of judgements) expect(found.get(hash)).toBe(verdict.code);
  };
  return { ...test, judging, registry, log, costOf, settle, inBatches, verdictsAre };
}
afterEach(() => vi.restoreAllMocks());

describe('a reading that is dated ahead', () => {
  it('costs nothing until its time comes, however long the stream is, and then a bounded part at a time', () => {
    const w = world();
    const messages = [w.log.enrolment(), w.log.reading({ timeMs: BigInt(NOW_MS + HOUR) })];
    while (messages.length < 4_000) messages.push(quickly(w.log));
    w.inBatches(messages);
    w.settle();
    for (let second = 0; second < 20; second++) {
      expect(w.costOf(() => w.ledger.reconsider(NOW_MS + second * 1_000))).toBe(0);
    }
    expect(w.verdictOf(messages[1] as Signed)).toBe(Reason.fromTheFuture);
    const later = NOW_MS + 2 * HOUR;
    expect(w.settle(later)).toBeLessThanOrEqual(MAX_STEPS);
    expect(w.verdictOf(messages[1] as Signed)).toBe(0);
    w.verdictsAre(messages, later);
  });

  it(`waits with at most ${MAX_WAITING} others of its key; more come again`, () => {
    const w = world();
    const messages = [w.log.enrolment()];
    for (let i = 0; i < MAX_WAITING + 36; i++) {
      messages.push(w.log.reading({ timeMs: BigInt(NOW_MS + HOUR + i) }, {}));
    }
    const { verdicts } = w.take(messages);
    expect([verdicts.get(Reason.fromTheFuture), verdicts.get(Reason.overQuota)]).toEqual([MAX_WAITING, 36]);
    expect(w.ledger.tell(GATEWAY).refused).toEqual([]);
    w.ledger.reconsider(NOW_MS + 2 * HOUR);
    w.take(messages, NOW_MS + 2 * HOUR);
    w.settle(NOW_MS + 2 * HOUR);
    expect(w.mark(one.meterId)?.storedThrough).toBe(BigInt(MAX_WAITING + 37));
  });
});

describe('late messages', () => {
  it('cost the way to the next statement, not the rest of the stream', () => {
    const w = world();
    const messages = w.log.honest(60, 10);
    const isLate = (_: Signed, i: number) => i % 11 === 5;
    const late = messages.filter(isLate);
    w.inBatches(messages.filter((message, i) => !isLate(message, i)));
    w.settle();
    const costs = late.toReversed().map((message) => w.costOf(() => w.take([message])));
    // The first ones from above lie at the end; the watermark then goes up once, when the lowest hole is closed.
    expect(Math.max(...costs.slice(0, -1))).toBeLessThanOrEqual(60);
    w.settle();
    w.verdictsAre(messages);
    expect(w.mark(one.meterId)?.storedThrough).toBe(BigInt(messages.length));
  });

  it('that turn all verdicts over are judged a bounded part at a time', () => {
    const w = world();
    const enrolment = w.log.enrolment();
    const high = w.log.reading({}, { exportWh: 150n });
    w.log.exportWh -= 150n;
    const rest: Signed[] = [];
    while (rest.length < 3_000) rest.push(quickly(w.log));
    w.inBatches([enrolment, ...rest]);
    const cost = w.costOf(() => w.take([high]));
    expect(cost).toBeLessThanOrEqual(MAX_STEPS);
    expect(w.settle()).toBeLessThanOrEqual(MAX_STEPS);
    w.verdictsAre([enrolment, high, ...rest]);
    expect(w.verdictOf(rest.at(-1) as Signed)).toBe(Reason.registerFell);
  });

  it('control: without the search for where nothing differs, each costs the rest of the stream', async () => {
    const { Convergence } = await import('../../src/domain/verdicts/convergence.js');
    vi.spyOn(Convergence.prototype, 'isReached').mockReturnValue(false);
    const w = world();
    const messages = w.log.honest(60, 10);
    w.inBatches(messages.filter((_, i) => i !== 5));
    w.settle();
    expect(w.costOf(() => w.take([messages[5] as Signed]))).toBeGreaterThan(600);
  });
});

describe('an equivocation', () => {
  it('suspends a long stream a bounded part at a time; its statements count no longer at once', () => {
    const w = world();
    const messages = w.log.honest(90, 14);
    while (messages.length < 3_000) messages.push(quickly(w.log));
    w.inBatches(messages);
    expect(w.statements.attestable(one.meterId, asWindow(0), 1_000)).toHaveLength(90);
    w.log.seq = 1n;
    const other = w.log.reading({ powerW: 7 });
    let updates = 0;
    const { sqlite } = w.database;
    sqlite.function('note', () => ++updates);
    sqlite.exec('CREATE TEMP TRIGGER judged AFTER UPDATE OF verdict ON messages BEGIN SELECT note(); END');
    const cost = () => {
      const before = updates;
      w.ledger.reconsider(NOW_MS);
      return updates - before;
    };
    w.take([other]);
    expect(updates).toBeLessThanOrEqual(1_010);
    expect(w.statements.attestable(one.meterId, asWindow(0), 1_000)).toEqual([]);
    expect(w.statements.newest(one.meterId)).toBeUndefined();
    while (w.isDirty()) expect(cost()).toBeLessThanOrEqual(1_010);
    w.verdictsAre([...messages, other]);
  });

  it('in thousands at one seq and one window costs the same for each', () => {
    const w = world();
    const [enrolment, first] = [w.log.enrolment(), w.log.reading()];
    w.take([enrolment, first]);
    for (let i = 0; i < 300; i++) {
      w.log.seq = 1n;
      w.take([w.log.statement({ window: one.enrolmentWindow + 1_000 + i })]);
    }
    const kept = w.database.sqlite.prepare('SELECT count(*) AS n FROM messages').get();
    expect(Number(kept?.n)).toBeLessThanOrEqual(70);
  });
});

describe('the allowance of a key', () => {
  it('ends with *over quota*: not stored, not refused, counted, and taken later; statements have a reserve', () => {
    const w = world();
    w.take([w.log.enrolment()]);
    w.database.sqlite.exec(`UPDATE streams SET quota_left = ${RESERVED_MESSAGES + 5}`);
    const again = testLedgerOn(w);
    const readings = Array.from({ length: 20 }, () => w.log.reading());
    const statement = w.log.statement();
    const taken = again.take(readings);
    // The fraction of a message that time has filled up meanwhile counts too.
    const over = taken.verdicts.get(Reason.overQuota) ?? 0;
    expect(over).toBeGreaterThanOrEqual(14);
    expect(over).toBeLessThanOrEqual(15);
    expect(again.ledger.tell(GATEWAY).refused).toEqual([]);
    expect([...again.take([statement]).verdicts.keys()]).not.toContain(Reason.overQuota);
    const counted = again.views.meter(one).counts.find(({ verdict }) => verdict === Reason.overQuota);
    expect(counted?.n).toBe(over);
    again.take(readings, NOW_MS + HOUR);
    expect(again.mark(one.meterId)?.storedThrough).toBe(22n);
  });

  it('control: a key with all of its allowance has none over', () => {
    const w = world();
    const taken = w.take(w.log.honest(2, 20));
    expect(taken.verdicts.has(Reason.overQuota)).toBe(false);
  });
});

/** The same file with nothing in memory, as after a restart. */
function testLedgerOn(w: ReturnType<typeof world>) {
  const fresh = testLedger(w.registry, ':memory:', w.judging, w.database);
  return fresh;
}

describe('bad signatures', () => {
  it('count at the gateway that brought them, not at the meter whose name they bear', () => {
    const w = world();
    const forged = signPayload(w.log.enrolment().payload, signerOf(99));
    w.take([forged]);
    expect(w.views.meter(one).counts).toEqual([]);
    expect(w.views.ofGateway(GATEWAY)).toEqual([{ kind: 0, verdict: Reason.badSignature, n: 1 }]);
    expect(w.views.unattributed()).toEqual([{ kind: 0, verdict: Reason.badSignature, n: 1 }]);
  });

  it('in any number leave a bounded number of rows', () => {
    const w = world();
    const { payload } = w.log.enrolment();
    const message = signPayload(payload, signerOf(99)).message;
    for (let i = 0; i < 6_200; i++) {
      const copy = message.slice();
      new DataView(copy.buffer).setUint32(150, i);
      w.ledger.take([w.arrival(copy)], NOW_MS);
    }
    expect(Number(w.database.sqlite.prepare('SELECT count(*) AS n FROM rejects').get()?.n)).toBeLessThanOrEqual(5_500);
  });
});
