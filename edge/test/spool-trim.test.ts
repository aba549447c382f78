import { asMeterId, GapReason, toHex } from '@gridtokenx/protocol';
import { systemClock } from '@gridtokenx/runtime/node';
import { describe, expect, test } from 'vitest';
import { VERSION_RECORD } from '../src/adapters/spool/segment.js';
import { openSpool } from '../src/adapters/spool/spool.js';
import type { Disk, LostSeqs } from '../src/domain/ports.js';
import { SeqRuns } from '../src/domain/seq-runs.js';
import { SEGMENT_BYTES } from '../src/wiring/sizes.js';
import { METER_HEX, message } from './support/messages.js';
import { spoolPlaces } from './support/spool-place.js';

const _DIR = '/spool';
const kindOf = (seq: bigint) => (seq % 5n === 0n ? 'statement' : 'reading');

describe.each(['memory', 'node'] as const)('the bound of the spool on the %s disk', (kind) => {
  const place = spoolPlaces(kind);

  /** Appends 25,000 messages, every fifth a statement, in segments of 1 MiB. */
  const filled = async (disk: Disk, dir: string) => {
    const { spool } = await openSpool(disk, dir, systemClock, () => {}, SEGMENT_BYTES);
    for (let at = 1n; at <= 25_000n; at += 1000n) {
      await spool.append(Array.from({ length: 1000 }, (_, i) => message(at + BigInt(i), kindOf(at + BigInt(i)))));
    }
    return spool;
  };
  const seqsOf = (lost: readonly LostSeqs[]) =>
    SeqRuns.of(lost.map(({ first, last }) => ({ first: Number(first), last: Number(last) })));

  test('drops readings that are safe first, and nothing while there is room', async () => {
    const { disk, dir } = place();
    const spool = await filled(disk, dir);
    const before = spool.bytes();
    expect(before).toBe(25_000 * 187 + 5 * VERSION_RECORD.length);
    await spool.trim(before, () => 25_000n);
    expect(spool.bytes()).toBe(before);
    await spool.trim(before - 1, () => 8_000n);
    expect(spool.bytes()).toBeLessThan(before);
    expect([spool.has(METER_HEX, 1n), spool.has(METER_HEX, 5n)]).toEqual([false, true]);
    expect(spool.missing(METER_HEX, 8_001n, 25_000n)).toEqual([]);
    // A segment that is safe in part is rewritten without that part.
    await spool.trim(spool.bytes() - 1, () => 9_000n);
    expect(spool.missing(METER_HEX, 9_001n, 25_000n)).toEqual([]);
    expect(spool.has(METER_HEX, 8_999n)).toBe(false);
    expect(spool.takeLost()).toEqual([]);
    expect((await spool.read(METER_HEX, 9_001n, 20_000)).map(({ seq }) => seq)).toEqual(
      Array.from({ length: 16_000 }, (_, i) => BigInt(9_001 + i)),
    );
    await spool.close();
    const again = await openSpool(disk, dir, systemClock, () => {}, SEGMENT_BYTES);
    expect(again.damage).toEqual({ damagedBytes: 0, tornBytes: 0 });
    expect(again.spool.missing(METER_HEX, 9_001n, 25_000n)).toEqual([]);
  });

  test('then drops the oldest readings, and names those that no oracle has', async () => {
    const { disk, dir } = place();
    const spool = await filled(disk, dir);
    const bound = 3_500_000;
    await spool.trim(bound, () => 1_000n);
    expect(spool.bytes()).toBeLessThanOrEqual(bound);
    const lost = spool.takeLost();
    expect(new Set(lost.map(({ reason }) => reason))).toEqual(new Set([GapReason.thinned]));
    const gone = seqsOf(lost);
    await expect(gone.lowest).toBe(1_001);
    for (let seq = 1_001; seq <= 25_000; seq++) expect(spool.has(METER_HEX, BigInt(seq))).toBe(!gone.has(seq));
    expect(gone.has(1_005)).toBe(false);
    expect(spool.takeLost()).toEqual([]);
    // Statements stay, and so does the newest segment of readings.
    await spool.trim(0, () => 0n);
    expect(spool.count(METER_HEX, 1n, 25_000n)).toBeGreaterThan(5_000);
    expect(spool.has(METER_HEX, 24_999n)).toBe(true);
    await spool.close();
  });

  test('a meter that nobody acknowledges blocks nothing: its readings move together', async () => {
    const { disk, dir } = place();
    const idle = new Uint8Array(16).fill(9);
    const idleId = asMeterId(idle);
    const { spool } = await openSpool(disk, dir, systemClock, () => {}, 40_000);
    for (let at = 0n; at < 4_000n; at += 40n) {
      const own = Array.from({ length: 40 }, (_, i) => message(at + BigInt(i) + 1n));
      await spool.append([...own, message(at / 40n + 1n, 'reading', 1, idle)]);
    }
    await spool.trim(100_000, (meter) => (meter === idleId ? 0n : 3_990n));
    expect(spool.bytes()).toBeLessThanOrEqual(100_000);
    expect(spool.missing(idleId, 1n, 100n)).toEqual([]);
    expect(spool.takeLost()).toEqual([]);
    expect((await spool.read(idleId, 1n, 200)).map(({ bytes }) => toHex(bytes))).toEqual(
      Array.from({ length: 100 }, (_, i) => toHex(message(BigInt(i + 1), 'reading', 1, idle).bytes)),
    );
    await spool.close();
  });
});
