import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { projectRoot } from '../root.js';
import { type BenchRow, figure } from './table.js';

/** What the gateway's bench says of a profile; its own types are not imported. */
interface ProfileLineTime {
  readonly profile: { readonly id: string };
  readonly blocks: { readonly reads: number; readonly us: number };
  readonly planned: { readonly reads: number; readonly us: number };
}

/** Line time of one poll by each shipped profile, beside one read for each block without a gap. Computed, not timed. */
export async function benchPlanner(): Promise<BenchRow[]> {
  // Applications are not imported: their bench is loaded from where the build put it.
  const path = join(projectRoot, 'edge/dist/bench/line-time.js');
  const { profileLineTimes, savedPart } = (await import(pathToFileURL(path).href)) as {
    profileLineTimes(): ProfileLineTime[];
    savedPart(times: readonly ProfileLineTime[]): number;
  };
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
