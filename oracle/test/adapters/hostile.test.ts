import { decodePayload, encodePayload, Reason, signAck, signToken, sigStructure, toHex } from '@gridtokenx/protocol';
import { GATEWAY, NOW_MS, testLedger } from '@gridtokenx/testing-kit/oracle/ledger';
import {
  FakeRegistry,
  JournalBuilder,
  meterIdOf,
  meterOf,
  type Signed,
  signerOf,
  signPayload,
} from '@gridtokenx/testing-kit/signed-journal';
import { describe, expect, it } from 'vitest';
import { MAX_CONTRADICTIONS } from '../../src/domain/verdicts/ports.js';

const meter = meterOf(1);

function world() {
  const registry = new FakeRegistry(meter, meterOf(2));
  return { registry, ...testLedger(registry), log: new JournalBuilder(meter, signerOf(1)) };
}

function changed(message: Signed, at: number, to: number): { message: Uint8Array } {
  const copy = message.message.slice();
  copy[at] = to;
  return { message: copy };
}

describe('messages of no stream', () => {
  it('each get their reason, are counted and have no effect', () => {
    const { take, ledger, views, log, mark, verdicts } = world();
    const good = log.enrolment();
    const wrongNetwork = signPayload({ ...good.payload, networkId: new Uint8Array(8) }, signerOf(1));
    const unknown = signPayload({ ...good.payload, meterId: new Uint8Array(16).fill(9) }, signerOf(1));
    const stranger = signPayload(good.payload, signerOf(99));
    const mixedUp = signPayload(good.payload, signerOf(2));
    const version = good.message.slice();
    version[9 + 2] = 2;
    const kind = good.message.slice();
    kind[9 + 3] = 9;
    const cases: [string, Uint8Array, number][] = [
      ['frame', changed(good, 0, 0).message, Reason.malformed],
      ['magic', changed(good, 9, 0).message, Reason.malformed],
      ['version', version, Reason.unknownVersion],
      ['kind', kind, Reason.unknownVersion],
      ['network', wrongNetwork.message, Reason.wrongNetwork],
      ['meter', unknown.message, Reason.unknownMeter],
      ['forged', stranger.message, Reason.badSignature],
      ['signature', changed(good, 170, 1).message, Reason.badSignature],
      ['payload', changed(good, 9 + 50, 0xaa).message, Reason.badSignature],
      ['key of another meter of the owner', mixedUp.message, Reason.wrongKey],
    ];
    for (const [name, message, reason] of cases) {
      const before = verdicts().size;
      const taken = take([{ message }]);
      expect([...taken.verdicts.keys()], name).toEqual([reason]);
      expect(verdicts().size, name).toBe(before + 1);
    }
    const total = [...views.unattributed(), ...views.meter(meter).counts].reduce((n, entry) => n + entry.n, 0);
    expect(total).toBe(cases.length);
    expect(mark(meter.meterId)).toBeUndefined();
    // All but the unknown meter, which the gateway keeps, are named as refused.
    expect(ledger.tell(GATEWAY).refused).toHaveLength(cases.length - 1);
    take([good]);
    expect(mark(meter.meterId)?.storedThrough).toBe(1n);
  });

  it('what was signed for another purpose is never taken for a payload', () => {
    const { take, verdictOf } = world();
    const signer = signerOf(1);
    const ack = signAck(
      { ledgerId: new Uint8Array(16), timeMs: 1, gateway: GATEWAY, meters: new Map(), refused: [] },
      signer,
    );
    const token = signToken({ broker: 'b', clientId: 'c', notBefore: 1, expiry: 2, nonce: new Uint8Array(16) }, signer);
    for (const message of [ack, token]) {
      const taken = take([{ message }]);
      expect([...taken.verdicts.keys()]).toEqual([Reason.malformed]);
    }
    expect(verdictOf({ hash: new Uint8Array(16) })).toBeUndefined();
  });

  it('every single changed byte of a message is refused', () => {
    const { take, log, mark } = world();
    const good = log.enrolment();
    for (let at = 0; at < good.message.length; at++) {
      const { message } = changed(good, at, (good.message[at] ?? 0) ^ 0x01);
      const taken = take([{ message }]);
      expect(
        [...taken.verdicts.keys()].every((code) => code !== 0),
        `byte ${at}`,
      ).toBe(true);
    }
    expect(mark(meter.meterId)).toBeUndefined();
  });

  it('control: the untouched message is verified by the same means', () => {
    const { take, log } = world();
    expect([...take([log.enrolment()]).verdicts]).toEqual([[0, 1]]);
  });

  it('a rotated key is good for backfill up to its last window, and the wrong key afterwards', () => {
    const rotated = meterOf(1, {
      key: signerOf(3).publicKey,
      previousKey: signerOf(1).publicKey,
      previousKeyLastWindow: meter.enrolmentWindow,
    });
    const registry = new FakeRegistry(rotated);
    const { take, verdictOf } = testLedger(registry);
    const log = new JournalBuilder(meter, signerOf(1));
    const inside = log.reading();
    const outside = log.reading({ timeMs: BigInt((meter.enrolmentWindow + 1) * 900_000) });
    take([inside, outside]);
    expect(verdictOf(inside)).toBe(0);
    expect(verdictOf(outside)).toBe(Reason.wrongKey);
  });
});

