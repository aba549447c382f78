import { asMeterId, asWindow, EventCode, GapReason, MAX_REFUSED, Reason } from '@gridtokenx/protocol';
import { GATEWAY, testLedger } from '@gridtokenx/testing-kit/oracle/ledger';
import { FakeRegistry, JournalBuilder, meterOf, signerOf } from '@gridtokenx/testing-kit/signed-journal';
import { describe, expect, it } from 'vitest';
import { JUDGING } from '../../src/domain/verdicts/judging.js';

const meter = meterOf(1);

describe('what a gateway is told', () => {
  it('nothing before it sent anything', () => {
    const { ledger } = testLedger(new FakeRegistry(meter));
    expect(ledger.tell(GATEWAY)).toEqual({ meters: new Map(), refused: [] });
  });

  it('watermarks pass declared gaps, and highest_seen is above a hole', () => {
    const { take, mark } = testLedger(new FakeRegistry(meter));
    const log = new JournalBuilder(meter, signerOf(1));
    const [enrolment, one] = [log.enrolment(), log.reading()];
    const hole = log.reading();
    const [gap, statement] = [log.gap(5, GapReason.thinned), log.statement()];
    take([enrolment, one, gap, statement]);
    expect(mark(meter.meterId)).toEqual({ storedThrough: 2n, highestSeen: 10n, highestWindow: meter.enrolmentWindow });
    take([hole]);
    expect(mark(meter.meterId)?.storedThrough).toBe(10n);
  });

  it('refused messages are named until their gap arrives', () => {
    const { ledger, take } = testLedger(new FakeRegistry(meter));
    const log = new JournalBuilder(meter, signerOf(1));
    const bad = [log.enrolment(), log.reading({ exportWh: 0n })];
    take(bad);
    expect(ledger.tell(GATEWAY).refused).toEqual([{ hash: bad[1]?.hash, reason: Reason.registerFell }]);
    const data = Uint8Array.of(GapReason.refused, ...new Uint8Array(15));
    take([log.event({ code: EventCode.gap, value: 2n, detail: 1, data })]);
    expect(ledger.tell(GATEWAY).refused).toEqual([]);
    expect(ledger.tell(GATEWAY).meters.get(meter.meterId)?.storedThrough).toBe(3n);
  });

  it('names at most 200, those that hold up a watermark first', () => {
    const { ledger, take } = testLedger(new FakeRegistry(meter));
    const log = new JournalBuilder(meter, signerOf(1));
    for (let i = 0; i < 250; i++) take([{ message: new Uint8Array(171).fill(i % 256, i % 171) }]);
    const bad = [log.enrolment(), ...Array.from({ length: 150 }, () => log.reading({ exportWh: 0n }))];
    take(bad);
    const { refused } = ledger.tell(GATEWAY);
    expect(refused).toHaveLength(MAX_REFUSED);
    expect(refused.slice(0, 150).every((r) => r.reason === Reason.registerFell)).toBe(true);
    expect(refused[150]?.reason).toBe(Reason.malformed);
  });

  it('duplicates change nothing, and are counted', () => {
    const { take, views, mark } = testLedger(new FakeRegistry(meter));
    const sent = new JournalBuilder(meter, signerOf(1)).honest(1);
    take(sent);
    const before = mark(meter.meterId);
    const taken = take(sent);
    expect([...taken.verdicts]).toEqual([[Reason.duplicate, sent.length]]);
    expect(mark(meter.meterId)).toEqual(before);
    expect(views.meter(meter).counts.find((c) => c.verdict === Reason.duplicate)?.n).toBe(sent.length);
  });

  it('a suspension lowers the watermark, so that the gateway notices', () => {
    const { take, mark } = testLedger(new FakeRegistry(meter));
    const log = new JournalBuilder(meter, signerOf(1));
    const sent = [log.enrolment(), log.reading(), log.reading(), log.reading()];
    take(sent);
    expect(mark(meter.meterId)?.storedThrough).toBe(4n);
    log.seq = 2n;
    take([log.reading({ powerW: 5 })]);
    expect(mark(meter.meterId)).toMatchObject({ storedThrough: 2n, highestSeen: 4n });
  });
});

describe('time of acks', () => {
  it('rises within and across restarts, also when the real clock steps back', () => {
    const registry = new FakeRegistry(meter);
    const test = testLedger(registry);
    const first = [5_000_000, 5_000_000, 4_000_000].map((now) => test.ledger.nextAckTime(now));
    expect(first).toEqual([5_000_000, 5_000_001, 5_000_002]);
    const Ledger = test.ledger.constructor as new (...args: unknown[]) => typeof test.ledger;
    const again = new Ledger(test.database, registry, { bytes: () => new Uint8Array(16) }, () => undefined, JUDGING);
    expect(again.id).toEqual(test.ledger.id);
    expect(again.nextAckTime(4_000_000)).toBeGreaterThan(5_000_002);
  });
});

describe('statements for settlement', () => {
  it('are verified and attestable ones, windows rising, and revised ones disappear', () => {
    const test = testLedger(new FakeRegistry(meter));
    let told = 0;
    test.statements.onStored(() => told++);
    const log = new JournalBuilder(meter, signerOf(1));
    const sent = [log.enrolment()];
    for (const quality of [64, 65, 64, 66, 72, 68]) sent.push(log.reading(), log.statement({ quality }));
    test.take(sent);
    expect(told).toBe(1);
    const windows = (after: number, limit = 1_000) =>
      test.statements.attestable(meter.meterId, asWindow(after), limit).map((s) => s.window - meter.enrolmentWindow);
    expect(windows(0)).toEqual([0, 2, 5]);
    expect(windows(meter.enrolmentWindow)).toEqual([2, 5]);
    expect(windows(0, 1)).toEqual([0]);
    const newest = test.statements.newest(meter.meterId);
    expect(newest?.window).toBe(meter.enrolmentWindow + 5);
    expect(newest?.payload).toHaveLength(96);
    expect(newest?.message).toHaveLength(171);
    log.seq = 5n;
    test.take([log.reading({ powerW: 5 })]);
    expect(windows(0)).toEqual([0]);
    expect(told).toBe(2);
    expect(test.statements.newest(asMeterId('00'.repeat(16)))).toBeUndefined();
  });
});
