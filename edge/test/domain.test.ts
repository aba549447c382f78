import {
  type Ack,
  asPublicKeyText,
  asWindow,
  type PublicKeyText,
  Quality,
  Reason,
  toHex,
  windowEndAtMs,
  windowOf,
} from '@gridtokenx/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AckTracker } from '../src/domain/delivery/ack-tracker.js';

import { nextPollAtMs } from '../src/domain/metering/schedule.js';
import { SEQ_BLOCK, SeqAllocator } from '../src/domain/signing/seq.js';
import { WindowTracker } from '../src/domain/signing/windows.js';

import { METER_HEX } from './support/messages.js';

describe('seqs', () => {
  test('are reserved before they are handed out, in blocks, and a failed reservation uses none', async () => {
    const reserved: bigint[] = [];
    let failing = false;
    const seqs = new SeqAllocator(10n, async (through) => {
      if (failing) throw new Error('disk');
      reserved.push(through);
    });
    for (let i = 0n; i < SEQ_BLOCK; i++) expect(await seqs.reserve()).toBe(11n + i);
    expect(reserved).toEqual([10n + SEQ_BLOCK]);
    failing = true;
    await expect(seqs.reserve()).rejects.toThrow('disk');
    failing = false;
    expect(await seqs.reserve()).toBe(11n + SEQ_BLOCK);
    await expect(seqs.continueAt(5n)).rejects.toThrow(RangeError);
    await seqs.continueAt(5000n);
    expect([await seqs.reserve(), reserved.at(-1)]).toEqual([5000n, 4999n + SEQ_BLOCK]);
  });
});