describe('verdicts that depend on the registry', () => {
  it('a forged signature is settled only against a state that was asked for after it came', () => {
    const { registry, ledger, arrival, log } = world();
    registry.asOf = { chainSlot: 1, fetchedAtMs: 500 };
    const forged = signPayload(log.enrolment().payload, signerOf(99));
    ledger.take([arrival(forged.message, NOW_MS, 1_000)], NOW_MS);
    expect(ledger.tell(GATEWAY).refused).toEqual([]);
    expect(ledger.waiting(10).map((w) => w.reason)).toEqual([Reason.wrongKey]);
    registry.asOf = { chainSlot: 2, fetchedAtMs: 1_001 };
    ledger.take([arrival(forged.message, NOW_MS, 1_000)], NOW_MS);
    expect(ledger.waiting(10)).toEqual([]);
    expect(ledger.tell(GATEWAY).refused.map((r) => r.reason)).toEqual([Reason.badSignature]);
  });

  it('an unknown meter that is enrolled later is taken, and the reject is withdrawn', () => {
    const registry = new FakeRegistry();
    const { ledger, take, views, mark } = testLedger(registry);
    const good = new JournalBuilder(meter, signerOf(1)).enrolment();
    take([good]);
    expect(views.unattributed()).toEqual([{ kind: 0, verdict: Reason.unknownMeter, n: 1 }]);
    registry.set(meter);
    take([good]);
    expect(views.unattributed()).toEqual([]);
    expect(ledger.waiting(10)).toEqual([]);
    expect(mark(meter.meterId)?.storedThrough).toBe(1n);
  });

  it('before enrolment waits for a newer state', () => {
    const { registry, ledger, take, verdictOf, log } = world();
    registry.asOf = { chainSlot: 1, fetchedAtMs: 500 };
    const enrolment = log.enrolment();
    const early = log.reading({ timeMs: 1_000n });
    take([enrolment, early]);
    expect(verdictOf(early)).toBe(Reason.beforeEnrolment);
    expect(ledger.tell(GATEWAY).refused).toEqual([]);
    registry.asOf = { chainSlot: 2, fetchedAtMs: 5_000 };
    ledger.reconsider(NOW_MS);
    expect(ledger.tell(GATEWAY).refused.map((r) => r.reason)).toEqual([Reason.beforeEnrolment]);
  });
});

describe('what waits for time', () => {
  it('is taken when the time has come, and its gateways are named', () => {
    const { ledger, take, mark, log } = world();
    const early = NOW_MS - 3_600_000;
    const enrolment = log.enrolment();
    const ahead = log.reading({ timeMs: BigInt(NOW_MS) });
    take([enrolment, ahead], early);
    expect(mark(meter.meterId)?.storedThrough).toBe(1n);
    expect(ledger.reconsider(early).gateways).toEqual([]);
    const taken = ledger.reconsider(NOW_MS);
    expect(taken.gateways.map(toHex)).toEqual([toHex(GATEWAY)]);
    expect(taken.verified).toHaveLength(1);
    expect(mark(meter.meterId)?.storedThrough).toBe(2n);
  });
});

