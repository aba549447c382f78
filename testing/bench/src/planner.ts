import { profileLineTimes, savedPart } from './edge/line-time.js';
import { type BenchRow, figure } from './table.js';

/**
 * Computes the line time of one poll by each shipped profile, beside one read for each block without a gap. Nothing is
 * timed.
 */
export async function benchPlanner(): Promise<BenchRow[]> {
  const times = profileLineTimes();
  const rows = times.map(
    ({ profile, blocks, planned }): BenchRow => ({
      name: profile.id,
      value: planned.us / 1_000,
      unit: `ms in ${planned.reads}`,
      toBeat: `${figure(blocks.us / 1_000)} ms in ${blocks.reads}`,
      goal: '',
    }),
  );
  const reads = times.reduce((sum, { blocks }) => sum + blocks.reads, 0);
  return [
    ...rows,
    {
      name: 'line time saved over all',
      value: 100 * savedPart(times),
      unit: '%',
      toBeat: `${reads} reads`,
      goal: '>= 15',
    },
  ];
}