describe('when a meter is polled', () => {
  const plan = { pollMs: 60_000, leadMs: 20_000 };
  const start = Date.UTC(2026, 0, 1);

  test('on the grid, and once just before each boundary', () => {
    const times: number[] = [];
    let [now, last] = [start + 1, null as number | null];
    while (times.length < 17) {
      const due = nextPollAtMs(now, last, plan);
      expect(due).toBeGreaterThanOrEqual(now);
      now = due;
      times.push((due - start) / 1000);
      last = due + 100;
      now = last;
    }
    expect(times).toEqual([60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 660, 720, 780, 840, 880, 900, 960]);
  });

  test('a boundary poll that failed or was overslept is due at once while the window runs', () => {
    expect(nextPollAtMs(start + 885_000, start + 840_000, plan)).toBe(start + 885_000);
    expect(nextPollAtMs(start + 885_000, null, plan)).toBe(start + 885_000);
    expect(nextPollAtMs(start + 885_000, start + 881_000, plan)).toBe(start + 900_000);
    expect(nextPollAtMs(start + 900_000, start + 840_000, plan)).toBe(start + 960_000);
  });

  test('whatever the period, every window that is watched throughout has a reading near its end', () => {
    const periods = fc.integer({ min: 1, max: 900 });
    fc.assert(
      fc.property(
        periods,
        fc.integer({ min: 1, max: 60 }),
        fc.nat({ max: 899_999 }),
        (pollSeconds, leadSeconds, offset) => {
          const own = { pollMs: pollSeconds * 1000, leadMs: leadSeconds * 1000 };
          let [now, last] = [start + offset, null as number | null];
          const end = start + 4 * 900_000;
          const near = new Set<number>();
          while (now < end) {
            now = nextPollAtMs(now, last, own);
            last = now;
            if (windowEndAtMs(windowOf(now)) - now <= 60_000) near.add(windowOf(now));
            now += 1;
          }
          expect(near.size).toBeGreaterThanOrEqual(4);
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe('windows', () => {
  test('a reading at the boundary belongs to the next window', () => {
    const quarantine = new WindowTracker(asWindow(0));
    const reading = { steadyMs: null, uncertaintyMs: 1, importWh: 1n, exportWh: 1n, quality: 64 };
    quarantine.add({ ...reading, timeMs: 900_000 * 10 - 1 });
    quarantine.add({ ...reading, timeMs: 900_000 * 10, importWh: 9n });
    expect(quarantine.open.map(({ window, importWh }) => [window, importWh])).toEqual([
      [9, 1n],
      [10, 9n],
    ]);
    expect(quarantine.due(900_000 * 10 - 1)).toBeNull();
    expect(quarantine.due(900_000 * 10)?.window).toBe(9);
  });

  test('a silence of more than three polls is a gap in the window it ends in', () => {
    const quarantine = new WindowTracker(asWindow(0), 180_000);
    const reading = { steadyMs: null, uncertaintyMs: 1, importWh: 1n, exportWh: 1n, quality: 64 };
    for (const timeMs of [9_000_000, 9_180_000, 9_840_000, 9_900_000]) quarantine.add({ ...reading, timeMs });
    expect(quarantine.open.map(({ window, quality }) => [window, quality])).toEqual([
      [10, 64 | Quality.gap],
      [11, 64],
    ]);
  });

  test('near the end means at most 60 s before it', () => {
    const reading = { steadyMs: null, uncertaintyMs: 1, importWh: 1n, exportWh: 1n, quality: 0 };
    for (const [before, quality] of [
      [60_000, 0],
      [60_001, 1],
    ] as const) {
      const quarantine = new WindowTracker(asWindow(0));
      quarantine.add({ ...reading, timeMs: 900_000 * 10 - before });
      expect(quarantine.due(900_000 * 10)?.quality).toBe(quality);
    }
  });
});

const [A, B, C] = [1, 2, 3].map((n) => asPublicKeyText(new Uint8Array(32).fill(n))) as [
  PublicKeyText,
  PublicKeyText,
  PublicKeyText,
];
const oracles = [A, B, C];
const ack = (timeMs: number, stored: bigint, change: Partial<Ack> = {}): Ack => ({
  ledgerId: new Uint8Array(16).fill(1),
  timeMs,
  gateway: new Uint8Array(32),
  meters: new Map([
    [METER_HEX, { storedThrough: stored, highestSeen: stored + 2n, highestWindow: asWindow(Number(stored)) }],
  ]),
  refused: [],
  ...change,
});

describe('acks', () => {
  test('acknowledged is what the threshold of oracles has stored', () => {
    const quarantine = new AckTracker(oracles, 2);
    expect(quarantine.acknowledged(METER_HEX)).toBe(0n);
    quarantine.accept(A, ack(1, 10n));
    expect(quarantine.acknowledged(METER_HEX)).toBe(0n);
    quarantine.accept(B, ack(1, 7n));
    expect(quarantine.acknowledged(METER_HEX)).toBe(7n);
    quarantine.accept(C, ack(1, 9n));
    expect(quarantine.acknowledged(METER_HEX)).toBe(9n);
    expect(quarantine.highest(METER_HEX)).toEqual({ storedThrough: 10n, highestSeen: 12n, highestWindow: 10 });
    expect(() => new AckTracker(oracles, 4)).toThrow(RangeError);
  });

  test('an older ack says nothing, a new ledger or a lower watermark is noticed', () => {
    const quarantine = new AckTracker(oracles, 1);
    expect(quarantine.accept(A, ack(5, 10n))).toBe('newer');
    expect(quarantine.accept(A, ack(5, 3n))).toBe('same');
    expect(quarantine.accept(A, ack(4, 3n))).toBe('older');
    expect(quarantine.acknowledged(METER_HEX)).toBe(10n);
    expect(quarantine.accept(A, ack(6, 11n))).toBe('newer');
    expect(quarantine.accept(A, ack(7, 4n))).toBe('fallen-back');
    expect(quarantine.acknowledged(METER_HEX)).toBe(4n);
    expect(quarantine.accept(A, ack(8, 4n, { ledgerId: new Uint8Array(16) }))).toBe('fallen-back');
    expect(quarantine.accept(A, ack(9, 0n, { ledgerId: new Uint8Array(16), meters: new Map() }))).toBe('fallen-back');
  });

  test('a message is dead only when the threshold can no longer be reached', () => {
    const quarantine = new AckTracker(oracles, 2);
    const hash = new Uint8Array(16).fill(5);
    const refused = [{ hash, reason: Reason.registerFell }];
    // A message that the gateway sends again is not refused, even where an oracle lists it.
    for (const oracle of [A, B]) {
      quarantine.accept(oracle, ack(0, 0n, { refused: [{ hash, reason: Reason.overQuota }] }));
    }
    expect(quarantine.isDead(toHex(hash))).toBe(false);
    quarantine.accept(A, ack(1, 0n, { refused }));
    expect(quarantine.isDead(toHex(hash))).toBe(false);
    quarantine.accept(B, ack(1, 0n, { refused }));
    expect(quarantine.isDead(toHex(hash))).toBe(true);
    quarantine.accept(B, ack(2, 0n));
    expect(quarantine.isDead(toHex(hash))).toBe(false);
  });

  test('survive a restart as they were; damage and unknown oracles are passed over', () => {
    const quarantine = new AckTracker(oracles, 1);
    quarantine.accept(A, ack(5, 10n));
    const again = new AckTracker(oracles, 1);
    again.restore(quarantine.encode());
    expect([again.acknowledged(METER_HEX), again.accept(A, ack(4, 1n))]).toEqual([10n, 'older']);
    const other = new AckTracker([B], 1);
    other.restore(quarantine.encode());
    expect(other.acknowledged(METER_HEX)).toBe(0n);
    for (const text of [
      '',
      '{}',
      `{"oracles":[{"oracle":"${A}","time_ms":1,"ledger_id":"00","meters":[["x","y"]]}]}`,
    ]) {
      const damaged = new AckTracker(oracles, 1);
      damaged.restore(text);
      expect(damaged.acknowledged(METER_HEX)).toBe(0n);
    }
  });
});
