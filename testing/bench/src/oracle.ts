import { benchHotPath, usualThreads } from './oracle/hot-path.js';
import { type BenchRow, figure, median, ratioText } from './table.js';

const ROUNDS = 9;
const MESSAGES = 8_000;

/**
 * Compares the oracle's own code with bare libsodium on the same messages, in this process and in turn. `directory`
 * should be on a disk: the ledger's commits are synced there.
 */
export async function benchOracle(directory: string): Promise<BenchRow[]> {
  const threads = usualThreads();
  await benchHotPath(directory, 1, MESSAGES, threads);
  const rounds = await benchHotPath(directory, ROUNDS, MESSAGES, threads);
  const parts = (what: 'admitted' | 'stored', by: 'wall' | 'cpu') => rounds.map((r) => r[what][by] / r.bare[by]);
  const per = (what: 'bare' | 'admitted' | 'stored', by: 'wall' | 'cpu') => median(rounds.map((r) => r[what][by]));
  const bare = (by: 'wall' | 'cpu') => `${figure(per('bare', by))}/s bare libsodium`;
  const rows = (name: string, what: 'admitted' | 'stored', by: 'wall' | 'cpu'): BenchRow[] => {
    const ratios = parts(what, by);
    return [
      { name, value: per(what, by), unit: '/s', toBeat: bare(by), goal: '' },
      { name: '  part of bare libsodium', value: median(ratios), unit: '', toBeat: ratioText(ratios), goal: '>= 0.9' },
    ];
  };
  const together = rounds.map((r) => r.threaded / r.bare.wall);
  return [
    {
      name: `whole path by the clock, main thread and ${threads} that verify`,
      value: median(rounds.map((r) => r.threaded)),
      unit: '/s',
      toBeat: `${bare('wall')}, one thread`,
      goal: '',
    },
    {
      name: '  part of bare libsodium',
      value: median(together),
      unit: '',
      toBeat: ratioText(together),
      goal: '>= 0.9',
    },
    ...rows('one thread: split, parse, hash, verify: a CPU second', 'admitted', 'cpu'),
    ...rows('the same by the clock', 'admitted', 'wall'),
    ...rows('one thread: all that, judge, commit: a CPU second', 'stored', 'cpu'),
    ...rows('the same by the clock, disk syncs in it', 'stored', 'wall'),
  ];
}
