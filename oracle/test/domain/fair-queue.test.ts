import { concatBytes, type MeterId } from '@gridtokenx/protocol';
import { NOW_MS, testLedger, verifier } from '@gridtokenx/testing-kit/oracle/ledger';
import { FakeRegistry, JournalBuilder, meterOf, NETWORK, signerOf } from '@gridtokenx/testing-kit/signed-journal';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { describe, expect, it } from 'vitest';
import { inThread } from '../../src/adapters/sodium/in-thread.js';
import { FairQueue, MAX_QUEUED, MAX_QUEUED_OF_ONE } from '../../src/domain/intake/fair-queue.js';
import { Intake } from '../../src/domain/intake/intake.js';
import { testLogger } from '../support/time.js';

const item = (name: string, size = 1) => ({ name, size });
const drained = (queue: FairQueue<string, ReturnType<typeof item>>) => {
  const names: string[] = [];
  for (let next = queue.next(); next; next = queue.next()) names.push(next.name);
  return names;
};

describe('the queue of packets', () => {
  it('takes gateways in turn, and the packets of each in order', () => {
    const queue = new FairQueue<string, ReturnType<typeof item>>();
    for (let i = 0; i < 4; i++) queue.add('a', item(`a${i}`));
    queue.add('b', item('b0'));
    queue.add('c', item('c0'));
    queue.add('b', item('b1'));
    expect(drained(queue)).toEqual(['a0', 'b0', 'c0', 'a1', 'b1', 'a2', 'a3']);
    expect(queue.size).toBe(0);
  });

  it('has room for so many of one gateway and so many in all; who waits with most gives way', () => {
    const queue = new FairQueue<string, ReturnType<typeof item>>();
    const fill = (gateway: string) => {
      let taken = 0;
      while (queue.add(gateway, item(gateway, 200))) taken += 200;
      return taken;
    };
    expect(fill('a')).toBe(MAX_QUEUED_OF_ONE);
    for (const other of ['b', 'c', 'd', 'e', 'f', 'g', 'h']) fill(other);
    expect(queue.size).toBe(MAX_QUEUED);
    expect(queue.add('late', item('late', 1))).toBe(true);
    expect(queue.size).toBeLessThanOrEqual(MAX_QUEUED);
    expect(drained(queue)).toContain('late');
  });

  it('keeps order and sizes over many turns', () => {
    const queue = new FairQueue<string, ReturnType<typeof item>>();
    const seen: string[] = [];
    for (let i = 0; i < 1_000; i++) {
      queue.add('a', item(String(i)));
      if (i % 3 === 0) seen.push(queue.next()?.name ?? '');
    }
    seen.push(...drained(queue));
    expect(seen).toEqual(Array.from({ length: 1_000 }, (_, i) => String(i)));
  });
});

describe('intake between a flood and a neighbour', () => {
  it('looks at the neighbour in the next turn, and lets go of what does not fit', () => {
    const [one, two] = [meterOf(1), meterOf(2)];
    const registry = new FakeRegistry(one, two);
    const test = testLedger(registry);
    const clock = new VirtualClock({ startAtMs: 1_000_000 });
    const intake = new Intake({
      ...{ ledger: test.ledger, registry, verifier, networkId: NETWORK, clock: clock, logger: testLogger() },
      readingClock: { nowMs: () => NOW_MS },
      checks: inThread(verifier),
      onStored: () => {},
      onRegistry: () => {},
      onVerified: () => {},
      onCommit: () => {},
    });
    const [flood, quiet] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
    const log = new JournalBuilder(one, signerOf(1));
    const packet = concatBytes(...Array.from({ length: 200 }, () => log.reading({}, {}).message));
    const send = (gateway: Uint8Array, meter: MeterId, bytes: Uint8Array) =>
      intake.receive({ gateway, meter, stream: 'live' as never, bytes });
    for (let i = 0; i < 100; i++) send(flood, one.meterId, packet);
    expect(intake.queue.refused).toBeGreaterThan(0);
    const enrolment = new JournalBuilder(two, signerOf(2)).enrolment();
    send(quiet, two.meterId, enrolment.message);
    // One turn, and the commit after it.
    clock.advanceNow(0);
    clock.advanceNow(10);
    expect(test.verdictOf(enrolment)).toBe(0);
    intake.stop();
    expect(intake.queue.waiting).toBe(0);
  });
});
