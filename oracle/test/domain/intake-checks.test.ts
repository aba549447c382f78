import { concatBytes } from '@gridtokenx/protocol';
import { GATEWAY, NOW_MS, testLedger, verifier } from '@gridtokenx/testing-kit/oracle/ledger';
import {
  FakeRegistry,
  JournalBuilder,
  meterOf,
  NETWORK,
  type Signed,
  signerOf,
  signPayload,
} from '@gridtokenx/testing-kit/signed-journal';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { describe, expect, it } from 'vitest';
import { inThread } from '../../src/adapters/sodium/in-thread.js';
import { Intake } from '../../src/domain/intake/intake.js';
import type { SignatureChecks, VerifyJob } from '../../src/domain/intake/ports.js';
import { testLogger } from '../support/time.js';

const meter = meterOf(1);

/** Answers checks when the test says so, in the test's order. */
class HeldChecks implements SignatureChecks {
  readonly threads = 1;
  readonly held: (() => void)[] = [];

  ask(jobs: readonly VerifyJob[], answered: (valid: readonly boolean[]) => void): void {
    this.held.push(() => inThread(verifier).ask(jobs, answered));
  }
  finish(): void {
    for (const answer of this.held.splice(0)) answer();
  }
  async close(): Promise<void> {}
}

function world() {
  const registry = new FakeRegistry(meter);
  const test = testLedger(registry);
  const clock = new VirtualClock({ startAtMs: 1_000_000 });
  const checks = new HeldChecks();
  /** Seqs in the order in which the ledger took them. */
  const taken: bigint[] = [];
  let stored = 0;
  const ledger = test.ledger;
  const take = ledger.take.bind(ledger);
  ledger.take = (arrivals, now) => {
    for (const { admission } of arrivals) if ('admitted' in admission) taken.push(admission.admitted.payload.seq);
    return take(arrivals, now);
  };
  const intake = new Intake({
    ledger,
    registry,
    verifier,
    checks,
    networkId: NETWORK,
    readingClock: { nowMs: () => NOW_MS },
    clock: clock,
    logger: testLogger(),
    onStored: () => stored++,
    onRegistry: () => undefined,
    onVerified: () => undefined,
    onCommit: () => undefined,
  });
  const send = (...messages: Signed[]) => {
    const bytes = concatBytes(...messages.map(({ message }) => message));
    intake.receive({ gateway: GATEWAY, meter: meter.meterId, stream: 'backfill', bytes });
  };
  return { ...test, registry, clock, checks, taken, intake, send, stored: () => stored };
}

describe('intake with signatures checked elsewhere', () => {
  const log = () => new JournalBuilder(meter, signerOf(1)).honest(1);

  it('stores and tells nothing before a signature is checked, however long that takes', () => {
    const w = world();
    w.send(...log());
    w.clock.advanceNow(60_000);
    expect([w.taken, w.stored(), w.mark(meter.meterId)]).toEqual([[], 0, undefined]);
    w.checks.finish();
    expect(w.stored()).toBe(0);
    w.clock.advanceNow(10);
    expect(w.stored()).toBe(1);
    expect(w.mark(meter.meterId)?.storedThrough).toBe(BigInt(log().length));
  });

  it('gives packets to the ledger as they came, in whatever order they are answered', () => {
    const w = world();
    const messages = log();
    for (const message of messages) w.send(message);
    for (const answer of w.checks.held.splice(0).reverse()) {
      expect(w.taken).toEqual([]);
      answer();
      w.clock.advanceNow(0);
    }
    w.clock.advanceNow(10);
    expect(w.taken).toEqual(messages.map((_, i) => BigInt(i + 1)));
  });

  it('does not take the answer about one key for another that the registry names meanwhile', () => {
    const w = world();
    const [enrolment] = log();
    if (!enrolment) throw new Error('no log');
    const stranger = signPayload(enrolment.payload, signerOf(9));
    w.send(enrolment, stranger);
    w.registry.set(meterOf(1, { key: signerOf(9).publicKey }));
    w.checks.finish();
    w.clock.advanceNow(10);
    // The checks found the old key's signature valid and the new key's signature invalid.
    expect(w.verdictOf(stranger)).toBe(0);
    expect(w.verdictOf(enrolment)).not.toBe(0);
  });

  it('control: the same without a change of the registry is judged the other way round', () => {
    const w = world();
    const [enrolment] = log();
    if (!enrolment) throw new Error('no log');
    const stranger = signPayload(enrolment.payload, signerOf(9));
    w.send(enrolment, stranger);
    w.checks.finish();
    w.clock.advanceNow(10);
    expect(w.verdictOf(enrolment)).toBe(0);
    expect(w.verdictOf(stranger)).not.toBe(0);
  });

  it('when it stops, what came is checked and stored', () => {
    const w = world();
    w.send(...log());
    w.intake.stop();
    expect(w.mark(meter.meterId)?.storedThrough).toBe(BigInt(log().length));
  });

  it('packets that wait are bounded', () => {
    const w = world();
    const [enrolment] = log();
    if (!enrolment) throw new Error('no log');
    let most = 0;
    for (let i = 0; i < 5_000; i++) {
      w.send(enrolment);
      most = Math.max(most, w.checks.held.length);
    }
    // One turn of the event loop; the rest waits in the queue, and messages without room are dropped.
    expect(most).toBe(500);
    w.clock.advanceNow(0);
    expect(w.intake.queue.waiting).toBeLessThanOrEqual(8_000);
    expect(w.intake.queue.refused).toBe(0);
    for (let i = 0; i < 15_000; i++) w.send(enrolment);
    expect(w.intake.queue.refused).toBeGreaterThan(0);
    // The intake opens no packet while 4,000 checks are pending.
    for (let turn = 0; turn < 20; turn++) w.clock.advanceNow(1);
    expect(w.checks.held.length).toBeLessThanOrEqual(4_000);
  });
});
