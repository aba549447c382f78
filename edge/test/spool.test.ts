import { asMeterId, toHex } from '@gridtokenx/protocol';
import { systemClock } from '@gridtokenx/runtime/node';
import { CrashDisk, keepsTail } from '@gridtokenx/testing-kit/crash-disk';
import { settle, VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { decodeRecord, encodeRecord, scanSegment, tornRecordsIn } from '../src/adapters/spool/record.js';
import { openSpool } from '../src/adapters/spool/spool.js';
import type { Disk } from '../src/domain/ports.js';
import { SEGMENT_BYTES } from '../src/wiring/sizes.js';
import { METER_HEX, message } from './support/messages.js';
import { spoolPlaces } from './support/spool-place.js';

const DIR = '/spool';
const open = async (disk: Disk, dir = DIR) => {
  const visited: string[] = [];
  const opened = await openSpool(
    disk,
    dir,
    new VirtualClock(),
    ({ bytes }) => visited.push(toHex(bytes)),
    SEGMENT_BYTES,
  );
  return { ...opened, visited };
};
const kindOf = (seq: bigint) => (seq % 5n === 0n ? 'statement' : 'reading');

describe('a record', () => {
  test('that is torn counts as one, however little is left of it', () => {
    const whole = encodeRecord(1n, new Uint8Array(171)).length;
    expect([0, 1, whole, whole + 1, 3 * whole].map(tornRecordsIn)).toEqual([0, 1, 1, 2, 3]);
  });

  test('has these bytes', () => {
    expect(toHex(encodeRecord(0x0102n, Uint8Array.of(0xaa, 0xbb)))).toBe('475302006f925ff80201000000000000aabb');
  });

  test('is found again, and never with another content', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
        fc.uint8Array({ minLength: 1, maxLength: 300 }),
        (seq, bytes) => {
          const record = encodeRecord(seq, bytes);
          expect(decodeRecord(record, 0)).toMatchObject({ seq, bytes, length: record.length });
          for (let cut = 0; cut < record.length; cut += 7) expect(decodeRecord(record.slice(0, cut), 0)).toBeNull();
        },
      ),
    );
    expect(() => encodeRecord(1n, new Uint8Array(0))).toThrow(RangeError);
    expect(() => encodeRecord(1n, new Uint8Array(5000))).toThrow(RangeError);
  });

  test('with any bit flipped is none', () => {
    const record = encodeRecord(7n, message(7n).bytes);
    for (let bit = 0; bit < record.length * 8; bit += 3) {
      const damaged = record.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(decodeRecord(damaged, 0), `bit ${bit}`).toBeNull();
    }
  });

  test('is found after damage, and a torn tail is measured', () => {
    const [a, b] = [encodeRecord(1n, message(1n).bytes), encodeRecord(2n, message(2n).bytes)];
    const scan = scanSegment(Buffer.concat([a, Uint8Array.of(0x47, 0x53, 1, 2, 3), b, a.slice(0, 100)]));
    expect(scan.records.map(({ seq }) => seq)).toEqual([1n, 2n]);
    expect(scan).toMatchObject({ damagedBytes: 5, tornBytes: 100, validLength: 2 * a.length + 5 });
  });
});

describe.each(['memory', 'node'] as const)('the spool on the %s disk', (kind) => {
  const place = spoolPlaces(kind);

  test('gives back what was appended, by meter and seq, also after it was opened again', async () => {
    const { disk, dir } = place();
    const { spool } = await openSpool(disk, dir, systemClock, () => {}, SEGMENT_BYTES);
    const other = new Uint8Array(16).fill(9);
    const otherId = asMeterId(other);
    const all = Array.from({ length: 300 }, (_, i) => BigInt(i + 1));
    await Promise.all(all.map((seq) => spool.append([message(seq, kindOf(seq)), message(seq, 'reading', 1, other)])));
    const check = async (from: typeof spool) => {
      const records = await from.read(METER_HEX, 11n, 50);
      expect(records.map(({ seq }) => seq)).toEqual(all.slice(10, 60));
      expect(records[4]).toEqual(message(15n, 'statement'));
      expect([from.highest(METER_HEX), from.highest(asMeterId('00'.repeat(16)))]).toEqual([300n, 0n]);
      expect([from.count(METER_HEX, 10n, 19n), from.has(METER_HEX, 300n), from.has(METER_HEX, 301n)]).toEqual([
        10,
        true,
        false,
      ]);
      expect((await from.read(otherId, 1n, 1000)).length).toBe(300);
    };
    await check(spool);
    const bytes = spool.bytes();
    await spool.close();
    const visited: bigint[] = [];
    const again = await openSpool(disk, dir, systemClock, ({ seq }) => visited.push(seq), SEGMENT_BYTES);
    expect(visited.length).toBe(600);
    expect(again.damage).toMatchObject({ damagedBytes: 0, tornBytes: 0 });
    expect(again.spool.bytes()).toBe(bytes);
    await check(again.spool);
    await again.spool.append([message(303n)]);
    expect(again.spool.missing(METER_HEX, 290n, 305n)).toEqual([
      { first: 301n, last: 302n },
      { first: 304n, last: 305n },
    ]);
    await again.spool.close();
  });
});

