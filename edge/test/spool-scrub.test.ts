import { GapReason, toHex } from '@gridtokenx/protocol';
import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bytesOf, VERSION_RECORD } from '../src/adapters/spool/segment.js';
import { openSpool } from '../src/adapters/spool/spool.js';
import { METER_HEX, message } from './support/messages.js';

const DIR = '/spool';
const RECORDS = 40;
const kindOf = (seq: bigint) => (seq % 7n === 0n ? 'statement' : 'reading');

async function filled() {
  const disk = new CrashDisk();
  const { spool } = await openSpool(disk, DIR, new VirtualClock(), () => {}, bytesOf(5));
  for (let seq = 1n; seq <= RECORDS; seq++) await spool.append([message(seq, kindOf(seq))]);
  return { disk, spool };
}
const scrubbed = async (spool: { scrub(): Promise<void> }) => {
  for (let i = 0; i < 20; i++) await spool.scrub();
};
const flip = (disk: CrashDisk, path: string, bit: number) => {
  const file = disk.files.get(path);
  if (file) file.cache[bit >> 3] = (file.cache[bit >> 3] ?? 0) ^ (1 << (bit & 7));
};

test('a flipped bit of a closed segment is found by the scrub, once, and costs one record', async () => {
  const closed = ['r-00000001', 'r-00000003', 's-00000001'];
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...closed), fc.nat({ max: 8 * bytesOf(5) - 1 }), async (name, bit) => {
      const { disk, spool } = await filled();
      flip(disk, `${DIR}/${name}.seg`, bit);
      await scrubbed(spool);
      const lost = spool.takeLost();
      // A bit of the version record costs nothing.
      expect(lost).toHaveLength(bit < 8 * VERSION_RECORD.length ? 0 : 1);
      for (const { first, last, reason } of lost) {
        expect([first, reason]).toEqual([last, GapReason.damaged]);
        expect(spool.has(METER_HEX, first)).toBe(false);
      }
      expect(spool.count(METER_HEX, 1n, 100n)).toBe(RECORDS - lost.length);
      await scrubbed(spool);
      expect(spool.takeLost()).toEqual([]);
      // The next start agrees.
      const { spool: again } = await openSpool(disk, DIR, new VirtualClock(), () => {}, bytesOf(5));
      expect(again.missing(METER_HEX, 1n, 40n)).toEqual(spool.missing(METER_HEX, 1n, 40n));
    }),
    { numRuns: 150 },
  );
});

test('a read that misses a record tells it at once, also in the segment that is written', async () => {
  const { disk, spool } = await filled();
  const newest = [...disk.files.keys()].filter((name) => name.startsWith(`${DIR}/r-`) && name.endsWith('.seg')).at(-1);
  flip(disk, newest ?? '', 8 * (VERSION_RECORD.length + 50));
  const found = await spool.read(METER_HEX, 1n, 100);
  expect(found).toHaveLength(RECORDS - 1);
  await spool.scrub();
  expect(spool.takeLost()).toHaveLength(1);
  expect((await spool.read(METER_HEX, 1n, 100)).map(({ bytes }) => toHex(bytes))).toEqual(
    found.map(({ bytes }) => toHex(bytes)),
  );
});

test('a segment that cannot be read is named, and its records come back with the disk', async () => {
  const { disk, spool: before } = await filled();
  await before.close();
  const bad = `${DIR}/r-00000002.seg`;
  const { read, readAt } = disk;
  const eio = async () => Promise.reject(Object.assign(new Error('i/o error'), { code: 'EIO' }));
  disk.read = (path) => (path === bad ? eio() : read.call(disk, path));
  disk.readAt = (path, ...rest) => (path === bad ? eio() : readAt.call(disk, path, ...rest));
  disk.files.delete(bad.replace('seg', 'idx'));
  const { spool } = await openSpool(disk, DIR, new VirtualClock(), () => {}, bytesOf(5));
  expect(spool.problem()).toContain('cannot read 1 files');
  const missing = spool.missing(METER_HEX, 1n, 40n);
  expect(missing.length).toBeGreaterThan(0);
  await spool.trim(0, () => 100n);
  expect(disk.files.has(bad)).toBe(true);
  disk.read = read;
  disk.readAt = readAt;
  await scrubbed(spool);
  expect(spool.problem()).toBeNull();
  for (const { first } of missing) expect(spool.has(METER_HEX, first)).toBe(true);
  expect(spool.takeLost()).toEqual([]);
});