describe('evidence', () => {
  it('keeps both contradicting messages, and at most a few of a flood of them', () => {
    const { take, database, log, views } = world();
    take([log.enrolment()]);
    for (let i = 0; i < 20; i++) {
      log.seq = 1n;
      take([log.reading({ powerW: i })]);
    }
    const rows = database.sqlite.prepare('SELECT bytes, verdict FROM messages WHERE kind = 1').all();
    expect(rows.length).toBeGreaterThanOrEqual(2);
    expect(rows.length).toBeLessThanOrEqual(4);
    expect(rows.every((row) => row.verdict === Reason.equivocation)).toBe(true);
    const counted = views.meter(meter).counts.find((c) => c.verdict === Reason.equivocation);
    expect(counted?.n).toBe(20);
  });

  it('keeps no more of a flood that comes in one packet', () => {
    const { take, database, log, views } = world();
    take([log.enrolment()]);
    const flood = Array.from({ length: 20 }, (_, i) => {
      log.seq = 1n;
      return log.reading({ powerW: i });
    });
    take(flood);
    const rows = database.sqlite.prepare('SELECT verdict FROM messages WHERE kind = 1').all();
    expect(rows).toHaveLength(MAX_CONTRADICTIONS);
    expect(rows.every((row) => row.verdict === Reason.equivocation)).toBe(true);
    expect(views.meter(meter).counts.find((c) => c.verdict === Reason.equivocation)?.n).toBe(20);
  });

  it('marks both of two messages that state one seq in the same packet', () => {
    const { take, verdictOf, log } = world();
    take([log.enrolment()]);
    const first = log.reading({ powerW: 1 });
    log.seq = first.payload.seq - 1n;
    const second = log.reading({ powerW: 2 });
    take([first, second]);
    expect([verdictOf(first), verdictOf(second)]).toEqual([Reason.equivocation, Reason.equivocation]);
  });

  it('marks both of two statements of one window in the same packet', () => {
    const { take, verdictOf, log } = world();
    take([log.enrolment(), log.reading(), log.reading()]);
    const timeMs = log.timeMs;
    const first = log.statement();
    log.timeMs = timeMs;
    const second = log.statement();
    expect(second.payload.seq).not.toBe(first.payload.seq);
    take([first, second]);
    expect([verdictOf(first), verdictOf(second)]).toEqual([Reason.equivocation, Reason.equivocation]);
  });

  it('u64 seqs of a hostile key are stored and sorted like any other', () => {
    const { take, mark, verdictOf } = world();
    const log = new JournalBuilder(meter, signerOf(1));
    const enrolment = log.enrolment();
    log.seq = (1n << 64n) - 2n;
    const last = log.reading();
    take([last, enrolment]);
    expect(verdictOf(last)).toBe(Reason.predecessorPending);
    expect(mark(meter.meterId)).toEqual({ storedThrough: 1n, highestSeen: (1n << 64n) - 1n, highestWindow: 0 });
  });

  it('stored messages verify again from their bytes', () => {
    const { take, database, log } = world();
    const sent = log.honest(1);
    take(sent);
    const rows = database.sqlite.prepare('SELECT bytes FROM messages ORDER BY seq').all();
    expect(rows.map((row) => toHex(row.bytes as Uint8Array))).toEqual(sent.map((m) => toHex(m.message)));
    const first = sent[0];
    if (!first) throw new Error('no message');
    expect(encodePayload(decodePayload(first.signed))).toEqual(first.signed);
    expect(sigStructure(first.signed)).toHaveLength(115);
    expect(meterIdOf(1)).toBe(meter.meterId);
  });
});

describe('the gateway of a meter', () => {
  it('is the one that brought something new last, noted once a minute, whoever repeats it', () => {
    const { ledger, arrival, database, log, views } = world();
    const other = new Uint8Array(32).fill(78);
    const bring = (gateway: Uint8Array, receivedAtMs: number, { message } = log.reading()) =>
      ledger.take([{ ...arrival(message, NOW_MS, receivedAtMs), gateway }], NOW_MS);
    const seen = () => {
      const rows = database.sqlite.prepare('SELECT last_ms FROM gateway_meters ORDER BY gateway').all();
      return rows.map(({ last_ms }) => Number(last_ms));
    };
    const first = log.enrolment();
    const { verified } = bring(GATEWAY, 1_000, first);
    expect(verified).toEqual([]);
    bring(other, 5_000, first);
    expect(seen()).toEqual([1_000, 0]);
    bring(GATEWAY, 60_999);
    expect(seen()).toEqual([1_000, 0]);
    const reading = log.reading();
    expect(bring(GATEWAY, 61_000, reading).verified).toEqual([{ meter, reading: reading.payload }]);
    expect(seen()).toEqual([61_000, 0]);
    bring(other, 900_000, first);
    expect(views.gatewayOf(meter.meterId)).toEqual(GATEWAY);
    bring(other, 900_001);
    expect([seen(), views.gatewayOf(meter.meterId)]).toEqual([[61_000, 900_001], other]);
  });
});
