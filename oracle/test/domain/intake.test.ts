import { type Ack, concatBytes, openAck, Reason } from '@gridtokenx/protocol';
import { GATEWAY, NOW_MS, testLedger, verifier } from '@gridtokenx/testing-kit/oracle/ledger';
import {
  FakeRegistry,
  JournalBuilder,
  meterOf,
  NETWORK,
  signerOf,
  signPayload,
} from '@gridtokenx/testing-kit/signed-journal';
import { fixedRandom, VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { describe, expect, it } from 'vitest';
import { inThread } from '../../src/adapters/sodium/in-thread.js';
import { AckSender } from '../../src/domain/intake/ack-sender.js';
import { Intake } from '../../src/domain/intake/intake.js';
import type { Ledger } from '../../src/domain/intake/ports.js';
import type { TimeSeries } from '../../src/domain/live/ports.js';
import { Projector } from '../../src/domain/live/projector.js';
import type { SeriesRow } from '../../src/domain/ports.js';
import type { VerdictCode } from '../../src/domain/verdicts/verdict.js';
import { settle, testLogger } from '../support/time.js';

const meter = meterOf(1);
const oracle = signerOf(42);

function world(around: (ledger: Ledger) => Ledger = (ledger) => ledger) {
  const registry = new FakeRegistry(meter);
  const test = testLedger(registry);
  const ledger = around(test.ledger);
  const clock = new VirtualClock({ startAtMs: 1_000_000 });
  const logger = testLogger();
  const acks: { at: number; ack: Ack }[] = [];
  const verdicts: [VerdictCode, number][] = [];
  let commits = 0;
  const sender = new AckSender({
    ledger,
    signer: oracle,
    clock: clock,
    logger,
    canTell: () => true,
    publish: (_gateway, message) => {
      acks.push({ at: clock.nowMs(), ack: openAck(message, oracle.publicKey, verifier) });
      return true;
    },
    onSent: () => undefined,
  });
  const intake = new Intake({
    ledger,
    registry,
    verifier,
    checks: inThread(verifier),
    networkId: NETWORK,
    readingClock: { nowMs: () => NOW_MS },
    clock: clock,
    logger,
    onStored: (gateways) => {
      for (const gateway of gateways) sender.mark(gateway);
    },
    onRegistry: () => undefined,
    onVerified: () => undefined,
    onCommit: (outcome) => {
      commits++;
      verdicts.push(...outcome.verdicts);
    },
  });
  const packet = (bytes: Uint8Array) => ({
    gateway: GATEWAY.slice(),
    meter: meter.meterId,
    stream: 'backfill' as const,
    bytes,
  });
  const send = (...messages: { message: Uint8Array }[]) =>
    intake.receive(packet(concatBytes(...messages.map((m) => m.message))));
  return {
    ...test,
    ledger,
    registry,
    clock,
    logger,
    acks,
    verdicts,
    intake,
    sender,
    send,
    packet,
    commits: () => commits,
  };
}

describe('intake', () => {
  it('writes nothing for a newer registry while nothing waits for it', () => {
    let takes = 0;
    const w = world((ledger) =>
      Object.assign(Object.create(ledger), {
        reconsider: ledger.reconsider.bind(ledger),
        waiting: ledger.waiting.bind(ledger),
        take: (...given: Parameters<Ledger['take']>) => {
          takes++;
          return ledger.take(...given);
        },
      }),
    );
    w.intake.reconsider();
    expect([takes, w.commits()]).toEqual([0, 0]);
  });

  it('gathers packets into one commit, and tells once after it', () => {
    const w = world();
    for (const message of new JournalBuilder(meter, signerOf(1)).honest(2)) w.send(message);
    expect(w.commits()).toBe(0);
    expect(w.acks).toEqual([]);
    w.clock.advanceNow(5);
    expect(w.commits()).toBe(1);
    expect(w.acks).toHaveLength(1);
    expect(w.acks[0]?.ack.meters.get(meter.meterId)?.storedThrough).toBe(9n);
  });

  it('commits at once when enough has gathered', () => {
    const w = world();
    const log = new JournalBuilder(meter, signerOf(1)).honest(40, 13);
    for (let at = 0; at < 600; at += 200)
      w.intake.receive(w.packet(concatBytes(...log.slice(at, at + 200).map((m) => m.message))));
    expect(w.commits()).toBe(1);
  });

  it('a packet of a wrong length is one malformed message; in a good one items are judged one by one', () => {
    const w = world();
    const [a, b, c] = new JournalBuilder(meter, signerOf(1)).honest(1);
    if (!a || !b || !c) throw new Error('no log');
    w.intake.receive(w.packet(concatBytes(a.message, b.message).subarray(0, 341)));
    w.intake.receive(w.packet(new Uint8Array(0)));
    w.intake.receive(w.packet(new Uint8Array(171 * 201)));
    const broken = b.message.slice();
    broken[100] = (broken[100] ?? 0) ^ 1;
    w.send(a, { message: broken }, b, c);
    w.clock.advanceNow(5);
    const counted = new Map<VerdictCode, number>();
    for (const [code, n] of w.verdicts) counted.set(code, (counted.get(code) ?? 0) + n);
    expect(Object.fromEntries(counted)).toEqual({ [Reason.malformed]: 3, [Reason.badSignature]: 1, 0: 3 });
    expect(w.mark(meter.meterId)?.storedThrough).toBe(3n);
  });

  it('acknowledges at most four times a second, and always the last state', () => {
    const w = world();
    const log = new JournalBuilder(meter, signerOf(1)).honest(10, 9);
    for (const message of log) {
      w.send(message);
      w.clock.advanceNow(20);
    }
    w.clock.advanceNow(250);
    for (const [i, { at }] of w.acks.entries()) expect(at - (w.acks[i - 1]?.at ?? 0)).toBeGreaterThanOrEqual(250);
    expect(w.acks.length).toBeGreaterThan(4);
    expect(w.acks.at(-1)?.ack.meters.get(meter.meterId)?.storedThrough).toBe(BigInt(log.length));
    const times = w.acks.map(({ ack }) => ack.timeMs);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(new Set(times).size).toBe(times.length);
  });

  it('a failing disk is a storage failure: nothing is told, nothing stops, and the next send heals it', () => {
    let isBroken = true;
    const w = world((ledger) => ({
      ...bind(ledger),
      take: (arrivals, now) => {
        if (isBroken) throw new Error('database or disk is full');
        return ledger.take(arrivals, now);
      },
    }));
    const log = new JournalBuilder(meter, signerOf(1)).honest(1);
    for (let i = 0; i < 3; i++) {
      w.send(...log);
      w.clock.advanceNow(300);
    }
    expect(w.acks).toEqual([]);
    expect(w.intake.failures).toBe(3);
    expect(w.verdicts).toEqual(Array.from({ length: 3 }, () => [Reason.storageFailure, log.length]));
    expect(w.logger.lines).toHaveLength(1);
    isBroken = false;
    w.send(...log);
    w.clock.advanceNow(300);
    expect(w.intake.failures).toBe(0);
    expect(w.acks.at(-1)?.ack.meters.get(meter.meterId)?.storedThrough).toBe(BigInt(log.length));
  });

  it('a rolled back commit leaves nothing behind in memory', () => {
    const w = world();
    const log = new JournalBuilder(meter, signerOf(1)).honest(3);
    w.take(log.slice(0, 4));
    w.database.sqlite.exec(
      "CREATE TRIGGER full BEFORE INSERT ON messages BEGIN SELECT raise(ABORT, 'disk is full'); END",
    );
    expect(() => w.take(log.slice(4))).toThrow('disk is full');
    w.database.sqlite.exec('DROP TRIGGER full');
    expect(w.mark(meter.meterId)?.storedThrough).toBe(4n);
    w.take(log.slice(6));
    w.take(log.slice(4, 6));
    expect(w.mark(meter.meterId)?.storedThrough).toBe(BigInt(log.length));
    expect([...w.verdicts.values()].every(([code]) => code === 0)).toBe(true);
  });

  it('asks the registry about what it does not know, and decides with the answer', async () => {
    const w = world();
    w.registry.asOf = { chainSlot: 1, fetchedAtMs: 1 };
    const forged = signPayload(new JournalBuilder(meter, signerOf(1)).enrolment().payload, signerOf(99));
    w.registry.refresh = async () => {
      w.registry.refreshed++;
      w.registry.asOf = { chainSlot: 2, fetchedAtMs: w.clock.nowMs() + 1 };
    };
    w.send(forged);
    w.send(forged);
    await settle();
    expect(w.registry.refreshed).toBe(1);
    expect(w.ledger.waiting(10)).toEqual([]);
    expect(w.ledger.tell(GATEWAY).refused.map((r) => r.reason)).toEqual([Reason.badSignature]);
  });

  it('stores what was gathered when it stops, and takes nothing afterwards', () => {
    const w = world();
    const log = new JournalBuilder(meter, signerOf(1)).honest(1);
    w.send(...log.slice(0, 2));
    w.intake.stop();
    w.send(...log.slice(2));
    w.clock.advanceNow(1_000);
    expect(w.mark(meter.meterId)?.storedThrough).toBe(2n);
  });
});

describe('projector', () => {
  class Series implements TimeSeries {
    points: SeriesRow[] = [];
    failing = false;
    async write(points: readonly SeriesRow[]): Promise<void> {
      if (this.failing) throw new Error('away');
      this.points.push(...points);
    }
    async range(): Promise<SeriesRow[]> {
      return [];
    }
    async close(): Promise<void> {}
  }

  it('writes verified readings, keeps them while the store is away, and clears what it wrote', async () => {
    const w = world();
    const series = new Series();
    const projector = new Projector({
      ...{ ledger: w.ledger, series, setAside: { add() {}, count: () => 0 } },
      ...{ clock: w.clock, random: fixedRandom(), logger: w.logger },
    });
    series.failing = true;
    w.take(new JournalBuilder(meter, signerOf(1)).honest(2));
    projector.wake();
    for (let i = 0; i < 3; i++) {
      w.clock.advanceNow(2_000);
      await settle();
    }
    expect(series.points).toEqual([]);
    expect(w.ledger.outbox(100).points).toHaveLength(6);
    expect(w.logger.lines).toHaveLength(1);
    series.failing = false;
    w.clock.advanceNow(30_000);
    await settle();
    expect(series.points.map((p) => p.seq)).toEqual([2n, 3n, 4n, 6n, 7n, 8n]);
    expect(w.ledger.outbox(100)).toEqual({ through: 0, points: [] });
    await projector.stop();
    expect(w.clock.pending).toBe(0);
  });
});

/** Returns the methods of a class instance as own properties, so that a test can wrap one. */
function bind(ledger: Ledger): Ledger {
  return {
    id: ledger.id,
    take: ledger.take.bind(ledger),
    reconsider: ledger.reconsider.bind(ledger),
    waiting: ledger.waiting.bind(ledger),
    tell: ledger.tell.bind(ledger),
    gateways: ledger.gateways.bind(ledger),
    nextAckTime: ledger.nextAckTime.bind(ledger),
    outbox: ledger.outbox.bind(ledger),
    clearOutbox: ledger.clearOutbox.bind(ledger),
  };
}
