import { asMeterId, Kind } from '@gridtokenx/protocol';
import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { describe, expect, test } from 'vitest';
import { openSpool } from '../src/adapters/spool/spool.js';
import type { Lag } from '../src/domain/delivery/catch-up.js';
import { MAX_IN_FLIGHT } from '../src/domain/delivery/resend.js';
import { SendScheduler } from '../src/domain/delivery/send-scheduler.js';
import { SEGMENT_BYTES } from '../src/wiring/sizes.js';
import { METER_HEX, message } from './support/messages.js';

describe('what is sent', () => {
  const setUp = async (count: number, acknowledged = 0n) => {
    const { spool } = await openSpool(new CrashDisk(), '/spool', new VirtualClock(), () => {}, SEGMENT_BYTES);
    const state = { acknowledged, excluded: new Set<bigint>(), lag: null as Lag | null };
    const outbox = new SendScheduler({
      spool,
      meters: [METER_HEX],
      acknowledged: () => state.acknowledged,
      excluded: (_meter, seq) => state.excluded.has(seq),
      lag: () => state.lag,
    });
    let next = 0n;
    const write = async (number: number) => {
      const seqs = Array.from({ length: number }, () => ++next);
      await spool.append(seqs.map((seq) => message(seq)));
      for (const seq of seqs) outbox.committed(message(seq));
    };
    await write(count);
    const drain = async () => {
      const sent: { live: boolean; seqs: number[] }[] = [];
      for (let packet = await outbox.next(); packet; packet = await outbox.next()) {
        sent.push({ live: packet.live, seqs: packet.messages.map(({ seq }) => Number(seq)) });
      }
      return sent;
    };
    return { outbox, state, write, drain, spool };
  };
  const seqsOf = (sent: { seqs: number[] }[]) => sent.flatMap(({ seqs }) => seqs);
  const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

  test('nothing while not connected; then what is beyond the watermark as backfill, and new records once, live', async () => {
    const { outbox, state, write, drain } = await setUp(450, 20n);
    expect(await drain()).toEqual([]);
    outbox.connected(0);
    const first = await drain();
    expect(first.map(({ live, seqs }) => [live, seqs.length])).toEqual([
      [false, 200],
      [false, 200],
      [false, 30],
    ]);
    expect(seqsOf(first)).toEqual(range(21, 450));
    await write(3);
    expect(await drain()).toEqual([{ live: true, seqs: [451, 452, 453] }]);
    state.acknowledged = 453n;
    expect(outbox.checkProgress(1)).toBe(false);
    expect(await drain()).toEqual([]);
  });

  test('as backfill, statements of all meters go first, and meters take turns', async () => {
    const { spool } = await openSpool(new CrashDisk(), '/spool', new VirtualClock(), () => {}, SEGMENT_BYTES);
    const other = new Uint8Array(16).fill(9);
    const otherId = asMeterId(other);
    for (let seq = 1n; seq <= 900n; seq++) {
      const kind = seq % 90n === 0n ? 'statement' : 'reading';
      await spool.append([message(seq, kind), message(seq, kind, 1, other)]);
    }
    const outbox = new SendScheduler({
      ...{ spool, meters: [METER_HEX, otherId], excluded: () => false, lag: () => null },
      acknowledged: () => 100n,
    });
    outbox.connected(0);
    const sent: [meter: string, kind: number, count: number][] = [];
    for (let packet = await outbox.next(); packet; packet = await outbox.next()) {
      const kinds = new Set(packet.messages.map(({ kind }) => kind));
      expect(kinds.size).toBe(1);
      sent.push([
        packet.meterId === otherId ? 'other' : 'first',
        packet.messages[0]?.kind ?? 0,
        packet.messages.length,
      ]);
    }
    expect(sent.slice(0, 2)).toEqual([
      ['first', Kind.statement, 9],
      ['other', Kind.statement, 9],
    ]);
    expect(sent.slice(2).map(([meter]) => meter)).toEqual([
      'first',
      'other',
      'first',
      'other',
      'first',
      'other',
      'first',
      'other',
    ]);
    expect(sent.reduce((sum, [, , count]) => sum + count, 0)).toBe(1_600);
  });

  test('at most 4,000 in flight beyond the watermark, live not counted', async () => {
    const { outbox, state, write, drain } = await setUp(MAX_IN_FLIGHT + 500);
    outbox.connected(0);
    expect(seqsOf(await drain())).toEqual(range(1, MAX_IN_FLIGHT));
    await write(1);
    expect(seqsOf(await drain())).toEqual([MAX_IN_FLIGHT + 501]);
    state.acknowledged = 300n;
    expect(seqsOf(await drain())).toEqual(range(MAX_IN_FLIGHT + 1, MAX_IN_FLIGHT + 300));
  });

  test('without progress for 10 s everything beyond the watermark goes again, with back-off, then only its start', async () => {
    const { outbox, state, drain } = await setUp(300);
    outbox.connected(0);
    await drain();
    state.acknowledged = 100n;
    expect(outbox.checkProgress(9_000)).toBe(false);
    expect(outbox.checkProgress(18_999)).toBe(false);
    expect(outbox.checkProgress(19_000)).toBe(true);
    expect(seqsOf(await drain())).toEqual(range(101, 300));
    expect(outbox.checkProgress(29_000)).toBe(false);
    expect(outbox.checkProgress(39_000)).toBe(true);
    expect(seqsOf(await drain())).toEqual(range(101, 300));
    state.acknowledged = 300n;
    expect(outbox.checkProgress(500_000)).toBe(false);
    expect(await drain()).toEqual([]);
  });

  test('a ledger that fell back gets everything again from its watermark', async () => {
    const { outbox, state, drain } = await setUp(50, 40n);
    outbox.connected(0);
    expect(seqsOf(await drain())).toEqual(range(41, 50));
    state.acknowledged = 0n;
    outbox.fallenBack(1);
    expect(seqsOf(await drain())).toEqual(range(1, 50));
  });

  test('an oracle that lags behind enough others gets what it lacks, behind everything else', async () => {
    const { outbox, state, write, drain } = await setUp(450, 440n);
    state.lag = { from: 0n, through: 440n };
    state.excluded = new Set([7n]);
    outbox.connected(0);
    outbox.checkProgress(0);
    await write(1);
    const sent = await drain();
    expect(sent.slice(0, 2).map(({ live, seqs }) => [live, seqs[0]])).toEqual([
      [true, 451],
      [false, 441],
    ]);
    expect(seqsOf(sent.slice(2))).toEqual(range(1, 440).filter((seq) => seq !== 7));
    outbox.checkProgress(5_000);
    expect(await drain()).toEqual([]);
  });

  test('it is sent what came after that, again what did not help with back-off, and nothing more once it has all', async () => {
    const { outbox, state, drain } = await setUp(900, 900n);
    state.lag = { from: 0n, through: 600n };
    outbox.connected(0);
    outbox.checkProgress(0);
    expect(seqsOf(await drain())).toEqual(range(1, 600));
    state.lag = { from: 600n, through: 900n };
    outbox.checkProgress(1_000);
    expect(seqsOf(await drain())).toEqual(range(601, 900));
    for (const [nowMs, count] of [
      [10_999, 0],
      [11_000, 300],
      [30_999, 0],
      [31_000, 200],
      [70_000, 0],
      [71_000, 200],
    ] as const) {
      outbox.checkProgress(nowMs);
      expect(seqsOf(await drain()), `${nowMs}`).toEqual(count === 0 ? [] : range(601, 600 + count));
    }
    state.lag = { from: 10n, through: 900n };
    outbox.checkProgress(72_000);
    expect(seqsOf(await drain())).toEqual(range(11, 900));
    state.lag = null;
    outbox.checkProgress(500_000);
    expect(await drain()).toEqual([]);
  });

  test('at most 4,000 are on their way to the one that lags', async () => {
    const { outbox, state, drain } = await setUp(MAX_IN_FLIGHT + 500, BigInt(MAX_IN_FLIGHT + 500));
    state.lag = { from: 0n, through: BigInt(MAX_IN_FLIGHT + 500) };
    outbox.connected(0);
    outbox.checkProgress(0);
    expect(seqsOf(await drain())).toEqual(range(1, MAX_IN_FLIGHT));
    state.lag = { from: 300n, through: BigInt(MAX_IN_FLIGHT + 500) };
    outbox.checkProgress(1_000);
    expect(seqsOf(await drain())).toEqual(range(MAX_IN_FLIGHT + 1, MAX_IN_FLIGHT + 300));
  });

  test('what is excluded is left out, live and as backfill', async () => {
    const { outbox, state, write, drain } = await setUp(10);
    state.excluded = new Set([3n, 4n, 12n]);
    outbox.connected(0);
    await write(3);
    expect(seqsOf(await drain()).sort((a, b) => a - b)).toEqual([1, 2, 5, 6, 7, 8, 9, 10, 11, 13]);
  });

  test('more live messages than fit are taken from the spool later, none is left out', async () => {
    const { outbox, write, drain } = await setUp(5);
    outbox.connected(0);
    await drain();
    await write(2_500);
    expect(new Set(seqsOf(await drain()))).toEqual(new Set(range(6, 2_505)));
  });
});
