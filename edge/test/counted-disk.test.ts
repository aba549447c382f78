import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { expect, test } from 'vitest';
import { countedDisk, WriteCount } from '../src/adapters/disk/counted-disk.js';
import type { Disk } from '../src/domain/ports.js';

const PAGE = 4_096;

/** Returns the disk with methods that keep their object. */
function boundDisk(): Disk {
  const disk = new CrashDisk();
  const names = ['makeDir', 'list', 'read', 'size', 'readAt', 'openAppend', 'truncate', 'replace'] as const;
  const bound = [...names, 'replaceUnsynced', 'remove', 'syncDir'] as const;
  return Object.fromEntries(bound.map((name) => [name, disk[name].bind(disk)])) as unknown as Disk;
}

test('a card gets whole pages: each sync of an appended file writes its last page again', async () => {
  const time = new VirtualClock();
  const count = new WriteCount(time);
  const disk = countedDisk(boundDisk(), count);
  const file = await disk.openAppend('/d/f');
  await file.append(new Uint8Array(100));
  await file.append(new Uint8Array(100));
  expect(count.bytes).toBe(0);
  await file.sync();
  await file.append(new Uint8Array(PAGE));
  await file.sync();
  expect([count.bytes, count.syncs]).toEqual([PAGE + 2 * PAGE, 2]);
  await file.close();
  const again = await disk.openAppend('/d/f');
  await again.append(Uint8Array.of(1));
  await again.close();
  expect(count.bytes).toBe(4 * PAGE);
  await disk.replace('/d/state', new Uint8Array(10));
  await disk.replaceUnsynced('/d/acks', new Uint8Array(PAGE + 1));
  await disk.syncDir('/d');
  expect([count.bytes, count.syncs]).toEqual([7 * PAGE, 5]);
});

test('the bytes of a day are those of 24 hours', async () => {
  const time = new VirtualClock();
  const count = new WriteCount(time);
  for (let hour = 0; hour < 30; hour++) {
    count.add(1_000);
    await time.advance(3_600_000);
  }
  expect([count.bytes, count.dayBytes]).toEqual([30_000, 23_000]);
  await time.advance(24 * 3_600_000);
  expect(count.dayBytes).toBe(0);
});