/** Appends in batches until the power fails; returns the seqs that had been acknowledged as committed. */
async function writeUntilCut(
  disk: CrashDisk,
  batches: readonly number[],
): Promise<{ committed: bigint[]; begun: bigint }> {
  const committed: bigint[] = [];
  let seq = 0n;
  try {
    const { spool } = await open(disk);
    for (const size of batches) {
      const seqs = Array.from({ length: size }, () => ++seq);
      void spool.append(seqs.map((s) => message(s, kindOf(s)))).then(() => committed.push(...seqs));
      if (size % 2 === 0) await settle();
    }
    await settle();
  } catch (error) {
    expect((error as { code?: string }).code).toBe('EPOWER');
  }
  return { committed, begun: seq };
}

async function lostAfterCut(
  lying: boolean,
  batches: number[],
  fuse: number,
  keep: number,
  garbage: boolean,
): Promise<bigint[]> {
  const disk = new CrashDisk();
  disk.isLying = lying;
  disk.fuse = fuse;
  const { committed, begun } = await writeUntilCut(disk, batches);
  disk.restart(keepsTail((unsynced) => Math.floor(unsynced * keep), garbage));
  const { spool, visited } = await open(disk);
  const found = await spool.read(METER_HEX, 0n, 100_000);
  for (const one of found) expect(one).toEqual(message(one.seq, kindOf(one.seq)));
  expect(found.every(({ seq }) => seq <= begun)).toBe(true);
  expect(new Set(visited).size).toBe(found.length);
  const next = begun + 1n;
  await spool.append([message(next)]);
  expect(spool.highest(METER_HEX)).toBe(next);
  const seqs = new Set(found.map(({ seq }) => seq));
  return committed.filter((seq) => !seqs.has(seq));
}

const cut = fc.tuple(
  fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 8 }),
  fc.integer({ min: 1, max: 40 }),
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.boolean(),
);

describe('a power cut', () => {
  test('at any moment loses nothing that was committed, and what is found is what was written', async () => {
    await fc.assert(
      fc.asyncProperty(cut, async ([batches, fuse, keep, garbage]) => {
        expect(await lostAfterCut(false, batches, fuse, keep, garbage)).toEqual([]);
      }),
      { numRuns: 400 },
    );
  });

  test('control: with syncs that do nothing the same check sees losses', async () => {
    const lost: bigint[] = [];
    for (let fuse = 3; fuse < 15; fuse++) lost.push(...(await lostAfterCut(true, [3, 2, 4, 6, 2], fuse, 0, false)));
    expect(lost.length).toBeGreaterThan(0);
  });

  test('leaves a spool that opens whatever the files hold', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 600 }), fc.nat({ max: 400 }), async (noise, at) => {
        const good = Buffer.concat([1n, 2n, 3n].map((seq) => encodeRecord(seq, message(seq).bytes)));
        const bytes = Buffer.concat([good.subarray(0, at), noise, good.subarray(at)]);
        const disk = CrashDisk.fromImage(new Map([[`${DIR}/r-00000001.seg`, bytes]]));
        const { spool } = await open(disk);
        await spool.append([message(9n)]);
        const { spool: again } = await open(disk);
        expect(again.has(METER_HEX, 9n)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});

test('a full disk is waited for, reported, and loses nothing', async () => {
  const disk = new CrashDisk();
  const time = new VirtualClock();
  const { spool } = await openSpool(disk, DIR, time, () => {}, SEGMENT_BYTES);
  await spool.append([message(1n)]);
  disk.failing = 'ENOSPC';
  let done = false;
  const waiting = spool.append([message(2n), message(3n)]).then(() => {
    done = true;
  });
  await time.advance(5_000);
  expect(done).toBe(false);
  expect(spool.problem()).toContain('full');
  disk.failing = null;
  await time.advance(11_000);
  await waiting;
  expect(spool.problem()).toBeNull();
  disk.restart(keepsTail(() => 0));
  const { spool: again } = await open(disk);
  expect((await again.read(METER_HEX, 1n, 9)).map(({ seq }) => seq)).toEqual([1n, 2n, 3n]);
});

test('readings wait for others, statements do not and take them along', async () => {
  const [disk, time] = [new CrashDisk(), new VirtualClock()];
  const { spool } = await openSpool(disk, DIR, time, () => {}, SEGMENT_BYTES, { commitMs: 1_000 });
  const done: bigint[] = [];
  const append = (seq: bigint, kind: 'reading' | 'statement') =>
    spool.append([message(seq, kind)]).then(() => done.push(seq));
  void append(1n, 'reading');
  await time.advance(900);
  void append(2n, 'reading');
  expect([done, spool.written().syncs]).toEqual([[], 0]);
  await time.advance(100);
  expect([done, spool.written().syncs]).toEqual([[1n, 2n], 1]);
  void append(3n, 'reading');
  await time.advance(10);
  void append(4n, 'statement');
  await time.settle();
  expect([done, spool.written().syncs]).toEqual([[1n, 2n, 3n, 4n], 3]);
  void append(5n, 'reading');
  await spool.close();
  expect(done).toContain(5n);
});
