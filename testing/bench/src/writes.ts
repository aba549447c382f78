import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { countedDisk, WriteCount } from '#edge/adapters/disk/counted-disk.js';
import type { Disk } from '#edge/domain/ports.js';
import { openBenchGateway, sampleOf } from './spool/gateway.js';
import type { BenchRow } from './table.js';

const METERS = 5;
const POLL_MS = 10_000;
const HOURS = 4;
const RECORD_BYTES = 187;
const START_MS = Date.UTC(2026, 0, 1);

/** Signs four hours of five meters at 10 s, and counts the pages of 4 KiB and the syncs that the card gets. */
export async function benchWrites(): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const [name, commitMs, spreadMs] of [
    ['meters within 200 ms', 200, 20],
    ['meters over 1 s, commit_ms 2000', 2_000, 200],
  ] as const) {
    const time = new VirtualClock({ startAtMs: START_MS });
    const count = new WriteCount(time);
    const disk = countedDisk(boundDisk(), count);
    let records = 0;
    const gateway = await openBenchGateway({
      ...{ disk, folder: '', meters: METERS, spoolMaxBytes: 64e6, commitMs, time, clock: time },
      committed: () => records++,
      until: (call) => time.run(call),
    });
    [count.bytes, count.syncs, records] = [0, 0, 0];
    for (let poll = 0; poll < (HOURS * 3_600_000) / POLL_MS; poll++) {
      const atMs = START_MS + time.monotonicMs();
      const work: Promise<unknown>[] = [];
      for (const { journal } of gateway.meters) {
        work.push(journal.reading(sampleOf(atMs, time.monotonicMs(), 10, BigInt(poll)), true));
        await time.advance(spreadMs);
      }
      await time.advance(POLL_MS - METERS * spreadMs);
      await Promise.all(work);
      await time.run(Promise.all(gateway.meters.map(({ journal }) => journal.closeDue(START_MS + time.monotonicMs()))));
    }
    const seconds = HOURS * 3_600;
    const times = count.bytes / (records * RECORD_BYTES);
    rows.push({ name: `syncs, ${name}`, value: count.syncs / seconds, unit: '/s', toBeat: '', goal: '<= 1' });
    rows.push({ name: `bytes, ${name}`, value: times, unit: 'x the records', toBeat: '', goal: '<= 10' });
    const day = (count.bytes / HOURS / METERS / 1e6) * 24;
    rows.push({ name: '  a day and meter', value: day, unit: 'MB', toBeat: '600 MB before', goal: '' });
  }
  return rows;
}

/** A disk in memory whose methods keep their object: the counts are those of any disk. */
function boundDisk(): Disk {
  const disk = new CrashDisk();
  const names = ['makeDir', 'list', 'read', 'size', 'readAt', 'openAppend', 'truncate', 'replace'] as const;
  const bound = [...names, 'replaceUnsynced', 'remove', 'syncDir'] as const;
  return Object.fromEntries(bound.map((name) => [name, disk[name].bind(disk)])) as unknown as Disk;
}
