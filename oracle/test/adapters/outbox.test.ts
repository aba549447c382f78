import { GATEWAY, testLedger } from '@gridtokenx/testing-kit/oracle/ledger';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { FakeRegistry, JournalBuilder, meterOf, signerOf } from '@gridtokenx/testing-kit/signed-journal';
import { fixedRandom, VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { describe, expect, it } from 'vitest';
import { AckSender } from '../../src/domain/intake/ack-sender.js';
import { Projector } from '../../src/domain/live/projector.js';
import type { SeriesRow } from '../../src/domain/ports.js';

const [one, two] = [meterOf(1), meterOf(2)];
const nowhere = { add() {}, count: () => 0 };

describe('the outbox while the registry is away', () => {
  it('stops before the first verified reading whose meter is not known yet', () => {
    const registry = new FakeRegistry(one, two);
    const { ledger, take } = testLedger(registry);
    take(new JournalBuilder(one, signerOf(1)).honest(1, 2));
    take(new JournalBuilder(two, signerOf(2)).honest(1, 3));
    registry.remove(two.meterId);
    const page = ledger.outbox(100);
    expect(page.points.map((point) => point.meterId)).toEqual([one.meterId, one.meterId]);
    ledger.clearOutbox(page.through);
    expect(ledger.outbox(100)).toEqual({ through: 0, points: [] });
    registry.set(two);
    expect(ledger.outbox(100).points).toHaveLength(3);
  });

  it('has a reading again when its verdict is revised, and says that it is verified no longer', () => {
    const registry = new FakeRegistry(one, two);
    const { ledger, take } = testLedger(registry);
    const log = new JournalBuilder(one, signerOf(1));
    const honest = log.honest(1, 4);
    take(honest);
    const first = ledger.outbox(100);
    expect(first.points.map(({ seq, isVerified }) => [seq, isVerified])).toEqual(
      [2n, 3n, 4n, 5n].map((seq) => [seq, true]),
    );
    ledger.clearOutbox(first.through);
    // Another reading under the third one's number: the key is suspended from there on.
    log.seq = 3n;
    take([log.reading({ powerW: 77 })]);
    const revised = ledger.outbox(100);
    expect(revised.points.map(({ seq, isVerified }) => [seq, isVerified])).toEqual([
      [4n, false],
      [5n, false],
    ]);
    registry.remove(one.meterId);
    expect(ledger.outbox(100)).toEqual({ through: 0, points: [] });
  });

  it('after a restart every pending reading reaches the series once the registry is there', async () => {
    const registry = new FakeRegistry(one);
    const { ledger, take } = testLedger(registry);
    take(new JournalBuilder(one, signerOf(1)).honest(2, 5));
    registry.remove(one.meterId);
    const written: SeriesRow[] = [];
    const series = {
      write: async (points: readonly SeriesRow[]) => void written.push(...points),
      range: async () => [],
      close: async () => {},
    };
    const deps = { ledger, series, setAside: nowhere, random: fixedRandom(), logger: quietLog };
    const projector = new Projector({ ...deps, clock: new VirtualClock() });
    await projector.stop();
    expect(written).toHaveLength(0);
    registry.set(one);
    await new Projector({ ...deps, clock: new VirtualClock() }).stop();
    expect(written).toHaveLength(10);
  });
});

describe('acks while the registry is away', () => {
  it('says nothing rather than no meters, and everything once it is there', () => {
    const registry = new FakeRegistry(one);
    const { ledger, take } = testLedger(registry);
    const log = new JournalBuilder(one, signerOf(1)).honest(1);
    take(log);
    registry.remove(one.meterId);
    const clock = new VirtualClock({ startAtMs: 1_000 });
    const sent: Uint8Array[] = [];
    let isReady = false;
    const acks = new AckSender({
      ledger,
      signer: signerOf(9),
      clock: clock,
      logger: quietLog,
      canTell: () => isReady,
      publish: (_, message) => {
        sent.push(message);
        return true;
      },
      onSent: () => {},
    });
    acks.mark(GATEWAY);
    for (let i = 0; i < 5; i++) clock.advanceNow(1_000);
    expect(sent).toHaveLength(0);
    registry.set(one);
    isReady = true;
    clock.advanceNow(1_000);
    expect(sent).toHaveLength(1);
    expect(ledger.tell(GATEWAY).meters.get(one.meterId)?.storedThrough).toBe(BigInt(log.length));
  });

  it('a stop before that sends nothing either', () => {
    const { ledger } = testLedger(new FakeRegistry(one));
    const sent: Uint8Array[] = [];
    const acks = new AckSender({
      ledger,
      signer: signerOf(9),
      clock: new VirtualClock({ startAtMs: 1_000 }),
      logger: quietLog,
      canTell: () => false,
      publish: (_, message) => sent.push(message) > 0,
      onSent: () => {},
    });
    acks.mark(GATEWAY);
    acks.stop();
    expect(sent).toHaveLength(0);
  });
});
